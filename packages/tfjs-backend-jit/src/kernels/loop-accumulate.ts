/**
 * How each reduction folds: identities, vector and scalar steps, and the two sinks that tiles feed.
 * `LaneSink` folds along the columns of a tile into totals; `RowSink` folds its rows into one row in memory.
 */
import { type Expr, type Func, f32, f32x4, f64, i32, i32x4, type Local, select, v128 } from '../wasm/assembler.ts';
import type { LoopReduce, ReduceFn } from './loop-spec.ts';
import { type Group, partsAscending, type Sink, type SinkContext, storeOrder } from './loop-tile-code.ts';

/** Sums and products of floats are completed in f64, so that 10⁷ elements still add up to 1e-6. */
export type TotalType = 'f64' | 'f32' | 'i32';

export interface Fold {
  readonly total: TotalType;
  readonly identity: number;
  /** One step on four lanes; products have none, since lanes would overflow where the whole does not. */
  readonly vector?: (a: Expr, b: Expr) => Expr;
  /** One step on a total. */
  readonly scalar: (f: Func, total: Local, x: Expr) => Expr;
}

const keepI =
  (better: (a: Expr, b: Expr) => Expr) =>
  (f: Func, total: Local, x: Expr): Expr => {
    const value = f.local('i32');
    f.set(value, x);
    return select(value, total, better(value, total));
  };

export const FOLDS: Record<ReduceFn, Fold> = {
  sum: { total: 'f64', identity: 0, vector: f32x4.add, scalar: (_, t, x) => f64.add(t, x) },
  prod: { total: 'f64', identity: 1, scalar: (_, t, x) => f64.mul(t, x) },
  // max and min of Wasm give NaN if either side is NaN, as cpu does.
  max: { total: 'f32', identity: Number.NEGATIVE_INFINITY, vector: f32x4.max, scalar: (_, t, x) => f32.max(t, x) },
  min: { total: 'f32', identity: Number.POSITIVE_INFINITY, vector: f32x4.min, scalar: (_, t, x) => f32.min(t, x) },
  sumI: { total: 'i32', identity: 0, vector: i32x4.add, scalar: (_, t, x) => i32.add(t, x) },
  maxI: { total: 'i32', identity: -(2 ** 31), vector: i32x4.max_s, scalar: keepI(i32.gt_s) },
  minI: { total: 'i32', identity: 2 ** 31 - 1, vector: i32x4.min_s, scalar: keepI(i32.lt_s) },
  any: { total: 'i32', identity: 0, vector: v128.or, scalar: (_, t, x) => i32.or(t, x) },
  all: { total: 'i32', identity: 1, vector: v128.and, scalar: (_, t, x) => i32.and(t, x) },
};

const TYPES = { f64, f32, i32 } as const;

export const constant = (type: TotalType, value: number): Expr => TYPES[type].const(value);
export const loadTotal = (type: TotalType, address: Expr, offset = 0): Expr => TYPES[type].load(address, offset);
export const storeTotal = (type: TotalType, address: Expr, value: Expr, offset = 0): Expr =>
  TYPES[type].store(address, value, offset);

/** Stores a total as an element of a result. */
export const storeResult = (type: TotalType, address: Expr, total: Expr, offset = 0): Expr =>
  type === 'f64' ? f32.store(address, f32.demote_f64(total), offset) : storeTotal(type, address, total, offset);

/** Loads an element (a partial row's, a lane's) as a value that a total can take. */
export const loadElement = (type: TotalType, address: Expr, offset = 0): Expr =>
  type === 'f64' ? f64.promote_f32(f32.load(address, offset)) : loadTotal(type, address, offset);

const elementOf = (type: TotalType, vector: Expr): Expr => {
  if (type === 'i32') return i32x4.extract_lane(vector, 0);
  const lane = f32x4.extract_lane(vector, 0);
  return type === 'f64' ? f64.promote_f32(lane) : lane;
};

export const vectorIdentity = ({ total, identity }: Fold): Expr =>
  total === 'i32' ? v128.const_i32x4(identity) : v128.const_f32x4(identity);

const TOTAL_BYTES = 8;

/** Bytes of scratch that a `LaneSink` needs: totals first, then lanes. */
export const laneSinkScratch = (reductions: number, parts: number): number => reductions * (TOTAL_BYTES + parts * 16);

/** Sets the totals of `reductions` at scratch + `at` to their identities. */
export function resetTotals(f: Func, reductions: readonly LoopReduce[], scratch: Expr, at: number): void {
  reductions.forEach(({ fn }, j) => {
    const { total, identity } = FOLDS[fn];
    f.push(storeTotal(total, scratch, constant(total, identity), at + j * TOTAL_BYTES));
  });
}

/** The total of reduction j, as `resetTotals` and the sinks keep it. */
export const totalOf = ({ fn }: LoopReduce, j: number, scratch: Expr, at: number): Expr =>
  loadTotal(FOLDS[fn].total, scratch, at + j * TOTAL_BYTES);

/**
 * Folds everything that a tile visits into one total per reduction, kept at scratch + `at`.
 * Accumulators are vectors in registers; they pass through memory to the totals, since only stores make the revectoriser pair.
 */
export class LaneSink implements Sink {
  readonly pointers = 0;
  private readonly reductions: readonly LoopReduce[];
  private readonly at: number;
  private readonly accumulators = new Map<string, Local>();
  private readonly singles = new Map<number, Local>();
  private readonly parts: number;

  constructor(reductions: readonly LoopReduce[], at: number, parts: number) {
    this.reductions = reductions;
    this.at = at;
    this.parts = parts;
  }

  begin({ f, scratch }: SinkContext): void {
    this.reductions.forEach((reduction, j) => {
      const fold = FOLDS[reduction.fn];
      if (fold.vector) {
        for (let part = 0; part < this.parts; part++) {
          const local = f.local('v128');
          f.set(local, vectorIdentity(fold));
          this.accumulators.set(`${j} ${part}`, local);
        }
      }
      const single = f.local(fold.total);
      f.set(single, totalOf(reduction, j, scratch, this.at));
      this.singles.set(j, single);
    });
  }

  take({ f }: SinkContext, { rows, parts, value }: Group): void {
    this.reductions.forEach(({ fn }, j) => {
      const fold = FOLDS[fn];
      for (let row = 0; row < rows; row++) {
        if (parts === 0) {
          const single = this.single(j);
          f.set(single, fold.scalar(f, single, elementOf(fold.total, value(j, row, 0))));
          continue;
        }
        for (let part = 0; part < parts; part++) {
          const local = this.accumulators.get(`${j} ${part}`);
          if (!local || !fold.vector) throw new Error(`internal: no vector accumulator for ${fn}`);
          f.set(local, fold.vector(local, value(j, row, part)));
        }
      }
    });
  }

  end({ f, scratch }: SinkContext): void {
    this.reductions.forEach(({ fn }, j) => {
      const fold = FOLDS[fn];
      const single = this.single(j);
      if (fold.vector) {
        const lanes = this.at + this.reductions.length * TOTAL_BYTES + j * this.parts * 16;
        for (const part of storeOrder(this.parts)) {
          const local = this.accumulators.get(`${j} ${part}`);
          if (local) f.push(v128.store(scratch, local, lanes + part * 16));
        }
        for (let lane = 0; lane < this.parts * 4; lane++) {
          f.set(single, fold.scalar(f, single, loadElement(fold.total, scratch, lanes + lane * 4)));
        }
      }
      f.push(storeTotal(fold.total, scratch, single, this.at + j * TOTAL_BYTES));
    });
  }

  private single(j: number): Local {
    const local = this.singles.get(j);
    if (!local) throw new Error(`internal: no accumulator ${j}`);
    return local;
  }
}

/** Folds the rows of a tile into a row of memory per reduction (its pointers), elements of four bytes. */
export class RowSink implements Sink {
  readonly pointers: number;
  private readonly reductions: readonly LoopReduce[];

  constructor(reductions: readonly LoopReduce[]) {
    this.reductions = reductions;
    this.pointers = reductions.length;
  }

  begin(): void {}

  take({ f, locals, pointers }: SinkContext, { rows, parts, value }: Group): void {
    this.reductions.forEach(({ fn }, j) => {
      const { vector } = FOLDS[fn];
      const pointer = pointers[j];
      if (!vector || !pointer) throw new Error(`internal: ${fn} cannot fold rows`);
      /** Rows first … last − 1 as a balanced tree: fewer roundings, shorter chains. */
      const tree = (first: number, last: number, part: number): Expr => {
        if (last - first === 1) return value(j, first, part);
        const middle = (first + last) >> 1;
        return vector(tree(first, middle, part), tree(middle, last, part));
      };
      if (parts === 0) {
        f.push(v128.store32_lane(pointer, vector(v128.load32_zero(pointer), tree(0, rows, 0)), 0));
        return;
      }
      const sums = partsAscending(parts).map((part) =>
        locals.let(vector(v128.load(pointer, part * 16), tree(0, rows, part))),
      );
      for (const part of storeOrder(parts)) f.push(v128.store(pointer, sums[part] ?? locals.clear, part * 16));
    });
  }

  end(): void {}
}

/** Sets `count` elements (an expression cheap to repeat) from `address` on to the identity of `fn`. */
export function fillIdentity(f: Func, fn: ReduceFn, address: Expr, count: Expr): void {
  const fold = FOLDS[fn];
  const at = f.local('i32');
  const end = f.local('i32');
  f.set(at, address);
  f.set(end, i32.add(at, i32.shl(i32.and(count, i32.const(-4)), i32.const(2))));
  f.block((done) => {
    f.brIf(done, i32.eq(at, end));
    f.loop((top) => {
      f.push(v128.store(at, vectorIdentity(fold)));
      f.inc(at, 16);
      f.brIf(top, i32.ne(at, end));
    });
  });
  f.set(end, i32.add(at, i32.shl(i32.and(count, i32.const(3)), i32.const(2))));
  f.block((done) => {
    f.brIf(done, i32.eq(at, end));
    f.loop((top) => {
      f.push(v128.store32_lane(at, vectorIdentity(fold), 0));
      f.inc(at, 4);
      f.brIf(top, i32.ne(at, end));
    });
  });
}
