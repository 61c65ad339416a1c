/** The meaning of a `LoopSpec`, point by point in float64: what the tests hold the compiled loops against. */
import type { LoopSpec, ReduceFn, ScalarFn } from './loop-spec.ts';

const bool = (b: boolean): number => (b ? 1 : 0);
const f32 = Math.fround;

function softplus(x: number): number {
  const threshold = Math.log(1.1920928955078125e-7) + 2;
  if (x < threshold) return Math.exp(x);
  return x > -threshold ? x : Math.log1p(Math.exp(x));
}

function erf(x: number): number {
  const v = Math.abs(x);
  // Below 1 the Maclaurin series; above, tfjs's formula.
  if (v < 1) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 30; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (sum * 2) / Math.sqrt(Math.PI);
  }
  const t = 1 / (1 + 0.3275911 * v);
  const p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - p * Math.exp(-v * v));
}

function round(x: number): number {
  const base = Math.floor(x);
  const part = x - base;
  if (part < 0.5) return base;
  if (part > 0.5) return base + 1;
  return base % 2 === 0 ? base : base + 1;
}

function mod(a: number, b: number): number {
  const rest = a % b;
  return (a < 0 && b < 0) || (a >= 0 && b >= 0) ? rest : (rest + b) % b;
}

/** tfjs's cpu semantics of each function; booleans are 0 and 1. */
export const REFERENCE: Record<ScalarFn, (a: number, b: number, c: number) => number> = {
  neg: (x) => -x,
  abs: (x) => Math.abs(x),
  sqrt: (x) => Math.sqrt(x),
  rsqrt: (x) => 1 / Math.sqrt(x),
  square: (x) => x * x,
  reciprocal: (x) => 1 / x,
  exp: (x) => Math.exp(x),
  expm1: (x) => Math.expm1(x),
  log: (x) => Math.log(x),
  log1p: (x) => Math.log1p(x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: (x) => Math.tanh(x),
  softplus,
  erf,
  sin: (x) => Math.sin(x),
  cos: (x) => Math.cos(x),
  floor: (x) => Math.floor(x),
  ceil: (x) => Math.ceil(x),
  round,
  trunc: (x) => Math.trunc(x),
  sign: (x) => bool(x > 0) - bool(x < 0),
  relu: (x) => Math.max(0, x),
  relu6: (x) => Math.min(Math.max(0, x), 6),
  elu: (x) => (x >= 0 ? x : Math.expm1(x)),
  selu: (x) => (x >= 0 ? 1.0507009873554805 * x : 1.7580993408473768 * Math.expm1(x)),
  isNan: (x) => bool(Number.isNaN(x)),
  isInf: (x) => bool(Math.abs(x) === Number.POSITIVE_INFINITY),
  isFinite: (x) => bool(Number.isFinite(x)),
  notI: (x) => bool(x === 0),
  negI: (x) => -x | 0,
  absI: (x) => Math.abs(x) | 0,
  toF32: (x) => f32(x),
  toI32: (x) => x | 0,
  toBoolF: (x) => bool(x !== 0),
  toBoolI: (x) => bool(x !== 0),
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: (a, b) => Math.max(a, b),
  min: (a, b) => Math.min(a, b),
  pow: (a, b) => a ** b,
  squaredDifference: (a, b) => (a - b) * (a - b),
  floorDiv: (a, b) => Math.floor(a / b),
  mod,
  atan2: (a, b) => Math.atan2(a, b),
  prelu: (x, a) => (x < 0 ? a * x : x),
  divNoNan: (a, b) => (b === 0 ? 0 : a / b),
  step: (x, alpha) => (Number.isNaN(x) ? x : x > 0 ? 1 : alpha),
  leakyRelu: (x, alpha) => (x < 0 ? alpha * x : x),
  eluGrad: (dy, y) => (y >= 0 ? dy : dy * (y + 1)),
  eq: (a, b) => bool(a === b),
  ne: (a, b) => bool(a !== b),
  lt: (a, b) => bool(a < b),
  le: (a, b) => bool(a <= b),
  gt: (a, b) => bool(a > b),
  ge: (a, b) => bool(a >= b),
  addI: (a, b) => (a + b) | 0,
  subI: (a, b) => (a - b) | 0,
  mulI: (a, b) => Math.imul(a, b),
  maxI: (a, b) => Math.max(a, b),
  minI: (a, b) => Math.min(a, b),
  eqI: (a, b) => bool(a === b),
  neI: (a, b) => bool(a !== b),
  ltI: (a, b) => bool(a < b),
  leI: (a, b) => bool(a <= b),
  gtI: (a, b) => bool(a > b),
  geI: (a, b) => bool(a >= b),
  andI: (a, b) => bool(a !== 0 && b !== 0),
  orI: (a, b) => bool(a !== 0 || b !== 0),
  xorI: (a, b) => bool((a !== 0) !== (b !== 0)),
  select: (condition, a, b) => (condition !== 0 ? a : b),
  clip: (x, low, high) => (x > high ? high : Math.max(x, low)),
  madd: (a, b, c) => a * b + c,
};

const FOLD: Record<ReduceFn, { identity: number; step: (a: number, b: number) => number }> = {
  sum: { identity: 0, step: (a, b) => a + b },
  prod: { identity: 1, step: (a, b) => a * b },
  max: { identity: Number.NEGATIVE_INFINITY, step: Math.max },
  min: { identity: Number.POSITIVE_INFINITY, step: Math.min },
  sumI: { identity: 0, step: (a, b) => (a + b) | 0 },
  maxI: { identity: -(2 ** 31), step: Math.max },
  minI: { identity: 2 ** 31 - 1, step: Math.min },
  any: { identity: 0, step: (a, b) => a | b },
  all: { identity: 1, step: (a, b) => a & b },
};

/** One output: exact values, and how far a right float32 computation may be from each. */
export interface Expected {
  readonly values: Float64Array;
  readonly bounds: Float64Array;
}

/** Rounding error of one float32 operation, with room for polynomials and sums. */
const ROUNDING = 6e-7;

/** f(args) and its error bound, where argument i may be off by errors[i]. */
function applyWithError(
  fn: ScalarFn,
  lane: string,
  args: readonly number[],
  errors: readonly number[],
): [number, number] {
  const f = (x: readonly number[]) => REFERENCE[fn](x[0] ?? 0, x[1] ?? 0, x[2] ?? 0);
  const value = f(args);
  let error = lane === 'f32' ? ROUNDING * Math.abs(value) : 0;
  // The product inside may be rounded too.
  if (fn === 'madd') error += ROUNDING * Math.abs(args[2] ?? 0);
  args.forEach((arg, i) => {
    const e = errors[i] ?? 0;
    if (e === 0) return;
    const off = [arg - e, arg + e].map((moved) => Math.abs(f(args.with(i, moved)) - value));
    error += Math.max(...off);
  });
  return [value, error];
}

/** Runs a spec in float64: the stores, then the reductions. */
export function interpret(spec: LoopSpec, inputs: readonly ArrayLike<number>[]): Expected[] {
  const { shape } = spec;
  const size = shape.reduce((a, b) => a * b, 1);
  const reduced = shape.map((_, a) => spec.reduced?.[a] ?? false);
  const kept = shape.reduce((n, s, a) => (reduced[a] ? n : n * s), 1);
  const make = (length: number, value: number): Expected => ({
    values: new Float64Array(length).fill(value),
    bounds: new Float64Array(length),
  });
  const reductions = spec.reductions ?? [];
  const stores = spec.stores.map(() => make(size, 0));
  const folds = reductions.map(({ fn }) => make(kept, FOLD[fn].identity));
  const at = shape.map(() => 0);
  const values = new Array<number>(spec.body.length).fill(0);
  const errors = new Array<number>(spec.body.length).fill(0);
  for (let point = 0; point < size; point++) {
    let rest = point;
    let target = 0;
    for (let a = shape.length - 1; a >= 0; a--) {
      const n = shape[a] ?? 1;
      at[a] = rest % n;
      rest = Math.floor(rest / n);
    }
    shape.forEach((n, a) => {
      if (!reduced[a]) target = target * n + (at[a] ?? 0);
    });
    spec.body.forEach((node, i) => {
      if (node.kind === 'const') values[i] = node.lane === 'f32' ? f32(node.value) : node.value;
      else if (node.kind === 'index') values[i] = at[node.axis] ?? 0;
      else if (node.kind === 'load') {
        const { offset = 0, strides = [] } = spec.inputs[node.input] ?? {};
        const element = at.reduce((e, c, a) => e + c * (strides[a] ?? 0), offset);
        values[i] = inputs[node.input]?.[element] ?? Number.NaN;
      } else {
        const [value, error] = applyWithError(
          node.fn,
          node.lane,
          node.args.map((arg) => values[arg] ?? 0),
          node.args.map((arg) => errors[arg] ?? 0),
        );
        values[i] = value;
        errors[i] = error;
      }
    });
    spec.stores.forEach(({ value }, i) => {
      const out = stores[i];
      if (!out) return;
      out.values[point] = values[value] ?? 0;
      out.bounds[point] = errors[value] ?? 0;
    });
    reductions.forEach(({ fn, value }, i) => {
      const out = folds[i];
      if (!out) return;
      const [total, x] = [out.values[target] ?? 0, values[value] ?? 0];
      const [bound, error] = [out.bounds[target] ?? 0, errors[value] ?? 0];
      out.values[target] = FOLD[fn].step(total, x);
      if (fn === 'sum') out.bounds[target] = bound + error + ROUNDING * Math.abs(x);
      else if (fn === 'prod') out.bounds[target] = bound * (Math.abs(x) + error) + Math.abs(total) * error;
      else out.bounds[target] = Math.max(bound, error);
    });
  }
  reductions.forEach(({ fn }, i) => {
    const out = folds[i];
    if (fn === 'prod')
      out?.values.forEach((v, k) => {
        out.bounds[k] = (out.bounds[k] ?? 0) + ROUNDING * Math.abs(v);
      });
  });
  return [...stores, ...folds];
}
