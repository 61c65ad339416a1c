/**
 * How a convolution is computed by Winograd's method: tile size, and the cutting into pieces. Rules from measurements;
 * functions of the shape alone, so that the same program gives the same bits on any number of threads.
 */
import type { Features, Recipe } from './kernel.ts';
import { convolveByChannels } from './winograd-by-channels.ts';
import { convolveByTiles } from './winograd-by-tiles.ts';
import { type Convolution, gridOf } from './winograd-grid.ts';
import type { TileSize } from './winograd-matrix.ts';

/** For measurements and tests: what the rules would choose. */
export interface WinogradOptions {
  /** Outputs per tile and axis. */
  readonly m?: TileSize;
  readonly cut?: 'tiles' | 'channels';
  /** Tiles per block. */
  readonly block?: number;
  /** Panels of 16 output channels per piece, when cut by channels. */
  readonly panels?: number;
}

/** y from inputs x and filter. With `rotated`, `c` computes an input gradient from dy and the layer's own filter. */
export function convolve(c: Convolution, rotated: boolean, features: Features, options: WinogradOptions): Recipe {
  const grid = gridOf(c, options.m ?? tileSize(c));
  const by = options.cut ?? (grid.tiles < 192 ? 'channels' : 'tiles');
  if (by === 'tiles') return convolveByTiles(c, grid, options.block ?? 48, rotated, features);
  const cuts = { tiles: 8, block: options.block ?? 96, panels: options.panels ?? 1 };
  return convolveByChannels(c, grid, cuts, rotated, features);
}

function tileSize(c: Convolution): TileSize {
  return Math.min(c.outHeight, c.outWidth) > 2 ? 4 : 2;
}
