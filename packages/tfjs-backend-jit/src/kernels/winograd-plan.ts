/**
 * How a convolution is computed by Winograd's method: tile size, and the cutting into pieces. Rules from measurements;
 * functions of the shape alone, so that the same program gives the same bits on any number of threads.
 */
import type { Outcome } from './epilogue.ts';
import type { Features, Recipe } from './kernel.ts';
import { convolveByChannels } from './winograd-by-channels.ts';
import { convolveByTiles } from './winograd-by-tiles.ts';
import { gradientByChannels } from './winograd-gradient-by-channels.ts';
import { gradientByTiles } from './winograd-gradient-by-tiles.ts';
import { type Convolution, type Grid, gridOf, PANEL } from './winograd-grid.ts';
import type { TileSize } from './winograd-matrix.ts';

/** For measurements and tests: what the rules would choose. */
export interface WinogradOptions extends Partial<Outcome> {
  /** Outputs per tile and axis. */
  readonly m?: TileSize;
  readonly cut?: 'tiles' | 'channels';
  /** Tiles per block. */
  readonly block?: number;
  /** Panels of 16 output channels per piece, when a convolution is cut by channels. */
  readonly panels?: number;
  /** Tiles per piece of a filter's gradient cut by tiles, or per round of one cut by channels. */
  readonly range?: number;
  /** Input and output channels per piece of a filter's gradient cut by channels. */
  readonly blocks?: { readonly inBlock: number; readonly outBlock: number };
}

/** y from inputs x and filter. With `rotated`, `c` computes an input gradient from dy and the layer's own filter. */
export function convolve(c: Convolution, rotated: boolean, features: Features, options: WinogradOptions): Recipe {
  const { steady = false, epilogue, moments = false } = options;
  const grid = gridOf(c, options.m ?? tileSize(c, steady));
  if ((options.cut ?? convolutionCut(c, grid)) === 'tiles') {
    // What a band of 24 tiles needs beside U fits in 1 MB of cache, up to 128 channels.
    const block = options.block ?? clamp(floorTo(grid.tiles / 16, 6), 12, 24);
    return convolveByTiles(
      c,
      grid,
      { block: Math.min(block, grid.tiles), steady, epilogue, moments },
      rotated,
      features,
    );
  }
  // Two panels share what is read of V; U of one is 1.2 MB at 512 channels. At least 8 pieces, for 8 threads.
  const panels = options.panels ?? (c.outChannels >= 16 * PANEL && c.outChannels % (2 * PANEL) === 0 ? 2 : 1);
  const block = Math.min(options.block ?? 96, grid.tiles);
  return convolveByChannels(c, grid, { tiles: 8, block, panels, steady, epilogue, moments }, rotated, features);
}

/** The filter's gradient from inputs x and dy. */
export function convolveGradient(c: Convolution, features: Features, options: WinogradOptions): Recipe {
  const grid = gridOf(c, options.m ?? tileSize(c, false));
  const { tiles } = grid;
  if ((options.cut ?? gradientCut(c, grid)) === 'tiles') {
    // Gathering a piece's dU costs as much as 6 of its tiles: 8 pieces, or 16 where each still has 96 tiles.
    const range = Math.min(options.range ?? Math.ceil(tiles / (tiles >= 16 * 96 ? 16 : 8)), tiles);
    // A band's V and D of 32 tiles stay in the cache; dU comes and goes once a block (16: 3–7 % slower, 64: 2–6 %).
    const block = options.block ?? evenly(range, 32);
    return gradientByTiles(c, grid, { range, block: Math.min(block, range) }, features);
  }
  const [inBlock, outBlock] = channelBlocks(c);
  const fit = Math.floor(ROUND_BYTES / (grid.planes * 4 * (c.inChannels + c.outChannels)));
  const round = Math.min(options.range ?? evenly(tiles, Math.max(fit, 4)), tiles);
  const cuts = { round, tiles: 8, inBlock, outBlock, ...options.blocks };
  return gradientByChannels(c, grid, cuts, features);
}

/** Tiles that cost as much as the transforms of a filter or of its gradient, per plane, input and output channel. */
const FILTER_TILES = 6;

/**
 * Tiles whose products take as long as reading a plane of a kept U from memory: of 512 channels 26 µs on a quiet
 * machine, 40 µs on a busy one; a tile 2.8 µs.
 */
const KEPT_TILES = 14;

/** F(4×4) does less than F(2×2), unless its tiles are few or reach far over the edges. */
function tileSize(c: Convolution, steady: boolean): TileSize {
  const cost = (m: TileSize) => {
    const { planes, tiles } = gridOf(c, m);
    return planes * (tiles + (steady ? KEPT_TILES : FILTER_TILES));
  };
  return cost(4) < cost(2) ? 4 : 2;
}

/** By tiles, U goes to memory and comes back for every block; by channels, V does, whole. */
function convolutionCut(c: Convolution, { tiles, planes }: Grid): 'tiles' | 'channels' {
  const v = planes * tiles * c.inChannels * 4;
  return v > V_BYTES || (tiles >= 192 && tiles * 128 >= c.inChannels * c.outChannels) ? 'tiles' : 'channels';
}

/** The most that V of all tiles may take. */
const V_BYTES = 64e6;

/** By tiles, a piece has a dU of its own (2.4 MB at 128 × 128 channels), and there must be tiles for 8 pieces. */
function gradientCut(c: Convolution, { tiles }: Grid): 'tiles' | 'channels' {
  return tiles >= 384 && c.inChannels * c.outChannels <= 128 * 128 ? 'tiles' : 'channels';
}

/** 64 × 64 channels reuse what is read of V and D best; smaller where that leaves fewer than 8 pieces. */
function channelBlocks(c: Convolution): readonly [inBlock: number, outBlock: number] {
  const [ins, outs] = [c.inChannels, c.outChannels].map((all) => [64, 48, 32, PANEL].filter((x) => all % x === 0));
  let [i, o] = [0, 0];
  const pieces = () => (c.inChannels / ins[i]) * (c.outChannels / outs[o]);
  while (pieces() < 8 && (i < ins.length - 1 || o < outs.length - 1)) {
    if (o < outs.length - 1 && (outs[o] >= ins[i] || i === ins.length - 1)) o++;
    else i++;
  }
  return [ins[i], outs[o]];
}

/** Bytes of V and D of one round, to stay in a shared cache of 32 MB. */
const ROUND_BYTES = 20e6;

const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);

/** The size of parts of `total` that are as equal as can be, near `most` at most, and multiples of 4 (unrolled loops). */
const evenly = (total: number, most: number): number => Math.ceil(total / Math.ceil(total / most) / 4) * 4;

const floorTo = (x: number, step: number): number => Math.floor(x / step) * step;
