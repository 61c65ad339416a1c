/**
 * Max and average pooling over NHWC images, vectorised along the channels (with stride 1 along whole rows).
 * Taps above and below the image read a row of scratch that holds what changes nothing: −∞, or 0.
 */
import { type Expr, type Func, f32, f32x4, i32, type Local, v128 } from '../wasm/assembler.ts';
import { type Conv2DShape, describe } from './conv-shape.ts';
import { type Features, input, output, type Recipe } from './kernel.ts';
import { at, type Block, cutRows, fillRow, loadBlock, type Range, rowKernel, storeBlock, walk } from './move-pieces.ts';
import { emitLoopedWindows } from './pool-large.ts';
import {
  type ColumnRun,
  columnRuns,
  inRowBytes,
  isUnrolled,
  outRowBytes,
  type PoolKind,
  padsRows,
  pixelBytes,
  poolFold,
  poolStart,
  rowOrElse,
} from './pool-window.ts';

/**
 * `MaxPool`: x [batch, inHeight, inWidth, channels] f32 → y [batch, outHeight, outWidth, channels].
 * As in tfjs's cpu backend NaN is never larger than anything: a window of nothing but NaN gives −∞.
 * One step; inputs: x; outputs: y.
 */
export function maxPool(shape: Conv2DShape, _features: Features): Recipe {
  return poolRecipe('max', shape);
}

/**
 * `AvgPool`: the mean over the taps inside the image; padding does not count. A window wholly in the padding gives NaN.
 * One step; inputs: x; outputs: y.
 */
export function avgPool(shape: Conv2DShape, _features: Features): Recipe {
  return poolRecipe('avg', shape);
}

function poolRecipe(kind: PoolKind, s: Conv2DShape): Recipe {
  const taps = s.filterHeight * s.filterWidth;
  const outputs = s.batch * s.outHeight * s.outWidth * s.inChannels;
  const cut = cutRows(s.batch * s.outHeight, s.outWidth * s.inChannels * Math.max(1, Math.min(taps, 8) / 2));
  const unrolled = isUnrolled(s);
  const kernel = rowKernel(
    {
      name: `${kind}-pool ${describe(s)}`,
      shape: s,
      buffers: 2,
      cut,
      scratch: unrolled ? inRowBytes(s) + DIVISOR_BYTES : 0,
      flops: outputs * taps,
      bytes: (s.batch * s.inHeight * s.inWidth * s.inChannels + outputs) * 4,
    },
    (f, rows) => (unrolled ? emitUnrolled(f, kind, s, rows) : emitLoopedWindows(f, kind, s, rows)),
  );
  return { temps: [], steps: [{ kernel, args: [input(0), output(0)] }] };
}

/** Scratch: first the divisor of the current columns (so that it can be splat from memory), then the outside row. */
const DIVISOR_BYTES = 128;

function emitUnrolled(f: Func, kind: PoolKind, s: Conv2DShape, { from, to }: Range): void {
  const [scratch, x, y] = [f.param(1), f.param(2), f.param(3)];
  const [row, image, top, outside, valid] = f.locals('i32', 5);
  const rows = f.locals('i32', s.filterHeight);
  const taps = f.locals('i32', s.filterHeight);
  const padded = padsRows(s);
  if (padded) {
    f.set(outside, i32.add(scratch, i32.const(DIVISOR_BYTES)));
    fillRow(f, s.inWidth * s.inChannels, outside, poolStart(kind));
    f.set(outside, i32.add(scratch, i32.const(DIVISOR_BYTES)));
  }
  const out = f.local('i32');
  f.set(out, at(y, from, outRowBytes(s)));
  f.for(row, from, to, 1, () => {
    f.set(image, at(x, i32.div_u(row, i32.const(s.outHeight)), s.inHeight * inRowBytes(s)));
    f.set(top, i32.mul(i32.rem_u(row, i32.const(s.outHeight)), i32.const(s.strideHeight)));
    f.set(top, i32.sub(top, i32.const(s.padTop)));
    f.set(valid, i32.const(0));
    rows.forEach((r, k) => {
      const at0 = i32.add(top, i32.const(k * s.dilationHeight));
      f.set(r, padded ? rowOrElse(s, image, at0, outside) : at(image, at0, inRowBytes(s)));
      f.set(valid, i32.add(valid, i32.lt_u(at0, i32.const(s.inHeight))));
    });
    for (const run of columnRuns(s)) {
      if (kind === 'avg') f.push(f32.store(scratch, divisor(valid, run.endTap - run.firstTap)));
      taps.forEach((t, k) => {
        f.set(t, i32.add(rows[k], i32.const(run.column * pixelBytes(s))));
      });
      emitRun(f, kind, s, run, out, taps, scratch);
    }
  });
}

const divisor = (rows: Expr, columns: number): Expr => f32.convert_i32_s(i32.mul(rows, i32.const(columns)));

/** The windows of one run: pixel by pixel, or with stride 1 as one long row, whose elements all have their taps at the same distance. */
function emitRun(
  f: Func,
  kind: PoolKind,
  s: Conv2DShape,
  run: ColumnRun,
  out: Local,
  taps: Local[],
  scratch: Expr,
): void {
  const fold = poolFold(kind);
  const block = (b: Block) => {
    const value = (o: number) => {
      let sum = poolStart(kind);
      for (const row of taps) {
        for (let k = run.firstTap; k < run.endTap; k++) {
          sum = fold(sum, loadBlock(b, row, o + (k - run.firstTap) * s.dilationWidth * pixelBytes(s)));
        }
      }
      return kind === 'avg' ? f32x4.div(sum, v128.load32_splat(scratch)) : sum;
    };
    for (const o of b.offsets.toReversed()) f.push(storeBlock(b, out, value(o), o));
  };
  const pixels = run.to - run.from;
  if (s.strideWidth === 1) walk(f, pixels * s.inChannels, [out, ...taps], block);
  else {
    const pixel = f.local('i32');
    f.for(pixel, 0, pixels, 1, () => {
      walk(f, s.inChannels, [out, ...taps], block);
      for (const t of taps) f.inc(t, (s.strideWidth - 1) * pixelBytes(s));
    });
  }
}
