/**
 * The geometry that Winograd's kernels share: how an output is cut into tiles, and how data lie in memory between
 * the transforms and the products.
 */
import type { Conv2DShape } from './conv-shape.ts';
import type { TileSize } from './winograd-matrix.ts';

/** A 3×3 convolution of stride 1: the forward one of a layer, or the one that computes its input's gradient. */
export interface Convolution {
  readonly batch: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly inChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly outChannels: number;
  readonly padTop: number;
  readonly padLeft: number;
}

/** The convolution of x that gives y. */
export function forward(s: Conv2DShape): Convolution {
  return {
    batch: s.batch,
    inHeight: s.inHeight,
    inWidth: s.inWidth,
    inChannels: s.inChannels,
    outHeight: s.outHeight,
    outWidth: s.outWidth,
    outChannels: s.outChannels,
    padTop: s.padTop,
    padLeft: s.padLeft,
  };
}

/** The convolution of dy with the rotated filter that gives dx; often the same as `forward`'s, kernels and all. */
export function inputGradient(s: Conv2DShape): Convolution {
  return {
    batch: s.batch,
    inHeight: s.outHeight,
    inWidth: s.outWidth,
    inChannels: s.outChannels,
    outHeight: s.inHeight,
    outWidth: s.inWidth,
    outChannels: s.inChannels,
    padTop: 2 - s.padTop,
    padLeft: 2 - s.padLeft,
  };
}

/** The tiles of m×m outputs, row by row, image by image. */
export interface Grid {
  readonly m: TileSize;
  /** Rows and columns of the patch of input under a tile: m + 2. */
  readonly n: number;
  /** Products per tile and pair of channels, each a matrix ("plane") of its own: n². */
  readonly planes: number;
  readonly rows: number;
  readonly columns: number;
  /** Of the whole batch. */
  readonly tiles: number;
}

export function gridOf(c: Convolution, m: TileSize): Grid {
  const rows = Math.ceil(c.outHeight / m);
  const columns = Math.ceil(c.outWidth / m);
  return { m, n: m + 2, planes: (m + 2) ** 2, rows, columns, tiles: c.batch * rows * columns };
}

/** Channels per panel. A panel holds 16 neighbouring channels (64 bytes, a cache line) of row after row. */
export const PANEL = 16;

/**
 * Bytes of a plane of `rows` × `channels` in panels, [channels/16][rows][16]. A cache line more keeps the planes,
 * which a transform writes side by side, from falling into the same sets of the cache.
 */
export const planeBytes = (rows: number, channels: number): number => rows * channels * 4 + 64;

/** The sizes of a part of all work: as many whole blocks as fit, then what is left. */
export function cut(total: number, block: number): { readonly count: number; readonly last: number } {
  const count = Math.ceil(total / block);
  return { count, last: total - (count - 1) * block };
}

/** Bytes, rounded up so that what follows is aligned. */
export const align = (bytes: number): number => Math.ceil(bytes / 128) * 128;

/** For the names of kernels: `F4 32x8x8x256->8x8x256`. */
export function describeConvolution(c: Convolution, grid: Grid): string {
  return `F${grid.m} ${c.batch}x${c.inHeight}x${c.inWidth}x${c.inChannels}->${c.outHeight}x${c.outWidth}x${c.outChannels}`;
}

/** Bytes of the input and the output. */
export function traffic(c: Convolution): number {
  return 4 * c.batch * (c.inHeight * c.inWidth * c.inChannels + c.outHeight * c.outWidth * c.outChannels);
}
