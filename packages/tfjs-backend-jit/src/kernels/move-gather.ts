/** Moving rows by index: gather, its gradient (a segment sum), and one-hot rows. */
import { f32x4, i32, v128 } from '../wasm/assembler.ts';
import { type Features, input, output, type Recipe } from './kernel.ts';
import { copyRows, planCopy } from './move-copy.ts';
import { at, cutRows, fillRow, loadBlock, maxS, minS, rowKernel, storeBlock, walk } from './move-pieces.ts';

/** `GatherV2` seen as x [batch, outer, axis, inner] and indices [batch, indices] → y [batch, outer, indices, inner]. */
export interface GatherShape {
  readonly batch: number;
  readonly outer: number;
  readonly axis: number;
  readonly inner: number;
  readonly indices: number;
}

/**
 * `GatherV2`: y[b, o, i, :] = x[b, o, indices[b, i], :]. Indices outside [0, axis) read the nearest valid row (tfjs's cpu
 * backend throws, which only the host can do). Any four-byte lane. One step; inputs: x, indices (i32); outputs: y.
 */
export function gather(shape: GatherShape, _features: Features): Recipe {
  const { batch, outer, axis, inner, indices } = shape;
  const rows = batch * outer * indices;
  const plan = planCopy(rows, inner);
  const kernel = rowKernel(
    { name: `gather ${Object.values(shape)}`, shape, buffers: 3, cut: plan.cut, bytes: rows * inner * 8 },
    (f, range) => {
      const [block, index] = f.locals('i32', 2);
      copyRows(f, plan, range, (row) => {
        f.set(block, i32.div_u(row, i32.const(indices)));
        const list = at(f.param(3), i32.div_u(block, i32.const(outer)), indices * 4);
        f.set(index, i32.load(at(list, i32.rem_u(row, i32.const(indices)), 4)));
        f.set(index, minS(index, i32.const(axis - 1)));
        f.set(index, maxS(index, i32.const(0)));
        f.set(index, i32.add(i32.mul(block, i32.const(axis)), index));
        return { source: at(f.param(2), index, inner * 4), target: at(f.param(4), row, inner * 4) };
      });
    },
  );
  return { temps: [], steps: [{ kernel, args: [input(0), input(1), output(0)] }] };
}

/**
 * `UnsortedSegmentSum`: x [n, inner] f32 and ids [n] i32 → y [segments, inner], y[s] = Σ x[i] where ids[i] = s, summed in
 * the order of i. Rows whose id is outside [0, segments) count for nothing. One step; inputs: x, ids; outputs: y.
 */
export function unsortedSegmentSum(n: number, inner: number, segments: number, _features: Features): Recipe {
  // Every piece reads all ids and adds the rows of its own segments: no two pieces meet, and the order is that of i.
  const cut = cutRows(segments, inner * Math.max(1, n / Math.max(1, segments)));
  const bytes = (n * (inner + cut.pieces) + segments * inner) * 4;
  const kernel = rowKernel(
    { name: `segment-sum ${n}x${inner}->${segments}`, shape: null, buffers: 3, cut, bytes, flops: n * inner },
    (f, { from, to }) => {
      const [x, ids, y] = [f.param(2), f.param(3), f.param(4)];
      const [row, segment, source, target] = f.locals('i32', 4);
      f.set(target, at(y, from, inner * 4));
      f.for(row, from, to, 1, () => fillRow(f, inner, target, v128.const_i32x4(0)));
      f.for(row, 0, n, 1, () => {
        f.set(segment, i32.sub(i32.load(at(ids, row, 4)), from));
        f.if(i32.lt_u(segment, i32.sub(to, from)), () => {
          f.set(source, at(x, row, inner * 4));
          f.set(target, at(at(y, from, inner * 4), segment, inner * 4));
          walk(f, inner, [source, target], (b) => {
            for (const o of b.offsets.toReversed()) {
              f.push(storeBlock(b, target, f32x4.add(loadBlock(b, target, o), loadBlock(b, source, o)), o));
            }
          });
        });
      });
    },
  );
  return { temps: [], steps: [{ kernel, args: [input(0), input(1), output(0)] }] };
}
