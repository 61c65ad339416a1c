/** Running sums and products along an axis, in order; in vectors along what lies behind the axis. */
import { type Expr, f32x4, i32, i32x4, v128 } from '../wasm/assembler.ts';
import { type Features, input, output, type Recipe } from './kernel.ts';
import type { Lane } from './loop-spec.ts';
import { at, cutRows, loadBlock, rowKernel, storeBlock } from './move-pieces.ts';

/** Columns behind the axis that one task carries along. */
const GROUP = 16;

/**
 * `Cumsum` and `Cumprod`: x [outer, axis, inner] → y of the same shape, y[i] = x[0] ∘ … ∘ x[i] along the axis; `exclusive`
 * leaves x[i] out (and starts with 0 or 1), `reverse` runs from the end. One step; inputs: x; outputs: y.
 */
export function cumulative(
  kind: 'sum' | 'prod',
  [outer, axis, inner]: readonly [number, number, number],
  exclusive: boolean,
  reverse: boolean,
  lane: Lane,
  _features: Features,
): Recipe {
  const groups = Math.ceil(inner / GROUP);
  const about = {
    name: `cum${kind} ${outer}x${axis}x${inner} ${lane}`,
    shape: [exclusive, reverse],
    buffers: 2,
    cut: cutRows(outer * groups, axis * Math.min(inner, GROUP)),
    bytes: outer * axis * inner * 8,
    flops: outer * axis * inner,
  };
  const ops = lane === 'f32' ? f32x4 : i32x4;
  const fold: (a: Expr, b: Expr) => Expr = kind === 'sum' ? ops.add : ops.mul;
  const neutral = kind === 'sum' ? 0 : 1;
  const start = lane === 'f32' ? v128.const_f32x4(neutral) : v128.const_i32x4(neutral);
  const step = reverse ? -inner * 4 : inner * 4;
  const kernel = rowKernel(about, (f, { from, to }) => {
    const [task, x, y, p, q, i] = f.locals('i32', 6);
    const sums = f.locals('v128', 4);
    const value = f.local('v128');
    const columns = (lanes: 4 | 1, offsets: readonly number[]) => {
      const block = { lanes, offsets };
      offsets.forEach((_, v) => {
        f.set(sums[v], start);
      });
      f.set(p, x);
      f.set(q, y);
      f.for(i, 0, axis, 1, () => {
        offsets.forEach((o, v) => {
          const sum = sums[v];
          // In place is legal: the element is read before its place is written.
          f.set(value, loadBlock(block, p, o));
          if (exclusive) f.push(storeBlock(block, q, sum, o));
          f.set(sum, fold(sum, value));
          if (!exclusive) f.push(storeBlock(block, q, sum, o));
        });
        f.inc(p, step);
        f.inc(q, step);
      });
    };
    const vectors = (count: number) => Array.from({ length: count }, (_, v) => v * 16);
    const rest = inner % GROUP;
    const tail = () => {
      if (rest >= 4) columns(4, vectors(rest >> 2));
      for (let c = rest & ~3; c < rest; c++) columns(1, [c * 4]);
    };
    f.for(task, from, to, 1, () => {
      const row = i32.div_u(task, i32.const(groups));
      const group = i32.rem_u(task, i32.const(groups));
      const first = reverse ? (axis - 1) * inner * 4 : 0;
      f.set(x, i32.add(at(at(f.param(2), row, axis * inner * 4), group, GROUP * 4), i32.const(first)));
      f.set(y, i32.add(at(at(f.param(3), row, axis * inner * 4), group, GROUP * 4), i32.const(first)));
      if (rest === 0) columns(4, vectors(4));
      else f.if(i32.eq(group, i32.const(groups - 1)), tail, inner > GROUP ? () => columns(4, vectors(4)) : undefined);
    });
  });
  return { temps: [], steps: [{ kernel, args: [input(0), output(0)] }] };
}
