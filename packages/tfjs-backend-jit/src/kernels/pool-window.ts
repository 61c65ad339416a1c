/**
 * The geometry of a pooling window over a padded image: which taps of the window lie inside, for every output column
 * (known when the kernel is made) and every output row (found while it runs).
 */
import { type Expr, type Func, f32x4, i32, type Local, select, v128 } from '../wasm/assembler.ts';
import type { Conv2DShape } from './conv-shape.ts';
import { at, maxS, minS, type Range } from './move-pieces.ts';

export type PoolKind = 'max' | 'avg';

/** What starts a window's fold, and the fold: pmax(a, b) = a < b ? b : a keeps a when b is NaN, and the first of ±0. */
export const poolStart = (kind: PoolKind): Expr => v128.const_f32x4(kind === 'max' ? -Infinity : 0);
export const poolFold = (kind: PoolKind): ((a: Expr, b: Expr) => Expr) => (kind === 'max' ? f32x4.pmax : f32x4.add);

/** Windows of up to this many taps are unrolled, with one pointer for each of their rows; larger ones are loops. */
const MAX_UNROLLED = 25;

export const isUnrolled = (s: Conv2DShape): boolean => s.filterHeight * s.filterWidth <= MAX_UNROLLED;

/** Output columns [from, to) whose windows hold the same taps [firstTap, endTap); `column` is where the first tap of `from` lies. */
export interface ColumnRun {
  readonly from: number;
  readonly to: number;
  readonly firstTap: number;
  readonly endTap: number;
  readonly column: number;
}

/** Splits the output columns into runs of equal taps: the left border, the inside, the right border. */
export function columnRuns(s: Conv2DShape): ColumnRun[] {
  const runs: ColumnRun[] = [];
  for (let out = 0; out < s.outWidth; out++) {
    const corner = out * s.strideWidth - s.padLeft;
    const firstTap = Math.min(s.filterWidth, corner < 0 ? Math.ceil(-corner / s.dilationWidth) : 0);
    const endTap = Math.max(firstTap, Math.min(s.filterWidth, Math.ceil((s.inWidth - corner) / s.dilationWidth)));
    const last = runs.at(-1);
    if (last && last.firstTap === firstTap && last.endTap === endTap) runs[runs.length - 1] = { ...last, to: out + 1 };
    else {
      const column = firstTap < endTap ? corner + firstTap * s.dilationWidth : 0;
      runs.push({ from: out, to: out + 1, firstTap, endTap, column });
    }
  }
  return runs;
}

/** True when some window reaches above or below the image. */
export function padsRows(s: Conv2DShape): boolean {
  const reach = (s.outHeight - 1) * s.strideHeight - s.padTop + (s.filterHeight - 1) * s.dilationHeight;
  return s.padTop > 0 || reach >= s.inHeight;
}

/** The rows of one image: bytes of an input and of an output row, and of a pixel. */
export const pixelBytes = (s: Conv2DShape): number => s.inChannels * 4;
export const inRowBytes = (s: Conv2DShape): number => s.inWidth * pixelBytes(s);
export const outRowBytes = (s: Conv2DShape): number => s.outWidth * pixelBytes(s);

/** The address of row `row` of an image, or `outside` where there is no such row. */
export const rowOrElse = (s: Conv2DShape, image: Expr, row: Expr, outside: Expr): Expr =>
  select(at(image, row, inRowBytes(s)), outside, i32.lt_u(row, i32.const(s.inHeight)));

/** Along one axis, the taps [from, to) of the window at `corner` (signed) that lie inside; empty where from ≥ to. */
export function tapRange(f: Func, corner: Local, size: number, taps: number, dilation: number): Range {
  const [from, to] = f.locals('i32', 2);
  const last = i32.const(dilation - 1);
  const d = i32.const(dilation);
  f.set(from, i32.div_s(i32.sub(last, corner), d));
  f.set(from, maxS(from, i32.const(0)));
  f.set(to, i32.div_s(maxS(i32.add(i32.sub(i32.const(size), corner), last), i32.const(0)), d));
  f.set(to, minS(to, i32.const(taps)));
  return { from, to };
}
