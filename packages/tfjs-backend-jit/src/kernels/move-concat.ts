/** Joining tensors along an axis, and repeating them: copies of whole rows, each input cut into pieces of its own. */
import { i32 } from '../wasm/assembler.ts';
import { type Features, input, type Kernel, output, type Recipe } from './kernel.ts';
import { copyRows, planCopy } from './move-copy.ts';
import { at, pieceRows } from './move-pieces.ts';

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
