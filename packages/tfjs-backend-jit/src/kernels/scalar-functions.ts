/**
 * The scalar functions of a loop's body on four lanes, with the semantics of tfjs's cpu kernels.
 * One form serves all: tails run the same instructions with one lane in use, so every element gets the same bits.
 */
import { type Expr, f32x4, i32x4, v128 } from '../wasm/assembler.ts';
import type { BinaryFn, ScalarFn, TernaryFn, UnaryFn } from './loop-spec.ts';
import * as math from './scalar-math.ts';

/** A boolean is held as 0 or 1 ('value'), or as all bits of its lane ('mask'). Numbers are always values. */
export type Form = 'value' | 'mask';

interface Definition {
  readonly args: number;
  /** The form of the result. */
  readonly form: Form;
  /** Rough cost in instructions, for cutting work into pieces. */
  readonly cost: number;
  readonly build: (s: math.Scope, a: Expr, b: Expr, c: Expr) => Expr;
}

const number = (value: number): Expr => v128.const_f32x4(value);
const zero = (): Expr => v128.const_i32x4(0);
const INFINITY = Number.POSITIVE_INFINITY;
const SELU_SCALE = 1.0507009873554805;
const SELU_SCALE_ALPHA = 1.7580993408473768;
const TWO_31 = 2 ** 31;
const TWO_32 = 2 ** 32;

type Build = Definition['build'];
const value = (args: number, cost: number, build: Build): Definition => ({ args, form: 'value', cost, build });
const mask = (args: number, cost: number, build: Build): Definition => ({ args, form: 'mask', cost, build });

/** `x >= 0 ? x·positive : (e^x − 1)·negative`. */
function eluLike(s: math.Scope, argument: Expr, positive: number, negative: number): Expr {
  const x = s.let(argument);
  const above = positive === 1 ? x : f32x4.mul(x, number(positive));
  const below = math.expm1(s, x);
  return v128.bitselect(above, negative === 1 ? below : f32x4.mul(below, number(negative)), f32x4.ge(x, zero()));
}

/** Towards zero, modulo 2³² as JavaScript's typed arrays do; NaN and infinities give 0. */
function toI32(s: math.Scope, argument: Expr): Expr {
  const x = s.let(argument);
  const turns = f32x4.nearest(f32x4.mul(x, number(1 / TWO_32)));
  const y = s.let(f32x4.sub(x, f32x4.mul(turns, number(TWO_32))));
  // 2³¹ itself saturates to 2³¹ − 1; one more wraps it round.
  return i32x4.sub(i32x4.trunc_sat_f32x4_s(y), f32x4.eq(y, number(TWO_31)));
}

const UNARY: Record<UnaryFn, Definition> = {
  neg: value(1, 1, (_, x) => f32x4.neg(x)),
  abs: value(1, 1, (_, x) => f32x4.abs(x)),
  sqrt: value(1, 6, (_, x) => f32x4.sqrt(x)),
  rsqrt: value(1, 10, (_, x) => f32x4.div(number(1), f32x4.sqrt(x))),
  square: value(1, 1, (s, argument) => {
    const x = s.let(argument);
    return f32x4.mul(x, x);
  }),
  reciprocal: value(1, 4, (_, x) => f32x4.div(number(1), x)),
  exp: value(1, 24, math.exp),
  expm1: value(1, 22, math.expm1),
  log: value(1, 32, math.log),
  log1p: value(1, 48, math.log1p),
  sigmoid: value(1, 32, math.sigmoid),
  tanh: value(1, 32, math.tanh),
  softplus: value(1, 76, math.softplus),
  erf: value(1, 56, math.erf),
  sin: value(1, 36, math.sin),
  cos: value(1, 36, math.cos),
  floor: value(1, 1, (_, x) => f32x4.floor(x)),
  ceil: value(1, 1, (_, x) => f32x4.ceil(x)),
  round: value(1, 1, (_, x) => f32x4.nearest(x)),
  trunc: value(1, 1, (_, x) => f32x4.trunc(x)),
  // cpu gives 0 for NaN.
  sign: value(1, 5, (s, argument) => {
    const x = s.let(argument);
    const one = (bits: Expr) => v128.and(bits, number(1));
    return f32x4.sub(one(f32x4.gt(x, zero())), one(f32x4.lt(x, zero())));
  }),
  // pmax(a, b) = a < b ? b : a keeps NaN, and costs half of max.
  relu: value(1, 1, (_, x) => f32x4.pmax(x, zero())),
  relu6: value(1, 2, (_, x) => f32x4.pmin(f32x4.pmax(x, zero()), number(6))),
  elu: value(1, 26, (s, x) => eluLike(s, x, 1, 1)),
  selu: value(1, 28, (s, x) => eluLike(s, x, SELU_SCALE, SELU_SCALE_ALPHA)),
  isNan: mask(1, 1, (s, argument) => {
    const x = s.let(argument);
    return f32x4.ne(x, x);
  }),
  isInf: mask(1, 2, (_, x) => f32x4.eq(f32x4.abs(x), number(INFINITY))),
  isFinite: mask(1, 2, (_, x) => f32x4.lt(f32x4.abs(x), number(INFINITY))),
  notI: mask(1, 1, (_, x) => i32x4.eq(x, zero())),
  negI: value(1, 1, (_, x) => i32x4.neg(x)),
  absI: value(1, 1, (_, x) => i32x4.abs(x)),
  toF32: value(1, 1, (_, x) => f32x4.convert_i32x4_s(x)),
  toI32: value(1, 12, toI32),
  toBoolF: mask(1, 1, (_, x) => f32x4.ne(x, zero())),
  toBoolI: mask(1, 1, (_, x) => i32x4.ne(x, zero())),
};

/** `x < 0 ? slope·x : x`. */
const leaky: Build = (s, argument, slope) => {
  const x = s.let(argument);
  return v128.bitselect(f32x4.mul(slope, x), x, f32x4.lt(x, zero()));
};

const BINARY: Record<BinaryFn, Definition> = {
  add: value(2, 1, (_, a, b) => f32x4.add(a, b)),
  sub: value(2, 1, (_, a, b) => f32x4.sub(a, b)),
  mul: value(2, 1, (_, a, b) => f32x4.mul(a, b)),
  div: value(2, 4, (_, a, b) => f32x4.div(a, b)),
  max: value(2, 4, (_, a, b) => f32x4.max(a, b)),
  min: value(2, 4, (_, a, b) => f32x4.min(a, b)),
  pow: value(2, 120, math.pow),
  squaredDifference: value(2, 2, (s, a, b) => {
    const d = s.let(f32x4.sub(a, b));
    return f32x4.mul(d, d);
  }),
  floorDiv: value(2, 24, math.floorDiv),
  mod: value(2, 60, math.mod),
  atan2: value(2, 50, math.atan2),
  prelu: value(2, 3, leaky),
  divNoNan: value(2, 6, (s, a, argument) => {
    const b = s.let(argument);
    return v128.andnot(f32x4.div(a, b), f32x4.eq(b, zero()));
  }),
  step: value(2, 5, (s, argument, alpha) => {
    const x = s.let(argument);
    const chosen = v128.bitselect(number(1), alpha, f32x4.gt(x, zero()));
    return v128.bitselect(chosen, x, f32x4.eq(x, x));
  }),
  leakyRelu: value(2, 3, leaky),
  eluGrad: value(2, 4, (s, dyArgument, yArgument) => {
    const dy = s.let(dyArgument);
    const y = s.let(yArgument);
    return v128.bitselect(dy, f32x4.mul(dy, f32x4.add(y, number(1))), f32x4.ge(y, zero()));
  }),
  eq: mask(2, 1, (_, a, b) => f32x4.eq(a, b)),
  ne: mask(2, 1, (_, a, b) => f32x4.ne(a, b)),
  lt: mask(2, 1, (_, a, b) => f32x4.lt(a, b)),
  le: mask(2, 1, (_, a, b) => f32x4.le(a, b)),
  gt: mask(2, 1, (_, a, b) => f32x4.gt(a, b)),
  ge: mask(2, 1, (_, a, b) => f32x4.ge(a, b)),
  addI: value(2, 1, (_, a, b) => i32x4.add(a, b)),
  subI: value(2, 1, (_, a, b) => i32x4.sub(a, b)),
  mulI: value(2, 2, (_, a, b) => i32x4.mul(a, b)),
  maxI: value(2, 1, (_, a, b) => i32x4.max_s(a, b)),
  minI: value(2, 1, (_, a, b) => i32x4.min_s(a, b)),
  eqI: mask(2, 1, (_, a, b) => i32x4.eq(a, b)),
  neI: mask(2, 1, (_, a, b) => i32x4.ne(a, b)),
  ltI: mask(2, 1, (_, a, b) => i32x4.lt_s(a, b)),
  leI: mask(2, 1, (_, a, b) => i32x4.le_s(a, b)),
  gtI: mask(2, 1, (_, a, b) => i32x4.gt_s(a, b)),
  geI: mask(2, 1, (_, a, b) => i32x4.ge_s(a, b)),
  andI: mask(2, 1, (_, a, b) => v128.and(a, b)),
  orI: mask(2, 1, (_, a, b) => v128.or(a, b)),
  xorI: mask(2, 1, (_, a, b) => v128.xor(a, b)),
};

const TERNARY: Record<TernaryFn, Definition> = {
  select: value(3, 1, (_, condition, a, b) => v128.bitselect(a, b, condition)),
  clip: value(3, 2, (_, x, low, high) => f32x4.pmax(f32x4.pmin(x, high), low)),
  madd: value(3, 1, (s, a, b, c) => math.madd(s, a, b, c)),
};

const ALL: Record<ScalarFn, Definition> = { ...UNARY, ...BINARY, ...TERNARY };

/** Which form `fn` takes its argument number `index` in. */
function argumentForm(fn: ScalarFn, index: number): Form {
  switch (fn) {
    case 'andI':
    case 'orI':
    case 'xorI':
      return 'mask';
    case 'select':
      return index === 0 ? 'mask' : 'value';
    default:
      return 'value';
  }
}

export const arity = (fn: ScalarFn): number => ALL[fn].args;
/** Rough cost of `fn` in vector instructions. */
export const cost = (fn: ScalarFn): number => ALL[fn].cost;

/** A vector and the form in which it holds booleans. */
export interface Vector {
  readonly expr: Expr;
  readonly form: Form;
}

/** The same lanes in the form asked for. */
export function inForm({ expr, form }: Vector, wanted: Form): Expr {
  if (form === wanted) return expr;
  return wanted === 'mask' ? i32x4.ne(expr, zero()) : v128.and(expr, v128.const_i32x4(1));
}

/** `fn` of vectors. Masks stay masks as long as they can: `toF32(x > 0)` is one `and`. */
export function apply(s: math.Scope, fn: ScalarFn, args: readonly Vector[]): Vector {
  const [first] = args;
  if (first?.form === 'mask') {
    if (fn === 'toF32') return { expr: v128.and(first.expr, number(1)), form: 'value' };
    if (fn === 'notI') return { expr: v128.not(first.expr), form: 'mask' };
    if (fn === 'toBoolI') return first;
  }
  const { build, form } = ALL[fn];
  const [a = zero(), b = zero(), c = zero()] = args.map((arg, i) => inForm(arg, argumentForm(fn, i)));
  return { expr: build(s, a, b, c), form };
}
