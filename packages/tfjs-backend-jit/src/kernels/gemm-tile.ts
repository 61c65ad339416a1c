/**
 * The register tile of every matrix product here: 6 rows × 16 columns (6 × 8 without 256-bit operations).
 * Rows are reached through pointers, so the same code serves matmul, convolution and the filter gradient.
 */
import { type Expr, type Func, f32x4, i32, type Local, type ModuleBuilder, v128 } from '../wasm/assembler.ts';
import type { Features } from './kernel.ts';

/** Rows of a full tile: 6 × 16 floats fill 12 of the 16 AVX registers; 7 × 16 and 4 × 24 spill. */
export const TILE_ROWS = 6;

/** Columns of a tile, and the width of the packed panels of a right-hand matrix of `columns` columns. */
export const tileColumns = (features: Features, columns: number): number => (features.wide && columns > 8 ? 16 : 8);

/** Bytes of an entry of the row table: where row i of A starts, where row i of C starts. */
export const ROW_ENTRY = 8;

/** Bytes of an entry of the step table: offset into A, distance to the next step's, offset into the unpacked B. */
export const STEP_ENTRY = 12;

export interface TileSpec {
  /** Rows of this tile, 1 to 6. */
  readonly rows: number;
  /** Columns: 8 or 16. */
  readonly columns: number;
  /** Values of k per step, unrolled. */
  readonly unroll: number;
  /** Bytes from one k to the next in A. */
  readonly aStep: number;
  readonly relaxed: boolean;
}

/**
 * Emits `tile(table, groups, steps, count, b, c, first)`: for each of `groups` groups of `rows` entries of the row
 * table, C[row][c…] (+)= Σ over `count` steps of A[row][k] · B[k], with B a packed panel of `columns` floats per k.
 * The sum starts at 0 and is added to C at the end unless `first`, so a long k is a sum of short sums.
 * Returns the function's index.
 */
export function emitTile(m: ModuleBuilder, spec: TileSpec): number {
  const { rows, columns, unroll, aStep } = spec;
  const vectors = columns / 4;
  return m.func(null, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [table, groups, steps, count, panel, column, first] = f.params;
    const a = f.locals('i32', rows);
    const [b, step, left, delta] = f.locals('i32', 4);
    const sums = Array.from({ length: rows }, () => f.locals('v128', vectors));
    const right = f.locals('v128', vectors);
    const value = f.local('v128');
    f.loop((nextGroup) => {
      f.set(delta, i32.load(steps, 0));
      a.forEach((row, i) => {
        f.set(row, i32.add(i32.load(table, i * ROW_ENTRY), delta));
      });
      for (const row of sums) for (const sum of row) f.set(sum, v128.const_f32x4(0));
      f.set(b, panel);
      f.set(step, steps);
      f.set(left, count);
      f.loop((nextStep) => {
        for (let u = 0; u < unroll; u++) {
          right.forEach((vector, j) => {
            f.set(vector, v128.load(b, (u * columns + j * 4) * 4));
          });
          sums.forEach((row, i) => {
            f.set(value, v128.load32_splat(a[i], u * aStep));
            row.forEach((sum, j) => {
              f.set(sum, multiplyAdd(spec.relaxed, value, right[j], sum));
            });
          });
        }
        f.inc(b, unroll * columns * 4);
        f.set(delta, i32.load(step, 4));
        for (const row of a) f.inc(row, delta);
        f.inc(step, STEP_ENTRY);
        f.set(left, i32.sub(left, i32.const(1)));
        f.brIf(nextStep, left);
      });
      f.if(
        first,
        () => emitResult(f, table, column, delta, sums, false),
        () => emitResult(f, table, column, delta, sums, true),
      );
      f.inc(table, rows * ROW_ENTRY);
      f.set(groups, i32.sub(groups, i32.const(1)));
      f.brIf(nextGroup, groups);
    });
  });
}

/** Writes the sums to C, or adds them to it; each pair high half first, as the revectoriser wants it. */
function emitResult(f: Func, table: Local, column: Local, at: Local, sums: Local[][], add: boolean): void {
  sums.forEach((row, i) => {
    f.set(at, i32.add(i32.load(table, i * ROW_ENTRY + 4), column));
    if (add) {
      row.forEach((sum, j) => {
        f.set(sum, f32x4.add(sum, v128.load(at, j * 16)));
      });
    }
    for (let j = 0; j < row.length; j += 2) {
      f.push(v128.store(at, row[j + 1], (j + 1) * 16));
      f.push(v128.store(at, row[j], j * 16));
    }
  });
}

/** a·b + c, fused where relaxed SIMD allows. */
export function multiplyAdd(relaxed: boolean, a: Expr, b: Expr, c: Expr): Expr {
  return relaxed ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}
