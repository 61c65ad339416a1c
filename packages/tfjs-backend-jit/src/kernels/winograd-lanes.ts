/**
 * Arithmetic on neighbouring channels: 8 at a time in two v128 that the revectoriser joins, or 4 in one.
 * The 1-D and 2-D transforms of Winograd's convolution are written in it.
 */
import { type Expr, type Func, f32x4, Local, v128 } from '../wasm/assembler.ts';
import { multiplyAdd } from './gemm-tile.ts';
import type { Features } from './kernel.ts';
import type { Scope } from './scalar-math.ts';
import type { Factored, Row, Term } from './winograd-matrix.ts';

/** One value per channel of the group; null is zero, known while emitting, and costs nothing. */
export type Lanes = readonly Local[] | null;

/** Emits into one function. Every result gets locals of its own. */
export class LaneEmitter {
  /** Bytes of a group of channels. */
  readonly bytes: number;
  private readonly f: Func;
  private readonly relaxed: boolean;
  private readonly constants = new Map<number, Local>();
  private readonly results: Local[] = [];

  constructor(f: Func, features: Features) {
    this.f = f;
    this.relaxed = features.relaxed;
    this.bytes = groupBytes(features);
  }

  /** Sets up the factors of a matrix; to be called before the loop, since V8 moves no constant out of one. */
  prepare(matrix: Factored): void {
    for (const factor of factorsOf(matrix)) {
      if (factor === 1 || this.constants.has(factor)) continue;
      const local = this.f.local('v128');
      this.f.set(local, v128.const_f32x4(factor));
      this.constants.set(factor, local);
    }
  }

  load(at: Local, offset: number): Lanes {
    return this.make((h) => v128.load(at, offset + 16 * h));
  }

  /** Stores the high half first, as the revectoriser wants it. */
  store(at: Local, offset: number, value: Lanes): void {
    for (let h = this.bytes / 16 - 1; h >= 0; h--) {
      this.f.push(v128.store(at, value?.[h] ?? v128.const_f32x4(0), offset + 16 * h));
    }
  }

  add(a: Lanes, b: Lanes): Lanes {
    if (a === null) return b;
    if (b === null) return a;
    return this.make((h) => f32x4.add(a[h], b[h]));
  }

  sub(a: Lanes, b: Lanes): Lanes {
    if (b === null) return a;
    if (a === null) return this.make((h) => f32x4.neg(b[h]));
    return this.make((h) => f32x4.sub(a[h], b[h]));
  }

  /** factor · x + y, with a factor that `prepare` knows. */
  multiplyAdd(factor: number, x: Lanes, y: Lanes): Lanes {
    if (x === null) return y;
    if (factor === 1) return this.add(y, x);
    if (factor === -1) return this.sub(y, x);
    const k = this.constants.get(Math.abs(factor));
    if (k === undefined) throw new Error(`internal: Winograd factor ${factor} was not prepared`);
    if (y === null) {
      const product = this.make((h) => f32x4.mul(k, x[h]));
      return factor < 0 ? this.sub(null, product) : product;
    }
    if (this.relaxed) {
      const op = factor < 0 ? f32x4.relaxed_nmadd : f32x4.relaxed_madd;
      return this.make((h) => op(k, x[h], y[h]));
    }
    const op = factor < 0 ? f32x4.sub : f32x4.add;
    return this.make((h) => op(y[h], f32x4.mul(k, x[h])));
  }

  /** x² + y. */
  addSquare(x: Lanes, y: Lanes): Lanes {
    if (x === null || y === null) throw new Error('internal: a square of nothing');
    return this.make((h) => multiplyAdd(this.relaxed, x[h], x[h], y[h]));
  }

  /** A constant that `prepare` need not know, for code outside of hot loops. */
  addConstant(x: Lanes, value: number): Lanes {
    return this.make((h) => f32x4.add(x?.[h] ?? v128.const_f32x4(0), v128.const_f32x4(value)));
  }

  /** Any function of the channels, half by half. */
  compute(half: (h: number) => Expr): Lanes {
    return this.make(half);
  }

  /** Where such a function puts what it needs more than once. */
  get scope(): Scope {
    return {
      relaxed: this.relaxed,
      let: (value) => {
        if (value instanceof Local) return value;
        const local = this.f.local('v128');
        this.f.set(local, value);
        this.results.push(local);
        return local;
      },
    };
  }

  private make(half: (h: number) => Expr): Local[] {
    const locals = this.f.locals('v128', this.bytes / 16);
    locals.forEach((local, h) => {
      this.f.set(local, half(h));
    });
    this.results.push(...locals);
    return locals;
  }

  /**
   * To be called at the end of a loop's body: sets all results to zero. Else the revectoriser believes that the next
   * round wants each of them as 128 bits, and counts that as a cost nearly as great as what it saves.
   */
  forget(): void {
    for (const local of this.results) this.f.set(local, v128.const_f32x4(0));
    this.results.length = 0;
  }
}

/** Bytes of the channels that go together. */
export const groupBytes = (features: Features): number => (features.wide ? 32 : 16);

/** matrix · values. */
export function apply(e: LaneEmitter, matrix: Factored, values: readonly Lanes[]): Lanes[] {
  return matrix.rows.flatMap((row) => {
    if (row.kind === 'single') return [sum(e, row.terms, values)];
    const even = sum(e, row.even, values);
    const odd = sum(e, row.odd, values);
    return [e.multiplyAdd(row.scale, odd, even), e.multiplyAdd(-row.scale, odd, even)];
  });
}

/** matrixᵀ · values. */
export function applyTransposed(e: LaneEmitter, matrix: Factored, values: readonly Lanes[]): Lanes[] {
  let next = 0;
  const operands = matrix.rows.flatMap(({ kind }) => {
    const [first, second] = [values[next], values[next + 1]];
    next += kind === 'single' ? 1 : 2;
    return kind === 'single' ? [first] : [e.add(first, second), e.sub(first, second)];
  });
  return combine(e, matrix, operands);
}

/** matrixᵀ · values, of the values of single rows, and of the sums and differences of the values of pairs. */
export function combine(e: LaneEmitter, matrix: Factored, operands: readonly Lanes[]): Lanes[] {
  const sums: Term[][] = Array.from({ length: matrix.columns }, () => []);
  let next = 0;
  const use = (terms: readonly Term[], scale: number) => {
    for (const { index, factor } of terms) sums[index].push({ index: next, factor: factor * scale });
    next++;
  };
  for (const row of matrix.rows) {
    if (row.kind === 'single') use(row.terms, 1);
    else {
      use(row.even, 1);
      use(row.odd, row.scale);
    }
  }
  return sums.map((terms) => sum(e, terms, operands));
}

/**
 * The 2-D transform L d Rᵀ by a 1-D one over the columns (`down`), then one over the rows (`along`), of which L may have
 * fewer than R; `size` is d's height and width.
 * `store` is called for every row in order.
 */
export function transform2d(
  size: number,
  down: (values: readonly Lanes[]) => Lanes[],
  along: (values: readonly Lanes[]) => Lanes[],
  load: (row: number, column: number) => Lanes,
  store: (row: number, values: readonly Lanes[]) => void,
): void {
  const range = Array.from({ length: size }, (_, i) => i);
  const columns = range.map((column) => down(range.map((row) => load(row, column))));
  for (let row = 0; row < columns[0].length; row++) {
    store(row, along(columns.map((column) => column[row])));
  }
}

/**
 * Some rows of a 2-D transform, which are made together: a pair shares its even and odd parts, the others are left.
 * What they need lives in registers, and their planes in the cache.
 */
export interface Band {
  readonly kind: Row['kind'];
  /** Rows of the patch in the domain of products. */
  readonly rows: readonly number[];
  /** The matrix of a 1-D transform, cut to these rows. */
  cut(matrix: Factored): Factored;
}

/** The bands of `matrix`: its pairs, and then all other rows. Those of one tile size have the same. */
export function bandsOf(matrix: Factored): Band[] {
  const pairs: Band[] = [];
  const singles: { row: number; index: number }[] = [];
  let next = 0;
  matrix.rows.forEach(({ kind }, index) => {
    if (kind === 'single') singles.push({ row: next, index });
    else pairs.push({ kind, rows: [next, next + 1], cut: ({ rows, columns }) => ({ rows: [rows[index]], columns }) });
    next += kind === 'single' ? 1 : 2;
  });
  const cut = ({ rows, columns }: Factored) => ({ rows: singles.map(({ index }) => rows[index]), columns });
  return [...pairs, { kind: 'single', rows: singles.map(({ row }) => row), cut }];
}

/** Neighbouring planes of a band: `planes` of them, from `first` of all planes and from `place` of the band's own. */
export interface Stretch {
  readonly first: number;
  readonly place: number;
  readonly planes: number;
}

/** The planes of a band, `n` for each row: those of a pair are neighbours. */
export const stretchesOf = ({ kind, rows }: Band, n: number): readonly Stretch[] =>
  kind === 'pair'
    ? [{ first: rows[0] * n, place: 0, planes: rows.length * n }]
    : rows.map((row, i) => ({ first: row * n, place: i * n, planes: n }));

/** The most planes that a band has. */
export const mostPlanes = (bands: readonly Band[], n: number): number =>
  n * Math.max(...bands.map(({ rows }) => rows.length));

/** Which values `apply` reads. */
export const valuesOf = (matrix: Factored): ReadonlySet<number> =>
  new Set(
    matrix.rows
      .flatMap((row) => (row.kind === 'single' ? row.terms : [...row.even, ...row.odd]))
      .map(({ index }) => index),
  );

/** Starts from a term without a factor, so that all others are multiply-adds. */
function sum(e: LaneEmitter, terms: readonly Term[], values: readonly Lanes[]): Lanes {
  const plain = terms.find((t) => t.factor === 1 && values[t.index] !== null);
  let total = plain ? values[plain.index] : null;
  for (const term of terms) {
    if (term !== plain) total = e.multiplyAdd(term.factor, values[term.index], total);
  }
  return total;
}

/** The magnitudes of the factors of `apply` and `applyTransposed`. */
function factorsOf(matrix: Factored): number[] {
  return matrix.rows
    .flatMap((row) =>
      row.kind === 'single'
        ? row.terms.map((t) => t.factor)
        : [row.scale, ...[...row.even, ...row.odd].map((t) => t.factor), ...row.odd.map((t) => t.factor * row.scale)],
    )
    .map(Math.abs);
}
