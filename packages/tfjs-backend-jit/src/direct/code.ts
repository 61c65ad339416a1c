/**
 * Wasm functions for tensors of any size: each is compiled when it is first needed, once, and called with sizes and
 * addresses. They are made of the same instructions as the fused loops, so they give the same bits.
 */
import { multiplyAdd } from '../kernels/gemm-tile.ts';
import type { Features } from '../kernels/kernel.ts';
import { constant, FOLDS, loadElement, storeResult } from '../kernels/loop-accumulate.ts';
import { VectorLocals } from '../kernels/loop-body.ts';
import type { ReduceFn, ScalarFn } from '../kernels/loop-spec.ts';
import { apply, inForm } from '../kernels/scalar-functions.ts';
import { f32x4, i32, ModuleBuilder, v128 } from '../wasm/assembler.ts';

/** Takes addresses and sizes in bytes or elements, as each function says. */
export type Call = (...args: number[]) => void;

export class Code {
  private readonly memory: WebAssembly.Memory;
  private readonly features: Features;
  private readonly known = new Map<string, Call>();

  constructor(memory: WebAssembly.Memory, features: Features) {
    this.memory = memory;
    this.features = features;
  }

  /**
   * `f(bytes, out, ...args)`: a scalar function, element by element, in whole vectors: up to 12 bytes beyond `bytes` are
   * read and written. Where `splats` says so an argument is one element for all.
   */
  map(fn: ScalarFn, splats: readonly boolean[]): Call {
    return this.get(`${fn} ${splats.map(Number)}`, (m) => {
      const params = Array.from({ length: 2 + splats.length }, () => 'i32' as const);
      m.func('f', params, [], (f) => {
        const [bytes, out, ...args] = f.params;
        const at = f.local('i32');
        const locals = new VectorLocals(f, this.features.relaxed);
        const fixed = splats.map((splat, i) => {
          if (!splat) return undefined;
          const local = f.local('v128');
          f.set(local, v128.load32_splat(args[i]));
          return local;
        });
        f.for(at, 0, bytes, 16, () => {
          const vectors = args.map((arg, i) => ({
            expr: fixed[i] ?? v128.load(i32.add(arg, at)),
            form: 'value' as const,
          }));
          f.push(v128.store(i32.add(out, at), inForm(apply(locals, fn, vectors), 'value')));
          locals.release();
        });
      });
    });
  }

  /** `f(outer, inner, x, out)`: folds each of `outer` rows of `inner` elements, in their order. */
  fold(fn: ReduceFn): Call {
    return this.get(`fold ${fn}`, (m) => {
      m.func('f', ['i32', 'i32', 'i32', 'i32'], [], (f) => {
        const [outer, inner, x, out] = f.params;
        const [row, i] = f.locals('i32', 2);
        const { total, identity, scalar } = FOLDS[fn];
        const sum = f.local(total);
        f.for(row, 0, outer, 1, () => {
          f.set(sum, constant(total, identity));
          f.for(i, 0, inner, 1, () => {
            f.set(sum, scalar(f, sum, loadElement(total, x)));
            f.inc(x, 4);
          });
          f.push(storeResult(total, out, sum));
          f.inc(out, 4);
        });
      });
    });
  }

  /**
   * `f(m, n, k, a, b, out, aRow, aStep, bColumn, bStep, first)`: out[m, n] = a · b, or += where `first` is 0. The last but
   * one are the bytes from row to row and from k to k in a, from column to column and from k to k in b.
   */
  product(): Call {
    return this.get('product', (module) => {
      module.func('f', Array<'i32'>(11).fill('i32'), [], (f) => {
        const [m, n, k, a, b, out, aRow, aStep, bColumn, bStep, first] = f.params;
        const [row, column, i, p, q, right] = f.locals('i32', 6);
        const sum = f.local('v128');
        f.for(row, 0, m, 1, () => {
          f.set(right, b);
          f.for(column, 0, n, 1, () => {
            f.set(p, a);
            f.set(q, right);
            f.set(sum, v128.const_f32x4(0));
            f.for(i, 0, k, 1, () => {
              f.set(sum, multiplyAdd(this.features.relaxed, v128.load32_zero(p), v128.load32_zero(q), sum));
              f.inc(p, aStep);
              f.inc(q, bStep);
            });
            f.if(i32.eqz(first), () => f.set(sum, f32x4.add(sum, v128.load32_zero(out))));
            f.push(v128.store32_lane(out, sum, 0));
            f.inc(out, 4);
            f.inc(right, bColumn);
          });
          f.inc(a, aRow);
        });
      });
    });
  }

  private get(key: string, emit: (m: ModuleBuilder) => void): Call {
    const found = this.known.get(key);
    if (found !== undefined) return found;
    const builder = new ModuleBuilder();
    emit(builder);
    const module = new WebAssembly.Module(builder.encode(this.features.shared));
    const { f } = new WebAssembly.Instance(module, { env: { memory: this.memory } }).exports;
    this.known.set(key, f as Call);
    return f as Call;
  }
}
