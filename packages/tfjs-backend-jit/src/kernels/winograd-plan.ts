/**
 * How a convolution is computed by Winograd's method: tile size, and the cutting into pieces. Rules from measurements;
 * functions of the shape alone, so that the same program gives the same bits on any number of threads.
 */
import type { Features, Recipe } from './kernel.ts';
import { convolveByChannels } from './winograd-by-channels.ts';
import { convolveByTiles } from './winograd-by-tiles.ts';
import { gradientByChannels } from './winograd-gradient-by-channels.ts';
import { gradientByTiles } from './winograd-gradient-by-tiles.ts';
import { type Convolution, gridOf } from './winograd-grid.ts';
import type { TileSize } from './winograd-matrix.ts';

/** For measurements and tests: what the rules would choose. */
export interface WinogradOptions {
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
  readonly inBlock?: number;
  readonly outBlock?: number;
}

/** y from inputs x and filter. With `rotated`, `c` computes an input gradient from dy and the layer's own filter. */
export function convolve(c: Convolution, rotated: boolean, features: Features, options: WinogradOptions): Recipe {
  const grid = gridOf(c, options.m ?? tileSize(c));
  const by = options.cut ?? (grid.tiles < 192 ? 'channels' : 'tiles');
  if (by === 'tiles') {
    const block = Math.min(options.block ?? 48, grid.tiles);
    return convolveByTiles(c, grid, block, rotated, features);
  }
  const cuts = { tiles: 8, block: Math.min(options.block ?? 96, grid.tiles), panels: options.panels ?? 1 };
  return convolveByChannels(c, grid, cuts, rotated, features);
}

function tileSize(c: Convolution): TileSize {
  return Math.min(c.outHeight, c.outWidth) > 2 ? 4 : 2;
}

/** The filter's gradient from inputs x and dy. */
export function convolveGradient(c: Convolution, features: Features, options: WinogradOptions): Recipe {
  const grid = gridOf(c, options.m ?? tileSize(c));
  const by = options.cut ?? (c.inChannels * c.outChannels <= 128 * 128 ? 'tiles' : 'channels');
  const range = Math.min(options.range ?? 512, grid.tiles);
  if (by === 'tiles') {
    const block = Math.min(options.block ?? 96, range);
    return gradientByTiles(c, grid, { range, block }, features);
  }
  const blockOf = (channels: number) => [64, 48, 32].find((block) => channels % block === 0) ?? 16;
  const inBlock = options.inBlock ?? blockOf(c.inChannels);
  const outBlock = options.outBlock ?? blockOf(c.outChannels);
  return gradientByChannels(c, grid, { round: range, tiles: 8, inBlock, outBlock }, features);
}
