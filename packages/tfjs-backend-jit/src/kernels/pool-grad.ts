/**
 * Gradients of pooling. A piece owns some rows of dx and visits, in order, every window that touches them, so that each
 * element sums its windows in one fixed order; rows that a piece does not own are written to a dump in scratch.
 */
import { type Expr, type Func, f32x4, i32, type Local, select, v128 } from '../wasm/assembler.ts';
import { type Conv2DShape, describe } from './conv-shape.ts';
import { type Features, input, output, type Recipe } from './kernel.ts';
import {
  at,
  type Block,
  cutRows,
  fillRow,
  fillTo,
  loadBlock,
  maxS,
  minS,
  type Range,
  rowKernel,
  storeBlock,
  walk,
} from './move-pieces.ts';
import { emitLoopedScatter } from './pool-grad-large.ts';
import { type GradRow, gradOfWindow } from './pool-grad-row.ts';
import {
  columnRuns,
  inRowBytes,
  isUnrolled,
  outRowBytes,
  type PoolKind,
  pixelBytes,
  rowOrElse,
} from './pool-window.ts';

/**
 * `MaxPoolGrad`: dy goes to the first largest element of its window, in row-major order; a window whose maximum is −∞
 * (or that holds nothing but NaN) passes nothing on, as in tfjs's cpu backend.
 * One step; inputs: dy, x, y (y must be `MaxPool` of x); outputs: dx.
 */
export function maxPoolGrad(shape: Conv2DShape, _features: Features): Recipe {
  return gradRecipe('max', shape);
}

/**
 * `AvgPoolGrad`: dy / (filterHeight · filterWidth) goes to each element of its window, padding counted, as in tfjs's
 * cpu backend (whose forward does not count it).
 * One step; inputs: dy; outputs: dx.
 */
export function avgPoolGrad(shape: Conv2DShape, _features: Features): Recipe {
  return gradRecipe('avg', shape);
}

function gradRecipe(kind: PoolKind, s: Conv2DShape): Recipe {
  const inputs = s.batch * s.inHeight * s.inWidth * s.inChannels;
  const outputs = s.batch * s.outHeight * s.outWidth * s.inChannels;
  const cut = cutRows(s.batch * s.inHeight, s.inWidth * s.inChannels);
  const buffers = kind === 'max' ? 4 : 2;
  const unrolled = isUnrolled(s);
  const kernel = rowKernel(
    {
      name: `${kind}-pool-grad ${describe(s)}`,
      shape: s,
      buffers,
      cut,
      scratch: unrolled ? 2 * rowScratch(s) : 2 * pixelBytes(s),
      flops: outputs * s.filterHeight * s.filterWidth,
      bytes: (inputs * (kind === 'max' ? 2 : 1) + outputs * (buffers - 2 || 1)) * 4,
    },
    (f, rows) => emitGrad(f, kind, s, rows),
  );
  const args = kind === 'max' ? [input(0), input(1), input(2), output(0)] : [input(0), output(0)];
  return { temps: [], steps: [{ kernel, args }] };
}

/** Bytes of one row in scratch: the dump, and behind it (max) a row of NaN that stands for rows outside the image. */
const rowScratch = (s: Conv2DShape): number => (inRowBytes(s) + 127) & ~127;

function emitGrad(f: Func, kind: PoolKind, s: Conv2DShape, { from, to }: Range): void {
  const dyAt = f.param(2);
  const [xAt, yAt] = kind === 'max' ? [f.param(3), f.param(4)] : [dyAt, dyAt];
  const dxAt = f.param(kind === 'max' ? 5 : 3);
  const [image, top, low, high, x, dx, dy, y, row, end, written, limit] = f.locals('i32', 12);
  const g: GradRow = { kind, shape: s, top, low, high, x, dx, dy, y };
  const fresh = isUnrolled(s) ? freshTaps(s) : null;
  const reach = (s.filterHeight - 1) * s.dilationHeight;
  const nan = f.local('i32');
  if (isUnrolled(s) && kind === 'max') {
    f.set(nan, i32.add(f.param(1), i32.const(rowScratch(s))));
    fillRow(f, s.inWidth * s.inChannels, nan, v128.const_i32x4(0x7fc00000));
  }
  /** Moves `written`, the end of what is initialised, to row `r` of the image, kept inside [low, high]. */
  const address = (r: Expr) => {
    f.set(limit, maxS(r, low));
    f.set(limit, minS(limit, high));
    f.set(limit, at(dx, limit, inRowBytes(s)));
  };
  const imageOf = (r: Expr) => i32.div_u(r, i32.const(s.inHeight));
  f.for(image, imageOf(from), i32.add(imageOf(i32.sub(to, i32.const(1))), i32.const(1)), 1, () => {
    const start = i32.mul(image, i32.const(s.inHeight));
    f.set(low, maxS(i32.sub(from, start), i32.const(0)));
    f.set(high, minS(i32.sub(to, start), i32.const(s.inHeight)));
    f.set(dx, at(dxAt, image, s.inHeight * inRowBytes(s)));
    f.set(x, at(xAt, image, s.inHeight * inRowBytes(s)));
    f.set(written, at(dx, low, inRowBytes(s)));
    // Window rows from ceil((low + padTop − reach) / stride) to floor((high − 1 + padTop) / stride).
    f.set(row, maxS(i32.add(low, i32.const(s.padTop - reach + s.strideHeight - 1)), i32.const(0)));
    f.set(row, i32.div_u(row, i32.const(s.strideHeight)));
    f.set(end, i32.div_u(i32.add(high, i32.const(s.padTop - 1)), i32.const(s.strideHeight)));
    f.set(end, minS(i32.add(end, i32.const(1)), i32.const(s.outHeight)));
    f.for(row, row, end, 1, () => {
      f.set(top, i32.sub(i32.mul(row, i32.const(s.strideHeight)), i32.const(s.padTop)));
      const line = i32.add(i32.mul(image, i32.const(s.outHeight)), row);
      f.set(dy, at(dyAt, line, outRowBytes(s)));
      if (kind === 'max') f.set(y, at(yAt, line, outRowBytes(s)));
      address(i32.add(top, i32.const(fresh ? fresh.row : reach + 1)));
      f.if(i32.gt_u(limit, written), () => fillTo(f, written, limit, v128.const_i32x4(0)));
      address(i32.add(top, i32.const(reach + 1)));
      f.if(i32.gt_u(limit, written), () => f.set(written, limit));
      if (isUnrolled(s)) emitWindowRow(f, g, fresh, nan);
      else emitLoopedScatter(f, g);
    });
    f.set(limit, at(dx, high, inRowBytes(s)));
    fillTo(f, written, limit, v128.const_i32x4(0));
  });
}

/**
 * Taps that are always the first to touch their element of dx store without reading: those in tap rows from `row` and
 * tap columns from `column` on. `bare` lists the columns of such rows that no first tap reaches: they are zeroed.
 */
interface Fresh {
  readonly row: number;
  readonly column: number;
  readonly bare: readonly number[];
}

/** Null where so many columns are bare (or the taps are so spread) that zeroing every row first is better. */
function freshTaps(s: Conv2DShape): Fresh | null {
  if (s.dilationHeight !== 1 || s.dilationWidth !== 1) return null;
  const row = Math.max(0, s.filterHeight - s.strideHeight);
  const column = Math.max(0, s.filterWidth - s.strideWidth);
  const reached = new Set<number>();
  for (const run of columnRuns(s)) {
    for (let out = run.from; out < run.to; out++) {
      for (let tap = Math.max(column, run.firstTap); tap < run.endTap; tap++) {
        reached.add(out * s.strideWidth - s.padLeft + tap);
      }
    }
  }
  const bare = [...Array(s.inWidth).keys()].filter((c) => !reached.has(c));
  return bare.length <= 4 ? { row, column, bare } : null;
}

/** All windows of one window row, left to right, with the taps unrolled. */
function emitWindowRow(f: Func, g: GradRow, fresh: Fresh | null, nan: Local): void {
  const s = g.shape;
  const dump = f.param(1);
  const rows = [...Array(s.filterHeight).keys()];
  const xRows = g.kind === 'max' ? f.locals('i32', s.filterHeight) : [];
  const dxRows = f.locals('i32', s.filterHeight);
  const [xAt, dxAt] = [f.locals('i32', xRows.length), f.locals('i32', s.filterHeight)];
  const [bareAt, tapRow] = f.locals('i32', 2);
  for (const k of rows) {
    f.set(tapRow, i32.add(g.top, i32.const(k * s.dilationHeight)));
    const xRow = xRows[k];
    if (xRow) f.set(xRow, rowOrElse(s, g.x, tapRow, i32.sub(nan, i32.const(inRowBytes(s)))));
    const owned = i32.and(i32.ge_s(tapRow, g.low), i32.lt_s(tapRow, g.high));
    const dxRow = dxRows[k];
    f.set(dxRow, select(at(g.dx, tapRow, inRowBytes(s)), dump, owned));
    if (!fresh || k < fresh.row) continue;
    for (const column of fresh.bare) {
      f.set(bareAt, i32.add(dxRow, i32.const(column * pixelBytes(s))));
      fillRow(f, s.inChannels, bareAt, v128.const_i32x4(0));
    }
  }
  const pixel = f.local('i32');
  for (const run of columnRuns(s)) {
    for (const k of rows) {
      for (const [to, from] of [
        [xAt[k], xRows[k]],
        [dxAt[k], dxRows[k]],
      ]) {
        if (to && from) f.set(to, i32.add(from, i32.const(run.column * pixelBytes(s))));
      }
    }
    const taps = rows.flatMap((k) =>
      [...Array(run.endTap - run.firstTap).keys()].map((j) => ({
        x: xAt[k] ?? null,
        dx: dxAt[k],
        offset: j * s.dilationWidth * pixelBytes(s),
        first: fresh !== null && k >= fresh.row && run.firstTap + j >= fresh.column,
      })),
    );
    const pointers = [g.dy, ...(g.kind === 'max' ? [g.y] : []), ...xAt, ...dxAt];
    f.for(pixel, 0, run.to - run.from, 1, () => {
      walk(f, s.inChannels, pointers, (b) => emitWindow(f, g, b, taps));
      for (const p of [...xAt, ...dxAt]) f.inc(p, (s.strideWidth - 1) * pixelBytes(s));
    });
  }
}

interface Tap {
  readonly x: Local | null;
  readonly dx: Local;
  readonly offset: number;
  readonly first: boolean;
}

/** One window's taps for one block of channels: `rest` holds dy until the first element equal to the maximum takes it. */
function emitWindow(f: Func, g: GradRow, block: Block, taps: readonly Tap[]): void {
  const vector = () => block.offsets.map(() => f.local('v128'));
  const [rest, max, equal, value] = [vector(), vector(), vector(), vector()];
  const each = (body: (h: number, offset: number) => void) => {
    for (const [h, offset] of block.offsets.entries()) body(h, offset);
  };
  const of = (locals: Local[], h: number) => locals[h];
  each((h, o) => f.set(of(rest, h), gradOfWindow(g, block, o)));
  if (g.kind === 'max') each((h, o) => f.set(of(max, h), loadBlock(block, g.y, o)));
  taps.forEach((tap, index) => {
    const from = tap.x;
    if (from) each((h, o) => f.set(of(equal, h), f32x4.eq(loadBlock(block, from, tap.offset + o), of(max, h))));
    each((h, o) => {
      const share = from ? v128.and(of(equal, h), of(rest, h)) : of(rest, h);
      f.set(of(value, h), tap.first ? share : f32x4.add(loadBlock(block, tap.dx, tap.offset + o), share));
    });
    if (from && index + 1 < taps.length) each((h) => f.set(of(rest, h), v128.andnot(of(rest, h), of(equal, h))));
    for (const h of [...block.offsets.keys()].toReversed()) {
      f.push(storeBlock(block, tap.dx, of(value, h), tap.offset + block.offsets[h]));
    }
  });
  // A local that lives on into the next round costs the revectoriser's packing.
  for (const locals of [rest, max, equal, value]) for (const l of locals) f.set(l, v128.const_i32x4(0));
}
