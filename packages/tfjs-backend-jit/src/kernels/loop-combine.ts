/**
 * The second step of a cut reduction: folds the partial results of each output, in a fixed order.
 */
import { type Expr, i32 } from '../wasm/assembler.ts';
import type { Kernel } from './kernel.ts';
import { constant, FOLDS, loadElement, loadTotal, storeResult } from './loop-accumulate.ts';
import type { LoopReduce } from './loop-spec.ts';
import { forTasks } from './loop-tasks.ts';

export interface Partials {
  /** Outputs are [outer, inner], partials [outer, count, inner]. */
  readonly outer: number;
  readonly count: number;
  readonly inner: number;
  /** `total`: eight bytes each, in the total's own type; `element`: four bytes, as results are held. */
  readonly held: 'total' | 'element';
}

/** Loads per piece that make it worth handing out. */
const GRAIN = 16384;

/** Pointers: one block of partials per reduction, then one output per reduction. */
export function combineKernel(reductions: readonly LoopReduce[], partials: Partials): Kernel {
  const { outer, count, inner, held } = partials;
  const bytes = held === 'total' ? 8 : 4;
  const outputs = outer * inner;
  const perPiece = Math.max(1, Math.min(outputs, Math.ceil(GRAIN / count)));
  const functions = reductions.map((r) => r.fn);
  return {
    name: `combine ${functions.join(',')} ${outer}x${count}x${inner}`,
    key: `loop combine ${JSON.stringify([functions, partials])}`,
    buffers: reductions.length * 2,
    pieces: Math.ceil(outputs / perPiece),
    scratch: 0,
    flops: outputs * count * reductions.length,
    bytes: outputs * (count * bytes + 4) * reductions.length,
    emit(module) {
      module.func('k', new Array<'i32'>(2 + reductions.length * 2).fill('i32'), [], (f) => {
        const at = f.local('i32');
        const left = f.local('i32');
        reductions.forEach(({ fn }, j) => {
          const fold = FOLDS[fn];
          const total = f.local(fold.total);
          const source = f.param(2 + j);
          const target = f.param(2 + reductions.length + j);
          const load = (address: Expr) =>
            held === 'total' ? loadTotal(fold.total, address) : loadElement(fold.total, address);
          forTasks(f, f.param(0), perPiece, outputs, (output) => {
            const o = i32.div_u(output, i32.const(inner));
            const c = i32.rem_u(output, i32.const(inner));
            const first = i32.add(i32.mul(o, i32.const(count * inner)), c);
            f.set(at, i32.add(source, i32.mul(first, i32.const(bytes))));
            f.set(total, constant(fold.total, fold.identity));
            f.set(left, i32.const(count));
            f.loop((top) => {
              f.set(total, fold.scalar(f, total, load(at)));
              f.inc(at, inner * bytes);
              f.inc(left, -1);
              f.brIf(top, left);
            });
            f.push(storeResult(fold.total, i32.add(target, i32.shl(output, i32.const(2))), total));
          });
        });
      });
    },
  };
}
