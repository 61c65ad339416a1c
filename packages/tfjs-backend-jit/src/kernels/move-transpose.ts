/**
 * Transposition. Axes that stay neighbours are merged; where the last axis stays, rows are copied; otherwise the two
 * innermost axes (of input and output) are transposed in blocks of 4x4 in registers, strip by strip for the cache.
 */
import { type Expr, type Func, i32, type Local, v128 } from '../wasm/assembler.ts';
import { type Features, input, output, type Recipe } from './kernel.ts';
import { copyRows, planCopy } from './move-copy.ts';
import { at, cutRows, minU, type Range, rowKernel } from './move-pieces.ts';

/** An axis in the output's order, with what one step along it means in the input and in the output, in elements. */
interface Axis {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/** Axes in the output's order: those of one element are gone, those that lie side by side in both tensors are one. */
function plan(shape: readonly number[], perm: readonly number[]): Axis[] {
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const axes: Axis[] = [];
  let to = 1;
  for (const p of perm.toReversed()) {
    const [size, from] = [shape[p], strides[p]];
    const next = axes[0];
    if (size === 1) continue;
    if (next && from === next.from * next.size) axes[0] = { size: size * next.size, from: next.from, to: next.to };
    else axes.unshift({ size, from, to });
    to *= size;
  }
  return axes;
}

/** Elements of the output's innermost axis that a strip takes: their input lines stay in the first-level cache. */
const STRIP = 32;

/**
 * `Transpose`: x of `shape` → y whose axis i is x's axis perm[i]. Any four-byte lane.
 * One step; inputs: x; outputs: y.
 */
export function transposeCopy(shape: readonly number[], perm: readonly number[], _features: Features): Recipe {
  const axes = plan(shape, perm);
  const size = shape.reduce((a, b) => a * b, 1);
  const about = { name: `transpose ${shape} by ${perm}`, shape: null, buffers: 2, bytes: size * 8 };
  const across = axes.findIndex((a) => a.from === 1);
  const last = axes.at(-1) ?? { size: 1, from: 1, to: 1 };
  if (last.from === 1) {
    const copy = planCopy(size / last.size, last.size);
    const kernel = rowKernel({ ...about, cut: copy.cut }, (f, range) => {
      const [rest, source] = f.locals('i32', 2);
      copyRows(f, copy, range, (row) => {
        f.set(rest, row);
        f.set(source, f.param(2));
        split(f, rest, axes.slice(0, -1), (axis, i) => f.set(source, at(source, i, axis.from * 4)));
        return { source, target: at(f.param(3), row, last.size * 4) };
      });
    });
    return { temps: [], steps: [{ kernel, args: [input(0), output(0)] }] };
  }
  const rows = axes[across];
  const outer = axes.filter((a) => a !== rows && a !== last);
  const strips = Math.ceil(last.size / STRIP);
  const cut = cutRows((size / rows.size / last.size) * strips, rows.size * Math.min(STRIP, last.size));
  const kernel = rowKernel({ ...about, cut }, (f, range) => emitStrips(f, range, strips, outer, rows, last));
  return { temps: [], steps: [{ kernel, args: [input(0), output(0)] }] };
}

/** Takes `rest` apart into one index per axis, the last axis first. */
function split(f: Func, rest: Local, axes: readonly Axis[], visit: (axis: Axis, index: Expr) => void): void {
  for (const axis of axes.toReversed()) {
    visit(axis, i32.rem_u(rest, i32.const(axis.size)));
    f.set(rest, i32.div_u(rest, i32.const(axis.size)));
  }
}

/** Tasks [from, to) of outer × strips: a strip is all of `rows` by up to 32 elements of `last`. */
function emitStrips(
  f: Func,
  { from, to }: Range,
  strips: number,
  outer: readonly Axis[],
  rows: Axis,
  last: Axis,
): void {
  const [task, rest, source, target, start, end] = f.locals('i32', 6);
  const [r, c, s, t] = f.locals('i32', 4);
  f.for(task, from, to, 1, () => {
    f.set(rest, i32.div_u(task, i32.const(strips)));
    f.set(start, i32.mul(i32.rem_u(task, i32.const(strips)), i32.const(STRIP)));
    f.set(end, minU(i32.add(start, i32.const(STRIP)), i32.const(last.size)));
    f.set(source, f.param(2));
    f.set(target, f.param(3));
    split(f, rest, outer, (axis, i) => {
      f.set(source, at(source, i, axis.from * 4));
      f.set(target, at(target, i, axis.to * 4));
    });
    const visit = (rowFrom: number, rowTo: number, rowStep: number, body: (columnStep: number) => void) => {
      f.for(r, rowFrom, rowTo, rowStep, () => {
        f.set(s, at(i32.add(source, i32.shl(r, i32.const(2))), start, last.from * 4));
        f.set(t, i32.add(at(target, r, rows.to * 4), i32.shl(start, i32.const(2))));
        f.set(c, start);
        for (const step of rowStep === 4 ? [4, 1] : [1]) {
          f.block((done) => {
            f.loop((top) => {
              f.brIf(done, i32.lt_u(i32.sub(end, c), i32.const(step)));
              body(step);
              f.inc(s, last.from * step * 4);
              f.inc(t, step * 4);
              f.inc(c, step);
              f.br(top);
            });
          });
        }
      });
    };
    const whole = rows.size & ~3;
    if (whole > 0) {
      visit(0, whole, 4, (step) =>
        step === 4 ? transposeBlock(f, s, t, last.from, rows.to) : spread(f, s, t, rows.to),
      );
    }
    if (whole < rows.size) visit(whole, rows.size, 1, () => f.push(i32.store(t, i32.load(s))));
  });
}

/** Four input rows `from` elements apart become four output rows `to` elements apart. */
function transposeBlock(f: Func, source: Local, target: Local, from: number, to: number): void {
  const [a, b, c, d] = f.locals('v128', 4);
  const [p, q] = f.locals('i32', 2);
  // Strides are added to the address, since offset= cannot wrap and strides may be large.
  f.set(p, source);
  for (const v of [a, b, c, d]) {
    f.set(v, v128.load(p));
    if (v !== d) f.inc(p, from * 4);
  }
  const [lowAB, highAB, lowCD, highCD] = f.locals('v128', 4);
  f.set(lowAB, v128.shuffle32(a, b, [0, 4, 1, 5]));
  f.set(highAB, v128.shuffle32(a, b, [2, 6, 3, 7]));
  f.set(lowCD, v128.shuffle32(c, d, [0, 4, 1, 5]));
  f.set(highCD, v128.shuffle32(c, d, [2, 6, 3, 7]));
  f.set(q, target);
  f.push(v128.store(q, v128.shuffle32(lowAB, lowCD, [0, 1, 4, 5])));
  f.inc(q, to * 4);
  f.push(v128.store(q, v128.shuffle32(lowAB, lowCD, [2, 3, 6, 7])));
  f.inc(q, to * 4);
  f.push(v128.store(q, v128.shuffle32(highAB, highCD, [0, 1, 4, 5])));
  f.inc(q, to * 4);
  f.push(v128.store(q, v128.shuffle32(highAB, highCD, [2, 3, 6, 7])));
}

/** Four neighbours of one input row become a column of four output rows. */
function spread(f: Func, source: Local, target: Local, to: number): void {
  const q = f.local('i32');
  f.set(q, target);
  for (let i = 0; i < 4; i++) {
    f.push(i32.store(q, i32.load(source, i * 4)));
    if (i < 3) f.inc(q, to * 4);
  }
}
