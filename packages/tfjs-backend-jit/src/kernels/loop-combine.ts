/**
 * The second step of a cut reduction: folds the partial results of each output, in a fixed order.
 */
import { type Expr, type Func, i32, type Local, v128 } from '../wasm/assembler.ts';
import type { Kernel } from './kernel.ts';
import { constant, FOLDS, type Fold, loadElement, loadTotal, storeResult, vectorIdentity } from './loop-accumulate.ts';
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
  // Four outputs at a time where their partials are neighbours.
  const width = held === 'element' && inner % 4 === 0 ? 4 : 1;
  const groups = (outer * inner) / width;
  const perPiece = Math.max(1, Math.min(groups, Math.ceil(GRAIN / count)));
  const functions = reductions.map((r) => r.fn);
  return {
    name: `combine ${functions.join(',')} ${outer}x${count}x${inner}`,
    key: `loop combine ${JSON.stringify([functions, partials])}`,
    buffers: reductions.length * 2,
    pieces: Math.ceil(groups / perPiece),
    scratch: 0,
    flops: groups * width * count * reductions.length,
    bytes: groups * width * (count * bytes + 4) * reductions.length,
    emit(module) {
      module.func('k', new Array<'i32'>(2 + reductions.length * 2).fill('i32'), [], (f) => {
        const at = f.local('i32');
        const left = f.local('i32');
        const first = f.local('i32');
        reductions.forEach(({ fn }, j) => {
          const folder = width === 4 ? quadFolder(f, FOLDS[fn]) : singleFolder(f, FOLDS[fn], held);
          forTasks(f, f.param(0), perPiece, groups, (group) => {
            f.set(first, i32.mul(group, i32.const(width)));
            const o = i32.div_u(first, i32.const(inner));
            const c = i32.rem_u(first, i32.const(inner));
            const partial = i32.add(i32.mul(o, i32.const(count * inner)), c);
            f.set(at, i32.add(f.param(2 + j), i32.mul(partial, i32.const(bytes))));
            folder.begin();
            f.set(left, i32.const(count));
            f.loop((top) => {
              folder.step(at);
              f.inc(at, inner * bytes);
              f.inc(left, -1);
              f.brIf(top, left);
            });
            folder.end(i32.add(f.param(2 + reductions.length + j), i32.shl(first, i32.const(2))));
          });
        });
      });
    },
  };
}

interface Folder {
  begin(): void;
  step(partial: Local): void;
  end(target: Expr): void;
}

function singleFolder(f: Func, fold: Fold, held: Partials['held']): Folder {
  const total = f.local(fold.total);
  const load = held === 'total' ? loadTotal : loadElement;
  return {
    begin: () => f.set(total, constant(fold.total, fold.identity)),
    step: (at) => f.set(total, fold.scalar(f, total, load(fold.total, at))),
    end: (target) => f.push(storeResult(fold.total, target, total)),
  };
}

/** An instruction of f64x2 that the assembler has no name for. */
const simd = (opcode: number, ...args: readonly Expr[]): Expr => ({
  emit: (out) => {
    for (const arg of args) arg.emit(out);
    out.byte(0xfd);
    out.u(opcode);
  },
});
const promoteLow = (x: Expr): Expr => simd(0x5f, x);
const demoteZero = (x: Expr): Expr => simd(0x5e, x);
const addF64x2 = (a: Expr, b: Expr): Expr => simd(0xf0, a, b);

function quadFolder(f: Func, fold: Fold): Folder {
  if (!fold.vector) throw new Error('internal: products are not folded four at a time');
  const { vector } = fold;
  if (fold.total !== 'f64') {
    const total = f.local('v128');
    return {
      begin: () => f.set(total, vectorIdentity(fold)),
      step: (at) => f.set(total, vector(total, v128.load(at))),
      end: (target) => f.push(v128.store(target, total)),
    };
  }
  // A sum: two pairs of doubles.
  const low = f.local('v128');
  const high = f.local('v128');
  const add = (total: Local, partial: Local, offset: number) =>
    f.set(total, addF64x2(total, promoteLow(v128.load64_zero(partial, offset))));
  return {
    begin: () => {
      f.set(low, v128.const_i32x4(0));
      f.set(high, v128.const_i32x4(0));
    },
    step: (at) => {
      add(low, at, 0);
      add(high, at, 8);
    },
    end: (target) => f.push(v128.store(target, v128.shuffle32(demoteZero(low), demoteZero(high), [0, 1, 4, 5]))),
  };
}
