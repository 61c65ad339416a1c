/**
 * exp, log, sin, pow and their kin on four lanes at once, from instructions that the revectoriser can pair.
 * Reductions and polynomials follow Cephes (S. Moshier, single precision); errors stay within about 2 ulp.
 */
import { type Expr, f32x4, i32, i32x4, type Local, v128 } from '../wasm/assembler.ts';

/** Where a function body puts values that it needs more than once. */
export interface Scope {
  /** Relaxed SIMD is there: a multiply and an add may become one instruction. */
  readonly relaxed: boolean;
  /** Computes `value` now and returns a local that holds it; a local stays as it is. */
  let(value: Expr): Local;
}

const c = (value: number): Expr => v128.const_f32x4(value);
const ci = (value: number): Expr => v128.const_i32x4(value);

/** a·b + c, in one rounding where the processor has it. */
export function madd(s: Scope, a: Expr, b: Expr, sum: Expr): Expr {
  return s.relaxed ? f32x4.relaxed_madd(a, b, sum) : f32x4.add(f32x4.mul(a, b), sum);
}

/** Horner's rule; coefficients from the highest power down. */
function polynomial(s: Scope, x: Local, coefficients: readonly number[]): Expr {
  const [first = 0, ...rest] = coefficients;
  return rest.reduce((sum, k) => madd(s, sum, x, c(k)), c(first));
}

const SIGN = 0x80000000 | 0;
const signOf = (x: Expr): Expr => v128.and(x, ci(SIGN));

// 1.5·2²³: adding it rounds a float to the nearest integer and leaves that integer in the low bits.
const ROUNDER = 12582912;
const ROUNDER_BITS = 0x4b400000;
const LOG2E = Math.LOG2E;
// ln 2 in two parts; the first has so few bits that its product with an exponent is exact.
const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.1219444e-4;
const EXP = [1.9875691e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1];

/** x = n·ln 2 + r with |r| ≤ ½ ln 2: n in the low bits of `bits` (plus ROUNDER_BITS), and r. */
function splitExp(s: Scope, x: Local): { bits: Local; r: Local } {
  const bits = s.let(madd(s, x, c(LOG2E), c(ROUNDER)));
  const n = s.let(f32x4.sub(bits, c(ROUNDER)));
  const r = s.let(madd(s, n, c(-LN2_LOW), madd(s, n, c(-LN2_HIGH), x)));
  return { bits, r };
}

/** value · 2ⁿ for n in −252 … 254, in two steps, so that results overflow and underflow as they should. */
function scale(s: Scope, value: Expr, bits: Local): Expr {
  const n = s.let(i32x4.sub(bits, ci(ROUNDER_BITS)));
  const half = s.let(i32x4.shr_s(n, i32.const(1)));
  const power = (k: Expr) => i32x4.shl(i32x4.add(k, ci(127)), i32.const(23));
  return f32x4.mul(f32x4.mul(value, power(half)), power(i32x4.sub(n, half)));
}

/** e^(x + low): `low` is a small correction to x. */
function expOf(s: Scope, x: Expr, low?: Expr): Expr {
  // Beyond these bounds the result is 0 or infinity anyway. The order of operands keeps NaN.
  const clamped = s.let(f32x4.pmax(f32x4.pmin(x, c(89)), c(-104)));
  const { bits, r } = splitExp(s, clamped);
  const t = low ? s.let(f32x4.add(r, low)) : r;
  return scale(s, f32x4.add(madd(s, s.let(f32x4.mul(t, t)), polynomial(s, t, EXP), t), c(1)), bits);
}

export const exp = (s: Scope, x: Expr): Expr => expOf(s, x);

/** e^x − 1, exact to rounding near 0. */
export function expm1(s: Scope, x: Expr): Expr {
  const clamped = s.let(f32x4.pmax(f32x4.pmin(x, c(89)), c(-20)));
  const { bits, r } = splitExp(s, clamped);
  const q = madd(s, s.let(f32x4.mul(r, r)), polynomial(s, r, EXP), r);
  // Half of 2ⁿ, since 2¹²⁸ does not exist: 2·(½2ⁿ·q + (½2ⁿ − ½)).
  const power = s.let(i32x4.shl(i32x4.add(bits, ci(126 - ROUNDER_BITS)), i32.const(23)));
  return f32x4.mul(madd(s, power, q, f32x4.sub(power, c(0.5))), c(2));
}

const SQRT_HALF_BITS = 0x3f3504f3;
const LOG = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
];

/** Positive x = 2^e · m with √½ ≤ m < √2. */
function splitLog(s: Scope, x: Local): { e: Local; m: Local } {
  const tiny = s.let(f32x4.lt(x, c(2 ** -126)));
  const normal = s.let(v128.bitselect(f32x4.mul(x, c(2 ** 23)), x, tiny));
  const steps = s.let(i32x4.shr_s(i32x4.sub(normal, ci(SQRT_HALF_BITS)), i32.const(23)));
  const m = s.let(i32x4.sub(normal, i32x4.shl(steps, i32.const(23))));
  const e = s.let(f32x4.sub(f32x4.convert_i32x4_s(steps), v128.and(tiny, c(23))));
  return { e, m };
}

/** `value` = log x for 0 < x < ∞, mended for the rest: log 0 = −∞, log ∞ = ∞, NaN below 0. */
function mendLog(x: Local, value: Expr): Expr {
  const zero = v128.bitselect(c(Number.NEGATIVE_INFINITY), value, f32x4.eq(x, c(0)));
  const positive = v128.bitselect(zero, c(Number.NaN), f32x4.ge(x, c(0)));
  return v128.bitselect(x, positive, f32x4.eq(x, c(Number.POSITIVE_INFINITY)));
}

export function log(s: Scope, argument: Expr): Expr {
  const x = s.let(argument);
  const { e, m } = splitLog(s, x);
  const f = s.let(f32x4.sub(m, c(1)));
  const f2 = s.let(f32x4.mul(f, f));
  const cubic = f32x4.mul(f32x4.mul(f, f2), polynomial(s, f, LOG));
  const tail = s.let(madd(s, f2, c(-0.5), madd(s, e, c(LN2_LOW), cubic)));
  return mendLog(x, madd(s, e, c(LN2_HIGH), f32x4.add(f, tail)));
}

/** log(1 + x): the rounding error of 1 + x comes back as a first-order correction. */
export function log1p(s: Scope, argument: Expr): Expr {
  const x = s.let(argument);
  const u = s.let(f32x4.add(x, c(1)));
  // For |x| < 1 the lost part is x − (u − 1); above, 1 − (u − x).
  const small = f32x4.sub(x, f32x4.sub(u, c(1)));
  const large = f32x4.sub(c(1), f32x4.sub(u, x));
  const lost = s.let(v128.bitselect(small, large, f32x4.lt(f32x4.abs(x), c(1))));
  const value = s.let(log(s, u));
  const mended = s.let(f32x4.add(value, f32x4.div(lost, u)));
  // At u = 0 and u = ∞ the correction is not a number, and log u alone is right.
  const finite = f32x4.lt(f32x4.abs(value), c(Number.POSITIVE_INFINITY));
  return v128.bitselect(mended, value, finite);
}

/** 1 / (1 + e^−x), by e^−|x|, which cannot overflow. */
export function sigmoid(s: Scope, argument: Expr): Expr {
  const x = s.let(argument);
  const e = s.let(exp(s, v128.or(x, ci(SIGN))));
  return f32x4.div(v128.bitselect(e, c(1), f32x4.lt(x, c(0))), f32x4.add(e, c(1)));
}

/** tanh x = (e^2x − 1) / (e^2x + 1), with the sign put aside. */
export function tanh(s: Scope, argument: Expr): Expr {
  const x = s.let(argument);
  const twice = f32x4.mul(f32x4.pmin(f32x4.abs(x), c(10)), c(2));
  const e = s.let(expm1(s, twice));
  return v128.or(f32x4.div(e, f32x4.add(e, c(2))), signOf(x));
}

/** log(1 + e^x) = max(x, 0) + log1p(e^−|x|). */
export function softplus(s: Scope, argument: Expr): Expr {
  const x = s.let(argument);
  return f32x4.add(f32x4.pmax(x, c(0)), log1p(s, exp(s, v128.or(x, ci(SIGN)))));
}

const ERF_SMALL = [
  7.853861353153693e-5, -8.010193625184903e-4, 5.188327685732524e-3, -2.685381193529856e-2, 1.128358514861418e-1,
  -3.7612625824233e-1, 1.12837916572671,
];
// Abramowitz and Stegun 7.1.26, as in tfjs's backend_util.
const ERF_P = 0.3275911;
const ERF_LARGE = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];

/** The error function: Cephes' series below 1, and above it the formula that tfjs uses (absolute error 1.5e-7). */
export function erf(s: Scope, argument: Expr): Expr {
  const x = s.let(argument);
  const v = s.let(f32x4.abs(x));
  const v2 = s.let(f32x4.mul(v, v));
  const small = s.let(f32x4.mul(x, polynomial(s, v2, ERF_SMALL)));
  const t = s.let(f32x4.div(c(1), madd(s, v, c(ERF_P), c(1))));
  const e = exp(s, f32x4.neg(v2));
  const large = v128.or(f32x4.sub(c(1), f32x4.mul(f32x4.mul(polynomial(s, t, ERF_LARGE), t), e)), signOf(x));
  return v128.bitselect(small, large, f32x4.lt(v, c(1)));
}

// π/2 in three parts; products of the first two with integers below 2¹³ are exact.
const HALF_PI = [1.5703125, 4.837512969970703e-4, 7.549789954891882e-8];
const SIN = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1];
const COS = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2];

/** sin(x + quarter·π/2). Good to |x| ≈ 2e4; beyond, the result is merely within −1 … 1. */
function wave(s: Scope, argument: Expr, quarter: number): Expr {
  const x = s.let(argument);
  const q = s.let(f32x4.nearest(f32x4.mul(x, c(2 / Math.PI))));
  const r = s.let(HALF_PI.reduce<Expr>((rest, part) => madd(s, q, c(-part), rest), x));
  const r2 = s.let(f32x4.mul(r, r));
  const sine = madd(s, s.let(f32x4.mul(r, r2)), polynomial(s, r2, SIN), r);
  const quartic = f32x4.mul(f32x4.mul(r2, r2), polynomial(s, r2, COS));
  const cosine = f32x4.add(madd(s, r2, c(-0.5), quartic), c(1));
  const n = s.let(i32x4.add(i32x4.trunc_sat_f32x4_s(q), ci(quarter)));
  const odd = i32x4.ne(v128.and(n, ci(1)), ci(0));
  const sign = i32x4.shl(v128.and(n, ci(2)), i32.const(30));
  const value = v128.xor(v128.bitselect(cosine, sine, odd), sign);
  return f32x4.pmax(f32x4.pmin(value, c(1)), c(-1));
}

export const sin = (s: Scope, x: Expr): Expr => wave(s, x, 0);
export const cos = (s: Scope, x: Expr): Expr => wave(s, x, 1);

const ATAN = [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1];

/** The angle of the point (x, y), as `Math.atan2(y, x)`. */
export function atan2(s: Scope, yArgument: Expr, xArgument: Expr): Expr {
  const y = s.let(yArgument);
  const x = s.let(xArgument);
  const ay = s.let(f32x4.abs(y));
  const ax = s.let(f32x4.abs(x));
  const small = s.let(f32x4.min(ax, ay));
  const large = s.let(f32x4.max(ax, ay));
  // atan(a/b) for 0 ≤ a ≤ b, directly below tan(π/8) and as π/4 + atan((a−b)/(a+b)) above.
  const steeper = f32x4.gt(small, f32x4.mul(large, c(Math.SQRT2 - 1)));
  const upper = s.let(v128.or(steeper, f32x4.eq(small, c(Number.POSITIVE_INFINITY))));
  const difference = v128.bitselect(c(0), f32x4.sub(small, large), f32x4.eq(small, large));
  const over = v128.bitselect(difference, small, upper);
  const under = v128.bitselect(f32x4.add(small, large), large, upper);
  const t = s.let(f32x4.div(over, v128.bitselect(c(1), under, f32x4.eq(large, c(0)))));
  const t2 = s.let(f32x4.mul(t, t));
  const series = madd(s, f32x4.mul(t, t2), polynomial(s, t2, ATAN), t);
  const angle = s.let(f32x4.add(series, v128.and(upper, c(Math.PI / 4))));
  const steep = s.let(v128.bitselect(f32x4.sub(c(Math.PI / 2), angle), angle, f32x4.gt(ay, ax)));
  const left = i32x4.lt_s(x, ci(0)); // the sign bit, so that −0 counts
  const turned = v128.bitselect(f32x4.sub(c(Math.PI), steep), steep, left);
  return v128.or(turned, signOf(y));
}

/** a·b = high + low exactly (as long as nothing overflows), without a fused multiply-add. */
function product(s: Scope, a: Local, b: Local): { high: Local; low: Local } {
  const high = s.let(f32x4.mul(a, b));
  const top = (x: Local) => s.let(v128.and(x, ci(~0xfff)));
  const [a1, b1] = [top(a), top(b)];
  const a0 = s.let(f32x4.sub(a, a1));
  const b0 = s.let(f32x4.sub(b, b1));
  const cross = f32x4.add(f32x4.sub(f32x4.mul(a1, b1), high), f32x4.mul(a1, b0));
  const low = s.let(f32x4.add(f32x4.add(cross, f32x4.mul(a0, b1)), f32x4.mul(a0, b0)));
  return { high, low };
}

/** The series of 2·atanh after its first term (|q| ≤ 0.172); the highest coefficient stands in for the rest. */
const ATANH = [0.186, 2 / 9, 2 / 7, 2 / 5, 2 / 3];

/** log x for positive finite x, as an unevaluated sum of two floats (about 2⁻³² of it lost). */
function logPair(s: Scope, x: Local): { high: Local; low: Local } {
  const { e, m } = splitLog(s, x);
  const over = s.let(f32x4.sub(m, c(1)));
  const under = s.let(f32x4.add(m, c(1)));
  const underLow = f32x4.sub(m, f32x4.sub(under, c(1)));
  const q = s.let(f32x4.div(over, under));
  const back = product(s, q, under);
  const rest = f32x4.sub(f32x4.sub(f32x4.sub(over, back.high), back.low), f32x4.mul(q, underLow));
  const qLow = f32x4.div(rest, under);
  const q2 = s.let(f32x4.mul(q, q));
  const series = f32x4.mul(f32x4.mul(q, q2), polynomial(s, q2, ATANH));
  const a = s.let(f32x4.mul(e, c(LN2_HIGH)));
  const b = s.let(f32x4.add(q, q));
  // |a| ≥ |b| or a = 0: the fast two-sum loses nothing.
  const high = s.let(f32x4.add(a, b));
  const lost = f32x4.sub(b, f32x4.sub(high, a));
  const small = madd(s, e, c(LN2_LOW), f32x4.add(f32x4.add(qLow, qLow), series));
  const low = s.let(f32x4.add(lost, small));
  // Once more, so that `high` alone is log x to rounding.
  const sum = s.let(f32x4.add(high, low));
  return { high: sum, low: s.let(f32x4.add(f32x4.sub(high, sum), low)) };
}

/** x^y as `Math.pow`: x^0 = 1 always, a negative x takes whole y only, |x| = 1 with infinite y is NaN. */
export function pow(s: Scope, xArgument: Expr, yArgument: Expr): Expr {
  const x = s.let(xArgument);
  const y = s.let(yArgument);
  const ax = s.let(f32x4.abs(x));
  const pair = logPair(s, ax);
  const l = s.let(mendLog(ax, pair.high));
  const p = product(s, y, l);
  // Where y·l is huge or no number, the low part means nothing.
  const near = f32x4.lt(f32x4.abs(p.high), c(256));
  const low = v128.and(f32x4.add(p.low, f32x4.mul(y, pair.low)), near);
  const size = s.let(expOf(s, p.high, s.let(low)));
  const whole = s.let(f32x4.eq(f32x4.floor(y), y));
  const half = s.let(f32x4.mul(y, c(0.5)));
  const odd = v128.and(whole, f32x4.ne(f32x4.floor(half), half));
  const signed = v128.xor(size, v128.and(signOf(x), odd));
  const finiteNegative = v128.and(f32x4.lt(x, c(0)), f32x4.ne(ax, c(Number.POSITIVE_INFINITY)));
  const valid = v128.bitselect(c(Number.NaN), signed, v128.andnot(finiteNegative, whole));
  return v128.bitselect(c(1), valid, f32x4.eq(y, c(0)));
}

/** The remainder of a / b with the sign of a, exact for quotients up to about 2⁴⁶. */
function remainder(s: Scope, a: Local, b: Local): Local {
  const step = (rest: Local): Local => {
    const q = s.let(f32x4.trunc(f32x4.div(rest, b)));
    const p = product(s, q, b);
    const next = s.let(f32x4.sub(f32x4.sub(rest, p.high), p.low));
    return s.let(v128.bitselect(rest, next, f32x4.lt(f32x4.abs(rest), f32x4.abs(b))));
  };
  const rest = step(step(a));
  // A quotient rounded up leaves a rest of the wrong sign: one |b| brings it back.
  const wrong = v128.and(i32x4.lt_s(v128.xor(rest, a), ci(0)), f32x4.ne(rest, c(0)));
  const fix = v128.or(f32x4.abs(b), signOf(a));
  return s.let(f32x4.add(rest, v128.and(fix, wrong)));
}

/** tfjs's Mod: the remainder, moved to the side of b. */
export function mod(s: Scope, aArgument: Expr, bArgument: Expr): Expr {
  const a = s.let(aArgument);
  const b = s.let(bArgument);
  const rest = remainder(s, a, b);
  const zero = () => c(0);
  const negative = v128.and(f32x4.lt(a, zero()), f32x4.lt(b, zero()));
  const positive = v128.and(f32x4.ge(a, zero()), f32x4.ge(b, zero()));
  const keep = v128.or(v128.or(negative, positive), f32x4.eq(rest, zero()));
  return v128.bitselect(rest, f32x4.add(rest, b), keep);
}

/** ⌊a / b⌋, mended where the quotient was rounded up to a whole number. */
export function floorDiv(s: Scope, aArgument: Expr, bArgument: Expr): Expr {
  const a = s.let(aArgument);
  const b = s.let(bArgument);
  const q = s.let(f32x4.floor(f32x4.div(a, b)));
  const p = product(s, q, b);
  const rest = s.let(f32x4.sub(f32x4.sub(a, p.high), p.low));
  const wrong = v128.and(i32x4.lt_s(v128.xor(rest, b), ci(0)), f32x4.ne(rest, c(0)));
  const finite = f32x4.lt(f32x4.abs(p.high), c(Number.POSITIVE_INFINITY));
  return f32x4.sub(q, v128.and(c(1), v128.and(wrong, finite)));
}
