/** Joining tensors along an axis, and repeating them: copies of whole rows, each input cut into pieces of its own. */
import { i32 } from '../wasm/assembler.ts';
import { type Features, input, type Kernel, output, type Recipe } from './kernel.ts';
import { copyRows, planCopy } from './move-copy.ts';
import { at, pieceRows, rowKernel } from './move-pieces.ts';

/**
 * `Concat`: inputs [outer, inner[i]] → y [outer, Σ inner], where inner[i] is input i's size along the axis times
 * everything behind it. Any four-byte lane. One step; inputs: as given; outputs: y.
 */
export function concat(outer: number, inner: readonly number[], _features: Features): Recipe {
  const total = inner.reduce((a, b) => a + b, 0);
  let pieces = 0;
  let offset = 0;
  const parts = inner.map((length) => {
    const plan = planCopy(outer, length);
    const part = { plan, first: pieces, offset };
    pieces += plan.cut.pieces;
    offset += length;
    return part;
  });
  const name = `concat ${outer}x[${inner}]`;
  const kernel: Kernel = {
    name,
    key: name,
    buffers: inner.length + 1,
    pieces,
    scratch: 0,
    flops: 0,
    bytes: outer * total * 8,
    emit: (module) => {
      module.func('k', Array<'i32'>(inner.length + 3).fill('i32'), [], (f) => {
        const y = f.param(inner.length + 2);
        parts.forEach(({ plan, first, offset }, i) => {
          const piece = i32.sub(f.param(0), i32.const(first));
          f.if(i32.lt_u(piece, i32.const(plan.cut.pieces)), () => {
            copyRows(f, plan, pieceRows(f, plan.cut, piece), (row) => ({
              source: at(f.param(2 + i), row, plan.length * 4),
              target: i32.add(at(y, row, total * 4), i32.const(offset * 4)),
            }));
          });
        });
      });
    },
  };
  return { temps: [], steps: [{ kernel, args: [...inner.map((_, i) => input(i)), output(0)] }] };
}

/**
 * `Tile`: x of `shape` → y, `reps[i]` times as long along axis i. Any four-byte lane.
 * One step; inputs: x; outputs: y.
 */
export function tile(shape: readonly number[], reps: readonly number[], _features: Features): Recipe {
  // Axes behind the last repeated one move as they are; that one is a loop of copies, all before it are coordinates.
  const last = reps.findLastIndex((r) => r !== 1);
  const length = shape.slice(Math.max(0, last)).reduce((a, b) => a * b, 1);
  const outer = shape.slice(0, Math.max(0, last)).map((size, i) => ({ size, reps: reps[i] ?? 1 }));
  const repeats = last < 0 ? 1 : (reps[last] ?? 1);
  const rows = outer.reduce((a, o) => a * o.size * o.reps, repeats);
  const plan = planCopy(rows, length);
  const kernel = rowKernel(
    { name: `tile ${shape} x ${reps}`, shape: null, buffers: 2, cut: plan.cut, bytes: rows * length * 8 },
    (f, range) => {
      const [rest, source] = f.locals('i32', 2);
      copyRows(f, plan, range, (row) => {
        f.set(rest, i32.div_u(row, i32.const(repeats)));
        f.set(source, f.param(2));
        let stride = length * 4;
        for (const { size, reps } of outer.toReversed()) {
          const coordinate = i32.rem_u(i32.rem_u(rest, i32.const(size * reps)), i32.const(size));
          f.set(source, at(source, coordinate, stride));
          f.set(rest, i32.div_u(rest, i32.const(size * reps)));
          stride *= size;
        }
        return { source, target: at(f.param(3), row, length * 4) };
      });
    },
  );
  return { temps: [], steps: [{ kernel, args: [input(0), output(0)] }] };
}
