/**
 * Memory is slow, and the transforms would wait for it: what the next block reads and what this one writes is touched
 * while the products keep the processor busy. 56 × 56 × 64 became a fifth faster, 28 × 28 × 128 a tenth.
 */
import { type Expr, i32, type Local } from '../wasm/assembler.ts';
import { smaller } from './gemm.ts';
import type { Convolution, Grid } from './winograd-grid.ts';

/** The images of input and output as two streams of equal length, in the order of the tiles; all in bytes. */
export interface Ahead {
  readonly perTile: number;
  /** What a block covers of each. */
  readonly span: number;
  /** The furthest that touching may begin, so that it stays within the streams. */
  readonly last: number;
}

/**
 * Undefined where the images differ in size, or are few. `beyond`: bytes that may be touched beyond a block's own, since
 * touching does not end at any line.
 */
export function planAhead(c: Convolution, grid: Grid, block: number, beyond: number): Ahead | undefined {
  const bytes = 4 * c.batch * c.inHeight * c.inWidth * c.inChannels;
  const isSame = c.inChannels === c.outChannels && c.inHeight * c.inWidth === c.outHeight * c.outWidth;
  const perTile = Math.floor(bytes / grid.tiles);
  const span = block * perTile;
  const last = bytes - span - beyond;
  return isSame && grid.tiles >= 3 * block && last >= 0 ? { perTile, span, last } : undefined;
}

/** Where the stream at `base` is touched from, for `tile`. */
export const touchFrom = ({ perTile, last }: Ahead, base: Local, tile: Expr): Expr =>
  i32.add(base, smaller(i32.mul(tile, i32.const(perTile)), i32.const(last)));
