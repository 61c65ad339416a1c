/** The register tile of both kinds of products between the transforms: 6 rows × 16 columns, 6 × 8 without 256-bit operations. */
import { type Func, f32x4, type Local, v128 } from '../wasm/assembler.ts';
import type { Features } from './kernel.ts';
import { PANEL } from './winograd-grid.ts';

/** Bytes of a panel's row. */
export const ROW = PANEL * 4;

/** Floats of a row that one register tile covers: 4 v128, 12 of 16 AVX registers in 6 rows; 2 without AVX. */
const vectorsPerRow = (features: Features): number => (features.wide ? 4 : 2);

/** Panels are as wide as the tile, or twice as wide; then a product runs once for each half. */
export const halves = (features: Features): readonly number[] => (features.wide ? [0] : [0, ROW / 2]);

/** Sums of `rows` × 16 or × 8 floats in registers. */
export class RegisterTile {
  private readonly f: Func;
  private readonly relaxed: boolean;
  private readonly sums: readonly (readonly Local[])[];
  private readonly right: readonly Local[];
  private readonly value: Local;

  constructor(f: Func, rows: number, features: Features) {
    const vectors = vectorsPerRow(features);
    this.f = f;
    this.relaxed = features.relaxed;
    this.sums = Array.from({ length: rows }, () => f.locals('v128', vectors));
    this.right = f.locals('v128', vectors);
    this.value = f.local('v128');
  }

  clear(): void {
    for (const row of this.sums) for (const sum of row) this.f.set(sum, v128.const_f32x4(0));
  }

  /** sums[i] += the float at a + `offset(i)` times the row at b + `at`. */
  multiplyAdd(a: Local, offset: (row: number) => number, b: Local, at: number): void {
    this.right.forEach((vector, j) => {
      this.f.set(vector, v128.load(b, at + j * 16));
    });
    this.sums.forEach((row, i) => {
      this.f.set(this.value, v128.load32_splat(a, offset(i)));
      row.forEach((sum, j) => {
        const right = this.right[j];
        const next = this.relaxed
          ? f32x4.relaxed_madd(this.value, right, sum)
          : f32x4.add(f32x4.mul(this.value, right), sum);
        this.f.set(sum, next);
      });
    });
  }

  /** Writes the sums to rows at `at`, or adds them; each pair of vectors high half first. */
  store(at: Local, add: boolean): void {
    this.sums.forEach((row, i) => {
      if (add) {
        row.forEach((sum, j) => {
          this.f.set(sum, f32x4.add(sum, v128.load(at, i * ROW + j * 16)));
        });
      }
      for (let j = 0; j < row.length; j += 2) {
        this.f.push(v128.store(at, row[j + 1], i * ROW + (j + 1) * 16));
        this.f.push(v128.store(at, row[j], i * ROW + j * 16));
      }
    });
  }
}
