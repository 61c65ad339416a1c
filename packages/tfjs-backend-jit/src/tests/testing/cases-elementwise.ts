/** Cases of the element-wise kernels: every rank, broadcasting, types, and the values where functions go wrong. */
import * as tf from '@tensorflow/tfjs-core';
import { type Case, type Cases, PAIRS, SHAPES } from './cases.ts';
import { bools, floats, ints, specials, type Tolerance } from './compare.ts';

type Unary = (x: tf.Tensor) => tf.Tensor;
type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

/** Values around zero crossings are right to this much in absolute terms. */
const NEAR: Tolerance = { absolute: 2e-7 };

interface UnaryOptions {
  readonly low?: number;
  readonly high?: number;
  readonly tolerance?: Tolerance;
  /** Magnitudes above this are left out of the special values (angles lose their meaning in float32). */
  readonly below?: number;
  readonly int?: boolean;
}

function unary(f: Unary, { low = -4, high = 4, tolerance = NEAR, below, int = false }: UnaryOptions = {}): Case[] {
  const special = () => {
    const all = specials();
    if (below === undefined) return all;
    const kept = [...all.dataSync()].filter((v) => !(Math.abs(v) > below) || Math.abs(v) === Number.POSITIVE_INFINITY);
    return tf.tensor1d(kept);
  };
  return [
    { name: 'every rank', run: () => SHAPES.map((shape) => f(floats(shape, 3, low, high))), tolerance },
    { name: 'special values', run: () => f(special()), tolerance },
    { name: 'tiny arguments', run: () => f(floats([300], 4, -1e-4, 1e-4)), tolerance: { absolute: 1e-9 } },
    ...(int ? [{ name: 'int32', run: () => SHAPES.map((shape) => f(ints(shape))) }] : []),
  ];
}

interface BinaryOptions {
  readonly tolerance?: Tolerance;
  readonly low?: number;
  /** Also of int32 tensors, without a fallback or with one. */
  readonly int?: boolean;
  readonly special?: boolean;
}

function binary(f: Binary, { tolerance = NEAR, low = -4, int = false, special = true }: BinaryOptions = {}): Case[] {
  const pairs = (a: typeof floats, b: typeof floats) => PAIRS.map(([p, q]) => f(a(p, 5, low), b(q, 6, low)));
  return [
    { name: 'broadcasting', run: () => pairs(floats, floats), tolerance },
    ...(special
      ? [
          {
            name: 'special values',
            run: () => f(tf.expandDims(specials(), 1), tf.expandDims(specials(), 0)),
            tolerance,
          },
        ]
      : []),
    ...(int ? [{ name: 'int32', run: () => PAIRS.map(([p, q]) => f(ints(p, 5), ints(q, 6, 1, 10))) }] : []),
  ];
}

function comparison(f: Binary): Case[] {
  return [
    ...binary(f, { int: true }),
    { name: 'equal values', run: () => f(ints([40], 1, 0, 3), ints([40], 2, 0, 3)) },
    { name: 'bool', run: () => PAIRS.map(([p, q]) => f(bools(p, 7), bools(q, 8))) },
  ];
}

function logical(f: Binary): Case[] {
  return [{ name: 'bool', run: () => PAIRS.map(([p, q]) => f(bools(p, 7), bools(q, 8))) }];
}

/** Exact quotients, negative ones, and those that are not numbers. Beyond float32's whole numbers they mean nothing. */
function quotients(f: Binary): Case[] {
  const a = [0, 1, -1, 6, -6, 7.5, -7.5, 0.25, 100, -100, 1000.5, Number.NaN];
  const b = [1, -1, 2, -2, 3, -3, 0.5, -0.25, 7.5, 10, -10];
  return [
    { name: 'quotients', run: () => f(tf.expandDims(tf.tensor1d(a), 1), tf.expandDims(tf.tensor1d(b), 0)) },
    { name: 'by zero', run: () => f(tf.tensor1d([0]), tf.tensor1d([0])) },
  ];
}

const tests = (f: Unary): Case[] => [
  { name: 'every rank', run: () => SHAPES.map((shape) => f(floats(shape))) },
  { name: 'special values', run: () => f(specials()) },
];

const kernel = (name: string, inputs: tf.NamedTensorMap, attrs = {}) =>
  tf.engine().runKernel(name, inputs, attrs) as tf.Tensor;

const DTYPES = ['float32', 'int32', 'bool'] as const;
const make = { float32: floats, int32: ints, bool: bools } as const;
/** Out of int32's range a cast is undefined. */
const castable = () => tf.tensor1d([0, -0, 0.3, -0.3, 0.9, 1, -1, 2.5, -2.5, 1e6, -1e6, 2e9, -2e9, Number.NaN]);

export const elementwiseCases: Cases = {
  Abs: unary(tf.abs, { int: true }),
  Neg: unary(tf.neg, { int: true }),
  Exp: unary(tf.exp),
  Expm1: unary(tf.expm1),
  Log: unary(tf.log, { low: 0.01 }),
  Log1p: unary(tf.log1p, { low: -0.9 }),
  Sqrt: unary(tf.sqrt, { low: 0 }),
  Rsqrt: unary(tf.rsqrt, { low: 0.01 }),
  Square: unary(tf.square),
  Reciprocal: unary(tf.reciprocal),
  Sigmoid: unary(tf.sigmoid),
  Tanh: unary(tf.tanh),
  Softplus: unary(tf.softplus),
  Erf: unary(tf.erf),
  Sin: unary(tf.sin, { low: -20, high: 20, below: 100 }),
  Cos: unary(tf.cos, { low: -20, high: 20, below: 100 }),
  Floor: unary(tf.floor),
  Ceil: unary(tf.ceil),
  Round: unary(tf.round),
  Sign: unary(tf.sign),
  Relu: unary(tf.relu, { int: true }),
  Relu6: unary(tf.relu6, { low: -4, high: 10 }),
  Elu: unary(tf.elu),
  Selu: unary(tf.selu),
  IsNan: tests(tf.isNaN),
  IsInf: tests(tf.isInf),
  IsFinite: tests(tf.isFinite),
  LogicalNot: [{ name: 'every rank', run: () => SHAPES.map((shape) => tf.logicalNot(bools(shape))) }],
  Add: binary(tf.add, { int: true }),
  Sub: binary(tf.sub, { int: true }),
  Multiply: binary(tf.mul, { int: true }),
  RealDiv: binary(tf.div, { int: true }),
  Maximum: binary(tf.maximum, { int: true }),
  Minimum: binary(tf.minimum, { int: true }),
  Pow: [
    ...binary(tf.pow, { low: 0.1, int: true }),
    { name: 'negative bases', run: () => tf.pow(floats([50, 1], 1), tf.tensor1d([-3, -2, -1, 0, 1, 2, 3, 0.5])) },
    { name: 'to a scalar', run: () => [tf.pow(floats([70], 1), 2), tf.pow(floats([70], 1, 0), tf.scalar(1.5))] },
  ],
  SquaredDifference: binary(tf.squaredDifference, { int: true }),
  FloorDiv: [...binary(tf.floorDiv, { int: true, special: false }), ...quotients(tf.floorDiv)],
  Mod: [...binary(tf.mod, { int: true, special: false }), ...quotients(tf.mod)],
  Atan2: binary(tf.atan2),
  Prelu: [
    ...binary((a, b) => tf.prelu(a, b)),
    { name: 'one slope a channel', run: () => tf.prelu(floats([2, 5, 5, 7], 1), floats([7], 2)) },
  ],
  Equal: comparison(tf.equal),
  NotEqual: comparison(tf.notEqual),
  Less: comparison(tf.less),
  LessEqual: comparison(tf.lessEqual),
  Greater: comparison(tf.greater),
  GreaterEqual: comparison(tf.greaterEqual),
  LogicalAnd: logical(tf.logicalAnd),
  LogicalOr: logical(tf.logicalOr),
  Step: [...tests((x) => tf.step(x)), ...tests((x) => tf.step(x, 0.25))],
  LeakyRelu: [...unary((x) => tf.leakyRelu(x)), ...unary((x) => tf.leakyRelu(x, 0.05))],
  ClipByValue: [
    ...unary((x) => tf.clipByValue(x, -1.5, 0.7)),
    { name: 'no lower end', run: () => tf.clipByValue(floats([99]), Number.NEGATIVE_INFINITY, 0.5) },
    { name: 'no upper end', run: () => tf.clipByValue(floats([99]), -0.5, Number.POSITIVE_INFINITY) },
    { name: 'integers', run: () => tf.clipByValue(ints([99]), -3, 4) },
  ],
  EluGrad: [
    {
      name: 'every rank',
      run: () => SHAPES.map((shape) => kernel('EluGrad', { dy: floats(shape, 1), y: floats(shape, 2, -1, 2) })),
    },
  ],
  Cast: [
    {
      name: 'all pairs of types',
      run: () => DTYPES.flatMap((from) => DTYPES.map((to) => tf.cast(make[from]([3, 35], 1), to))),
    },
    { name: 'special values', run: () => DTYPES.map((to) => tf.cast(castable(), to)) },
    { name: 'there and back', run: () => tf.cast(tf.cast(tf.cast(floats([70]), 'int32'), 'bool'), 'float32') },
  ],
  AddN: [
    { name: 'every rank', run: () => SHAPES.map((shape) => tf.addN([1, 2, 3].map((seed) => floats(shape, seed)))) },
    { name: 'many', run: () => tf.addN(Array.from({ length: 40 }, (_, seed) => floats([5, 7], seed))) },
    { name: 'one', run: () => tf.addN([floats([5])]) },
    { name: 'int32', run: () => tf.addN([ints([5], 1), ints([5], 2)]) },
  ],
  Select: [
    {
      name: 'all types',
      run: () =>
        DTYPES.flatMap((dtype) =>
          SHAPES.map((shape) => tf.where(bools(shape, 1), make[dtype](shape, 2), make[dtype](shape, 3))),
        ),
    },
    {
      name: 'broadcasting',
      run: () => PAIRS.map(([p, q]) => tf.where(bools(p, 1), floats(p, 2), floats(q, 3))),
    },
    { name: 'NaN not chosen', run: () => tf.where(tf.isNaN(specials()), tf.zerosLike(specials()), specials()) },
    {
      name: 'of rows',
      run: () =>
        DTYPES.map((dtype) => {
          const [t, e] = [2, 3].map((seed) => make[dtype]([9, 4, 3], seed));
          return tf.where(tf.reshape(bools([9]), [9, 1, 1]), t, e);
        }),
    },
  ],
  Fill: [
    {
      name: 'long and short, all types',
      run: () =>
        [[], [3], [40, 50]].flatMap((shape) => [
          ...[0, 1, 2.5, -1e-3, Number.NEGATIVE_INFINITY, Number.NaN].map((value) => tf.fill(shape, value)),
          ...[0, 1, 7].map((value) => tf.fill(shape, value, 'int32')),
          ...[0, 1].map((value) => tf.fill(shape, value, 'bool')),
        ]),
    },
    {
      name: 'zeros and ones',
      run: () => DTYPES.flatMap((dtype) => [tf.zeros([33, 40], dtype), tf.ones([33, 40], dtype), tf.ones([2], dtype)]),
    },
    { name: 'in arithmetic', run: () => tf.add(tf.mul(tf.fill([40, 50], 3), floats([40, 50])), tf.ones([40, 50])) },
  ],
  OnesLike: [{ name: 'all types', run: () => DTYPES.flatMap((d) => SHAPES.map((s) => tf.onesLike(make[d](s)))) }],
  ZerosLike: [{ name: 'all types', run: () => DTYPES.flatMap((d) => SHAPES.map((s) => tf.zerosLike(make[d](s)))) }],
};
