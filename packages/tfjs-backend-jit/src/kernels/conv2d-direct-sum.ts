/**
 * Adds the partial sums of a filter gradient, in a fixed order, so that the bits do not depend on who computed them.
 */
import { f32, f32x4, i32, v128 } from '../wasm/assembler.ts';
import { share } from './gemm.ts';
import type { Kernel } from './kernel.ts';

/** `splits` matrices [rows][padded], one after the other, of which the first `columns` columns count. */
export interface PartialSums {
  readonly splits: number;
  readonly rows: number;
  readonly columns: number;
  readonly padded: number;
}

/** Sums of this many floats make a piece of the combining step, at least. */
const COMBINE_FLOATS = 4096;

/** A kernel (partial sums, dw) that adds the partial sums, in order, and drops the columns of padding. */
export function sumKernel(what: string, partial: PartialSums): Kernel {
  const { splits, rows, columns: n, padded } = partial;
  const stride = rows * padded * 4;
  const pieces = Math.min(rows, 32, Math.ceil((rows * padded) / COMBINE_FLOATS));
  return {
    name: `conv2d dw sum ${splits}x${what}`,
    key: `partial sums ${splits} ${rows} ${n} ${padded}`,
    buffers: 2,
    pieces,
    scratch: 0,
    flops: splits * rows * n,
    bytes: 4 * rows * (splits * padded + n),
    emit(m) {
      m.func('k', ['i32', 'i32', 'i32', 'i32'], [], (f) => {
        const [piece, , partial, out] = f.params;
        const [row, from, at, to, split, j] = f.locals('i32', 6);
        const [low, high] = f.locals('v128', 2);
        const sum = f.local('f32');
        const end = share(i32.add(piece, i32.const(1)), rows, pieces);
        f.for(row, share(piece, rows, pieces), end, 1, () => {
          f.set(from, i32.add(partial, i32.mul(row, i32.const(padded * 4))));
          f.set(to, i32.add(out, i32.mul(row, i32.const(n * 4))));
          f.for(j, 0, n - (n % 8), 8, () => {
            f.set(low, v128.load(from));
            f.set(high, v128.load(from, 16));
            f.set(at, from);
            f.for(split, 1, splits, 1, () => {
              f.inc(at, stride);
              f.set(low, f32x4.add(low, v128.load(at)));
              f.set(high, f32x4.add(high, v128.load(at, 16)));
            });
            f.push(v128.store(to, high, 16));
            f.push(v128.store(to, low));
            f.inc(from, 32);
            f.inc(to, 32);
          });
          f.for(j, n - (n % 8), n, 1, () => {
            f.set(sum, f32.load(from));
            f.set(at, from);
            f.for(split, 1, splits, 1, () => {
              f.inc(at, stride);
              f.set(sum, f32.add(sum, f32.load(at)));
            });
            f.push(f32.store(to, sum));
            f.inc(from, 4);
            f.inc(to, 4);
          });
        });
      });
    },
  };
}
