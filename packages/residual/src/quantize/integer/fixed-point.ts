/** Real factors as integers, and functions computed in integers alone, as TensorFlow Lite's reference kernels have them:
 *  what every machine computes alike. 64-bit products are rare here, so they are plain BigInts. */

import type { Activation } from '../../export/graph/graph.ts';
import { type AffineParameters, clamp, roundAway } from '../parameters.ts';

/** multiplier / 2³¹ · 2^shift, with 2³⁰ ≤ multiplier < 2³¹ or 0. */
export interface FixedMultiplier {
  readonly multiplier: number;
  readonly shift: number;
}

/** The nearest 31-bit number to a real factor ≥ 0 (TFLite's QuantizeMultiplier). */
export function fixedMultiplier(real: number): FixedMultiplier {
  if (real === 0) return { multiplier: 0, shift: 0 };
  // real = fraction · 2^shift with ½ ≤ fraction < 1. Scaled twice, since 2^−shift alone may overflow.
  let shift = Math.floor(Math.log2(real)) + 1;
  const scaled = (by: number) => real * 2 ** Math.trunc(-by / 2) * 2 ** (-by - Math.trunc(-by / 2));
  if (scaled(shift) >= 1) shift++;
  if (scaled(shift) < 0.5) shift--;
  let multiplier = roundAway(scaled(shift) * 2 ** 31);
  if (multiplier === 2 ** 31) {
    multiplier /= 2;
    shift++;
  }
  if (shift < -31) return { multiplier: 0, shift: 0 };
  return { multiplier, shift };
}

/** a · b / 2³¹ of two 32-bit integers, halves up (gemmlowp's SaturatingRoundingDoublingHighMul). */
export function highProduct(a: number, b: number): number {
  if (a === -(2 ** 31) && b === a) return 2 ** 31 - 1;
  return Number((BigInt(a) * BigInt(b) + 2n ** 30n) >> 31n);
}

/** value / 2^bits, halves away from 0 (gemmlowp's RoundingDivideByPOT). */
function dividedByPowerOf2(value: number, bits: number): number {
  return roundAway(value / 2 ** bits);
}

/** value · factor as TFLite's MultiplyByQuantizedMultiplier rounds it: twice. */
export function rescaled(value: number, { multiplier, shift }: FixedMultiplier): number {
  const high = highProduct(value * 2 ** Math.max(0, shift), multiplier);
  return dividedByPowerOf2(high, Math.max(0, -shift));
}

/** The smallest and the largest integer that an activation leaves. */
export function boundsOf(activation: Activation, { scale, zeroPoint }: AffineParameters): readonly [number, number] {
  const quantized = (value: number) => zeroPoint + roundAway(Math.fround(value / scale));
  if (activation === 'none') return [-128, 127];
  const low = Math.max(-128, quantized(0));
  return [low, activation === 'relu6' ? Math.min(127, quantized(6)) : 127];
}

/** a + b held within 32 bits, and a · 2^bits. */
const saturated = (value: number): number => clamp(value, -(2 ** 31), 2 ** 31 - 1);

/** e^a for −¼ ≤ a < 0 with 31 bits behind the point: Taylor's series around −⅛. */
function expOfQuarter(a: number): number {
  const x = a + 2 ** 28;
  const x2 = highProduct(x, x);
  const x3 = highProduct(x2, x);
  const x4 = highProduct(x2, x2);
  const third = highProduct(dividedByPowerOf2(x4, 2) + x3, 715827883);
  const rest = dividedByPowerOf2(third + x2, 1);
  return 1895147668 + highProduct(1895147668, x + rest);
}

/** e^(−2^exponent) with 31 bits behind the point. */
const POWERS = [
  [-2, 1672461947],
  [-1, 1302514674],
  [0, 790015084],
  [1, 290630308],
  [2, 39332535],
  [3, 720401],
  [4, 242],
] as const;

/** e^a for a ≤ 0 with `integerBits` (at most 5) before the point; 31 bits behind the point in the result. */
function expOfNegative(a: number, integerBits: number): number {
  if (a === 0) return 2 ** 31 - 1;
  const fraction = 31 - integerBits;
  const quarter = 2 ** (fraction - 2);
  const inQuarter = (a & (quarter - 1)) - quarter;
  let result = expOfQuarter(saturated(inQuarter * 2 ** integerBits));
  const remainder = inQuarter - a;
  for (const [exponent, power] of POWERS) {
    if (integerBits > exponent && (remainder & (2 ** (fraction + exponent))) !== 0) result = highProduct(result, power);
  }
  return result;
}

/** 1 / (1 + a) for 0 ≤ a < 1, 31 bits behind the point: three of Newton's steps. */
function reciprocalOfOnePlus(a: number): number {
  const half = Math.floor((a + 2 ** 31) / 2);
  let x = 1515870810 + highProduct(half, -1010580540);
  for (let step = 0; step < 3; step++) {
    const left = 2 ** 29 - highProduct(half, x);
    x += saturated(highProduct(x, left) * 4);
  }
  return saturated(x * 2);
}

/** e^(−d · scale) for the distances d = 0 … 255 of two int8, 31 bits behind the point; 0 where it is too far to count. */
export function softmaxTable(scale: number): Int32Array {
  const integerBits = 5;
  const { multiplier, shift } = fixedMultiplier(Math.min(scale * 2 ** (31 - integerBits), 2 ** 31 - 1));
  const farthest = Math.floor(((2 ** integerBits - 1) * 2 ** (31 - integerBits)) / 2 ** shift);
  return Int32Array.from({ length: 256 }, (_, d) =>
    d > farthest ? 0 : expOfNegative(highProduct(-d * 2 ** shift, multiplier), integerBits),
  );
}

/** For each int8 from −128 on, the int8 of 1 / (1 + e^−x) at scale 1/256 and zero point −128. */
export function sigmoidTable({ scale, zeroPoint }: AffineParameters): Int8Array {
  const integerBits = 4;
  const factor = fixedMultiplier(scale * 2 ** (31 - integerBits));
  const radius = Math.floor(((2 ** integerBits - 1) * 2 ** (31 - integerBits)) / 2 ** factor.shift);
  return Int8Array.from({ length: 256 }, (_, i) => {
    const x = i - 128 - zeroPoint;
    if (x <= -radius) return -128;
    if (x >= radius) return 127;
    const fixed = rescaled(x, factor);
    const positive = reciprocalOfOnePlus(expOfNegative(-Math.abs(fixed), integerBits));
    const result = fixed === 0 ? 2 ** 30 : fixed > 0 ? positive : 2 ** 31 - 1 - positive;
    return clamp(dividedByPowerOf2(result, 23) - 128, -128, 127);
  });
}

/** For each int8 from −128 on, the int8 of the same number under other parameters, held between bounds. */
export function rescalingTable(
  from: AffineParameters,
  to: AffineParameters,
  [low, high]: readonly [number, number],
): Int8Array {
  const factor = fixedMultiplier(Math.fround(from.scale / to.scale));
  return Int8Array.from({ length: 256 }, (_, i) =>
    clamp(rescaled(i - 128 - from.zeroPoint, factor) + to.zeroPoint, low, high),
  );
}
