/** Every scalar function of the loops against `Math`, over random arguments and edge values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loop } from './loop.ts';
import { REFERENCE } from './loop-reference.ts';
import type { BinaryFn, Lane, LoopSpec, ScalarFn, UnaryFn } from './loop-spec.ts';
import { arity } from './scalar-functions.ts';
import { ALL_FEATURES, normal, runRecipe, seeded } from './testing.ts';

const INFINITY = Number.POSITIVE_INFINITY;
const EDGES = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  3,
  -3,
  7,
  -7,
  1e-8,
  -1e-8,
  1e-20,
  -1e-20,
  1e-40,
  -1e-40,
  2 ** -126,
  2 ** -149,
  88.5,
  89,
  100,
  -87,
  -88.5,
  -100,
  -104,
  1e4,
  -1e4,
  65504,
  2147483648,
  -2147483648,
  3e9,
  -3e9,
  1e20,
  -1e20,
  1e38,
  -1e38,
  3.4028234663852886e38,
  INFINITY,
  -INFINITY,
  Number.NaN,
  0.41421357,
  0.70710677,
  0.99999994,
  1.0000001,
  -0.99999994,
].map(Math.fround);

const UNARY_F = [
  'neg',
  'abs',
  'sqrt',
  'rsqrt',
  'square',
  'reciprocal',
  'exp',
  'expm1',
  'log',
  'log1p',
  'sigmoid',
  'tanh',
  'softplus',
  'erf',
  'sin',
  'cos',
  'floor',
  'ceil',
  'round',
  'trunc',
  'sign',
  'relu',
  'relu6',
  'elu',
  'selu',
  'isNan',
  'isInf',
  'isFinite',
  'toI32',
  'toBoolF',
] as const satisfies readonly UnaryFn[];
const UNARY_I = ['notI', 'negI', 'absI', 'toF32', 'toBoolI'] as const satisfies readonly UnaryFn[];
const BINARY_F = [
  'add',
  'sub',
  'mul',
  'div',
  'max',
  'min',
  'pow',
  'squaredDifference',
  'floorDiv',
  'mod',
  'atan2',
  'prelu',
  'divNoNan',
  'step',
  'leakyRelu',
  'eluGrad',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
] as const satisfies readonly BinaryFn[];
const BINARY_I = [
  'addI',
  'subI',
  'mulI',
  'maxI',
  'minI',
  'eqI',
  'neI',
  'ltI',
  'leI',
  'gtI',
  'geI',
] as const satisfies readonly BinaryFn[];
const BOOL = ['andI', 'orI', 'xorI'] as const satisfies readonly BinaryFn[];
const TO_BOOL = [
  'isNan',
  'isInf',
  'isFinite',
  'toBoolF',
  'toBoolI',
  'notI',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
  'toI32',
];

const resultLane = (fn: ScalarFn, lane: Lane): Lane =>
  fn === 'toF32' ? 'f32' : TO_BOOL.includes(fn) || lane === 'i32' ? 'i32' : 'f32';

function specOf(fn: ScalarFn, lane: Lane, size: number): LoopSpec {
  const n = arity(fn);
  const args = Array.from({ length: n }, (_, i) => i);
  return {
    shape: [size],
    inputs: args.map(() => ({ lane, offset: 0, strides: [1] })),
    body: [
      ...args.map((i) => ({ kind: 'load', input: i, lane }) as const),
      { kind: 'apply', fn, args, lane: resultLane(fn, lane) },
    ],
    stores: [{ value: n }],
  };
}

/** What may differ: a relative error, and an absolute one near results of 0. */
function tolerance(fn: ScalarFn): { relative: number; absolute: number } {
  if (fn === 'pow') return { relative: 1e-6, absolute: 1e-44 };
  if (fn === 'sin' || fn === 'cos') return { relative: 1e-6, absolute: 1e-9 };
  if (fn === 'erf') return { relative: 1e-6, absolute: 0 };
  return { relative: 5e-7, absolute: 2e-45 };
}

function check(
  fn: ScalarFn,
  lane: Lane,
  args: readonly (Float32Array | Int32Array)[],
  skip?: (a: number, b: number) => boolean,
) {
  const size = args[0]?.length ?? 0;
  for (const features of ALL_FEATURES) {
    const [got] = runRecipe(loop(specOf(fn, lane, size), features), args, [{ size, lane: resultLane(fn, lane) }]);
    const { relative, absolute } = tolerance(fn);
    for (let i = 0; i < size; i++) {
      const [a = 0, b = 0, c = 0] = args.map((x) => x[i]);
      if (skip?.(a, b)) continue;
      const exact = REFERENCE[fn](a, b, c);
      const want = resultLane(fn, lane) === 'f32' ? Math.fround(exact) : exact;
      const value = got?.[i] ?? Number.NaN;
      const same = Object.is(value, want) || value === want;
      assert.ok(
        same || Math.abs(value - exact) <= relative * Math.abs(exact) + absolute,
        `${fn}(${[a, b, c].slice(0, args.length)}) = ${value}, want ${want} (relaxed ${features.relaxed})`,
      );
    }
  }
}

const spread = (size: number, seed: number): Float32Array => {
  const random = seeded(seed);
  return Float32Array.from(normal(size, seed + 1), (x) => x * 10 ** (random() * 4 - 2));
};
const integers = (size: number, seed: number): Int32Array => {
  const random = seeded(seed);
  return Int32Array.from({ length: size }, (_, i) =>
    i % 3 ? Math.floor(random() * 21) - 10 : (random() * 2 ** 32) | 0,
  );
};
/** All pairs of the edge values. */
const pairs = [0, 1].map((side) => Float32Array.from(EDGES.flatMap((a) => EDGES.map((b) => (side === 0 ? a : b)))));

for (const fn of UNARY_F) {
  test(fn, () => {
    const huge = (x: number) => (fn === 'sin' || fn === 'cos') && Math.abs(x) > 2e4;
    check(fn, 'f32', [Float32Array.from(EDGES)], huge);
    check(fn, 'f32', [spread(5003, 7)]);
  });
}
for (const fn of UNARY_I) test(fn, () => check(fn, 'i32', [integers(1003, 9)]));
for (const fn of BINARY_F) {
  test(fn, () => {
    // mod is exact for quotients below 2⁴⁶ and finite b; differences of huge values overflow alike.
    const skip = (a: number, b: number) =>
      (fn === 'mod' &&
        (Math.abs(a / b) > 2 ** 40 ||
          Math.abs(a / b) < 2 ** -50 ||
          Math.abs(b) > 1e37 ||
          (b !== 0 && Math.abs(b) < 1e-30))) ||
      (fn === 'floorDiv' && (Math.abs(a / b) > 2 ** 24 || (Math.abs(b) < 1e-30 && b !== 0))) ||
      (fn === 'atan2' && Math.max(Math.abs(a), Math.abs(b)) > 1e38) ||
      (fn === 'div' && Math.abs(b) < 2 ** -126 && b !== 0);
    check(fn, 'f32', pairs, skip);
    check(fn, 'f32', [spread(3001, 3), spread(3001, 5)], skip);
  });
}
test('pow of positive bases', () => {
  const base = Float32Array.from(spread(4001, 11), Math.abs);
  check('pow', 'f32', [base, spread(4001, 13)]);
});
for (const fn of BINARY_I) test(fn, () => check(fn, 'i32', [integers(1003, 1), integers(1003, 2)]));
for (const fn of BOOL) {
  test(fn, () => {
    const bits = (seed: number) => Int32Array.from({ length: 100 }, (_, i) => (i >> seed) & 1);
    check(fn, 'i32', [bits(0), bits(1)]);
  });
}

test('clip, madd and select', () => {
  const x = spread(1001, 21);
  check('clip', 'f32', [x, x.map(() => -1), x.map(() => 2)]);
  check('madd', 'f32', [x, x.map((v) => v * v), x.map(() => 0)]);
  check('select', 'i32', [integers(1001, 3).map((v) => v & 1), integers(1001, 4), integers(1001, 5)]);
});

test('clip and relu keep NaN', () => {
  const nan = Float32Array.from({ length: 9 }, () => Number.NaN);
  check('clip', 'f32', [nan, nan.map(() => 0), nan.map(() => 1)]);
  for (const fn of ['relu', 'relu6', 'elu', 'max', 'min'] as const) {
    check(fn, 'f32', arity(fn) === 2 ? [nan, nan.map(() => 0)] : [nan]);
  }
});
