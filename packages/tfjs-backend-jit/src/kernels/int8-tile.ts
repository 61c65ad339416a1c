/**
 * The register tile of 8-bit products: up to 6 rows × 16 columns (8 without 256-bit operations) of 32-bit sums, over
 * pairs of 16-bit inputs and 8-bit weights. `dot_i16x8_s` cannot overflow here and is the same on every machine; the
 * relaxed dot products of 8 bits are not: they may saturate, and leave to the machine what a set eighth bit means.
 */
import { i32, i32x4, type ModuleBuilder, v128 } from '../wasm/assembler.ts';

export const TILE_ROWS = 6;

/** Bytes of the sums of one row: sixteen channels. */
export const SUM_ROW = 64;

/** Bytes of the packed filter for each pair of inputs: sixteen columns of two. */
const PAIR = 32;

/** How a row walks its inputs: `outer` × `inner` runs of `length` consecutive 16-bit numbers. */
export interface Walk {
  readonly outer: number;
  /** Bytes from one outer round to the next. */
  readonly outerBytes: number;
  readonly inner: number;
  readonly innerBytes: number;
  readonly length: number;
}

/** 16-bit numbers that are unrolled; short runs are unrolled whole. */
const UNROLL = 16;
const LONGEST = 32;

/**
 * Emits `tile(table, panel, sums)`: for `rows` entries of eight bytes at `table`, each a row's address and another that
 * is not read here, the products of the row with one panel of the filter go to `sums`, 64 bytes a row.
 * `columns` 8: only the columns from `first` on.
 */
export function emitInt8Tile(m: ModuleBuilder, rows: number, walk: Walk, columns: 8 | 16, first: 0 | 8): number {
  const vectors = columns / 4;
  return m.func(null, ['i32', 'i32', 'i32'], [], (f) => {
    const [table, b, to] = f.params;
    const a = f.locals('i32', rows);
    const [outer, inner, chunk] = f.locals('i32', 3);
    const sums = Array.from({ length: rows }, () => f.locals('v128', vectors));
    const right = f.locals('v128', vectors);
    const value = f.local('v128');
    a.forEach((row, i) => {
      f.set(row, i32.load(table, i * 8));
    });
    for (const row of sums) for (const sum of row) f.set(sum, v128.const_i32x4(0));
    const advance = (bytes: number) => {
      if (bytes !== 0) for (const row of a) f.inc(row, bytes);
    };
    const products = (length: number) => {
      for (let k = 0; k < length; k += 2) {
        right.forEach((vector, j) => {
          f.set(vector, v128.load8x8_s(b, (k / 2) * PAIR + first * 2 + j * 8));
        });
        sums.forEach((row, i) => {
          f.set(value, v128.load32_splat(a[i], k * 2));
          row.forEach((sum, j) => {
            f.set(sum, i32x4.add(sum, i32x4.dot_i16x8_s(value, right[j])));
          });
        });
      }
      f.inc(b, (length / 2) * PAIR);
      advance(length * 2);
    };
    const times = (counter: typeof outer, count: number, body: () => void) => {
      if (count === 1) body();
      else f.for(counter, 0, count, 1, body);
    };
    const { length } = walk;
    const unroll = length <= LONGEST ? length : UNROLL;
    times(outer, walk.outer, () => {
      times(inner, walk.inner, () => {
        times(chunk, Math.floor(length / unroll), () => products(unroll));
        if (length % unroll > 0) products(length % unroll);
        advance(walk.innerBytes - length * 2);
      });
      advance(walk.outerBytes - walk.inner * walk.innerBytes);
    });
    sums.forEach((row, i) => {
      for (let j = 0; j < vectors; j += 2) {
        f.push(v128.store(to, row[j + 1], i * SUM_ROW + first * 4 + (j + 1) * 16));
        f.push(v128.store(to, row[j], i * SUM_ROW + first * 4 + j * 16));
      }
    });
  });
}
