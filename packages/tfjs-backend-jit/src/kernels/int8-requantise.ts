/**
 * From 32-bit sums to 8-bit results, exactly as TensorFlow Lite's reference kernels round, or as ONNX does (the three
 * ways stand in `int8-layout.ts`). This code stays out of the hot tiles: it would keep the revectoriser away from them.
 */
import {
  type Expr,
  type Func,
  f32x4,
  i8x16,
  i16x8,
  i32,
  i32x4,
  i64,
  i64x2,
  type Local,
  type ModuleBuilder,
  v128,
} from '../wasm/assembler.ts';
import { FACTOR_PANEL, type Field, fieldAt, PANEL, type Rounding } from './int8-layout.ts';

/** 2³⁰ in both 64-bit lanes: half of what the shift by 31 leaves out. */
const HALF = v128.const_i32x4(2 ** 30, 0, 2 ** 30, 0);

/** (value · factor + rounding) >> bits in each lane, with 64 bits in between. Both arguments are evaluated twice. */
function multiplyShift(value: Expr, factor: Expr, bits: number, rounding?: Expr): Expr {
  const half = (product: Expr) =>
    i64x2.shr_u(rounding === undefined ? product : i64x2.add(product, rounding), i32.const(bits));
  const low = half(i64x2.extmul_low_i32x4_s(value, factor));
  const high = half(i64x2.extmul_high_i32x4_s(value, factor));
  return v128.shuffle32(low, high, [0, 2, 4, 6]);
}

/** Replaces four sums by their results before the zero point is added. `field` reads a factor of the four channels. */
export function rescale(f: Func, sums: Local, field: (name: Field) => Expr, rounding: Rounding): void {
  if (rounding === 'even') {
    const real = f32x4.mul(f32x4.convert_i32x4_s(i32x4.add(sums, field('bias'))), field('multiplier'));
    f.set(sums, i32x4.trunc_sat_f32x4_s(f32x4.nearest(real)));
    return;
  }
  f.set(sums, i32x4.mul(i32x4.add(sums, field('bias')), field('left')));
  f.set(sums, multiplyShift(sums, field('multiplier'), 31, rounding === 'twice' ? HALF : undefined));
  // Halves away from 0: where the number is negative, a half less one.
  const negative = v128.and(i32x4.shr_s(sums, i32.const(31)), field('away'));
  f.set(sums, i32x4.add(sums, i32x4.add(field('half'), negative)));
  f.set(sums, multiplyShift(sums, field('scale'), 30));
}

/**
 * Emits `finish(to, sums, factors)`: sixteen sums at `sums` and a panel of factors become sixteen channels at `to`, or
 * the first four where a pixel has only those.
 */
export function emitFinish(m: ModuleBuilder, packed: number, rounding: Rounding): number {
  return m.func(null, ['i32', 'i32', 'i32'], [], (f) => {
    const [to, from, factors] = f.params;
    const sums = f.locals('v128', packed < PANEL ? 1 : 4);
    sums.forEach((sum, v) => {
      const field = (name: Field) => v128.load(factors, fieldAt(name, v));
      f.set(sum, v128.load(from, v * 16));
      rescale(f, sum, field, rounding);
      f.set(sum, i32x4.add(sum, field('zero')));
      f.set(sum, i32x4.max_s(i32x4.min_s(sum, field('max')), field('min')));
    });
    const [a, b = a, c = a, d = b] = sums;
    const bytes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
    f.push(packed < PANEL ? v128.store32_lane(to, bytes, 0) : v128.store(to, bytes));
  });
}

/** The factors of panel `panel`. */
export const factorsOf = (factors: Expr, panel: Expr): Expr =>
  i32.add(factors, i32.mul(panel, i32.const(FACTOR_PANEL)));

/** Reads a factor that is the same for all channels into every lane. */
export const splatField = (factors: Expr, field: Field): Expr => v128.load32_splat(factors, fieldAt(field));

/** a · b / 2³¹, rounded to the nearest, halves up: gemmlowp's rounding doubling high product of one pair. */
export const highProduct = (a: Expr, b: Expr): Expr =>
  i32.wrap_i64(
    i64.shr_s(i64.add(i64.mul(i64.extend_i32_s(a), i64.extend_i32_s(b)), i64.const(2 ** 30)), i64.const(31)),
  );
