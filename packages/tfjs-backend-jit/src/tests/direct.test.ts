/**
 * Small new programs are run step by step, and compiled when they come back: both ways give the same bits. Random
 * programs run on two backends, one of which compiles everything, over numbers of every kind: NaN, −0, infinities,
 * denormals, integers that overflow.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import type { JitBackend } from '../backend.ts';
import {
  assertSameBits,
  type Backend,
  COMPILED,
  floats,
  Random,
  type Result,
  snapshot,
  specials,
} from './testing/compare.ts';
import { operations, type Source, small, wholeNumbers } from './testing/random-program.ts';

/** Programs that a backend compiled and ran. */
const runsOf = (name: Backend) => (tf.findBackend(name) as JitBackend).engine.lastRun;

await tf.setBackend('jit');
await tf.setBackend(COMPILED);

const SPECIAL = [...specials().dataSync(), 1e-40, -1e-40, 1.5e-45, 3e38, -3e38, 2 ** 31, -(2 ** 31), 2 ** 33, 16777217];

/** Floats of all magnitudes. */
function wild(shape: readonly number[], random: Random): tf.Tensor {
  const draw = () => (random.chance(0.25) ? random.pick(SPECIAL) : (random.next() - 0.5) * 10 ** (random.int(9) - 4));
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(Float32Array.from({ length: size }, draw), [...shape]);
}

type Operation = (x: tf.Tensor, source: Source) => tf.Tensor;

const integers = (x: tf.Tensor) => tf.cast(x, 'int32');
const matrix = (x: tf.Tensor): tf.Tensor => {
  const [columns = 1] = x.shape.slice(-1);
  return tf.reshape(x, [x.size / columns, columns]);
};
const axisOf = (x: tf.Tensor, random: Random) => random.int(Math.max(1, x.rank));
const onAxis = (f: (x: tf.Tensor, axis: number) => tf.Tensor): Operation => {
  return (x, { random }) => (x.rank === 0 ? tf.neg(x) : f(x, axisOf(x, random)));
};
const unary = [
  ...[tf.exp, tf.expm1, tf.log, tf.log1p, tf.sigmoid, tf.tanh, tf.softplus, tf.erf, tf.sin, tf.cos, tf.elu, tf.selu],
  ...[tf.sqrt, tf.rsqrt, tf.reciprocal, tf.square, tf.floor, tf.ceil, tf.round, tf.sign, tf.abs, tf.neg, tf.relu],
  ...[tf.relu6, tf.leakyRelu, tf.step, tf.logSigmoid, tf.onesLike, tf.zerosLike],
] as readonly ((x: tf.Tensor) => tf.Tensor)[];
const binary = [tf.add, tf.sub, tf.mul, tf.div, tf.maximum, tf.minimum, tf.pow, tf.mod, tf.atan2, tf.divNoNan] as const;
const binaryInt = [tf.add, tf.sub, tf.mul, tf.maximum, tf.minimum] as const;
const folds = [tf.sum, tf.mean, tf.prod, tf.max, tf.min] as const;

/** What the whole numbers of `operations` leave out. */
const further: Readonly<Record<string, Operation>> = {
  unary: (x, { random }) => random.pick(unary)(x),
  sameUnary: (x, { random }) => tf.add(random.pick(unary)(x), random.pick(unary)(x)),
  binary: (x, s) => s.random.pick(binary)(x, s.like(x)),
  scalar: (x, { random }) => random.pick(binary)(x, random.pick(SPECIAL)),
  withRow: (x, s) => s.random.pick(binary)(x, x.rank === 0 ? s.like(x) : tf.slice(s.like(x), 0, 1)),
  affine: (x, s) => tf.add(tf.mul(x, s.like(x)), s.like(x)),
  test: (x, { random }) => tf.cast(random.pick([tf.isNaN, tf.isInf, tf.isFinite])(x), 'float32'),
  clip: (x) => tf.clipByValue(x, -1e3, 1e3),
  floorDiv: (x, s) => tf.cast(tf.floorDiv(x, s.like(x)), 'float32'),
  integers: (x, s) =>
    tf.cast(s.random.pick(binaryInt)(tf.mul(integers(x), integers(x)), integers(s.like(x))), 'float32'),
  integerFolds: (x, { random }) =>
    tf.cast(random.pick([tf.sum, tf.max, tf.min])(tf.mul(integers(x), 65537)), 'float32'),
  folds: onAxis((x, axis) => tf.sum(x, axis, true)),
  fold: (x, { random }) =>
    random.pick(folds)(
      x,
      x.shape.map((_, a) => a).filter(() => random.chance(0.5)),
    ),
  softmax: onAxis((x) => tf.softmax(x)),
  logSoftmax: onAxis((x) => tf.logSoftmax(x)),
  argMin: onAxis((x, axis) => tf.cast(tf.argMin(x, axis), 'float32')),
  cumsum: onAxis((x, axis) => tf.cumsum(x, axis)),
  moments: (x) => tf.sqrt(tf.moments(x).variance),
  addN: (x, s) => tf.addN([x, s.like(x), x]),
  where: (x, s) => tf.where(tf.greater(x, 0), s.like(x), tf.exp(x)),
  matMul: (x, s) => {
    const a = matrix(x);
    const b = wild([a.shape[1] ?? 1, 1 + s.random.int(5)], s.random);
    return s.random.chance(0.5) ? tf.matMul(a, b) : tf.matMul(b, a, true, true);
  },
  product: (x) => (x.size > 400 ? tf.neg(x) : tf.matMul(matrix(x), matrix(x), false, true)),
  inner: (x, s) => tf.matMul(tf.reshape(x, [1, x.size]), tf.reshape(s.like(x), [x.size, 1])),
  batchProduct: (x) => (x.rank < 3 || x.size > 400 ? tf.abs(x) : tf.matMul(x, x, true, false)),
  segments: (x, { random }) =>
    x.rank === 0
      ? tf.neg(x)
      : tf.unsortedSegmentSum(
          x,
          tf.tensor1d(
            Array.from({ length: x.shape[0] }, () => random.int(3)),
            'int32',
          ),
          3,
        ),
  mirror: (x, { random }) => tf.mirrorPad(tf.reshape(x, [x.size]), [[0, random.int(x.size)]], 'reflect'),
  layer: (x, s) => {
    if (x.rank !== 4) return tf.neg(x);
    const filter = wild([3, 3, x.shape[3] ?? 1, 16], s.random) as tf.Tensor4D;
    const y = tf.conv2d(x as tf.Tensor4D, filter, 1, 'same');
    return tf.slice(tf.relu(tf.add(tf.mul(y, wild([16], s.random)), wild([16], s.random))), [0, 0, 0, 0], x.shape);
  },
  normalised: (x, s) => {
    if (x.rank !== 4) return tf.neg(x);
    const filter = floats([3, 3, x.shape[3] ?? 1, 16], s.random.int(99)) as tf.Tensor4D;
    const inputs = {
      x: tf.conv2d(x as tf.Tensor4D, filter, 1, 'same'),
      scale: floats([16], 1),
      offset: floats([16], 2),
    };
    const [y] = tf.engine().runKernel('FusedBatchNormV3', inputs, { epsilon: 1e-3 }) as tf.Tensor[];
    return tf.slice(y, [0, 0, 0, 0], x.shape);
  },
  depthwise: (x, s) =>
    x.rank === 4
      ? tf.depthwiseConv2d(x as tf.Tensor4D, wild([2, 2, x.shape[3] ?? 1, 1], s.random) as tf.Tensor4D, 1, 'same')
      : tf.neg(x),
  pools: (x, { random }) =>
    x.rank === 4
      ? random.pick([tf.avgPool, tf.maxPool])(
          tf.pad(x as tf.Tensor4D, [
            [0, 0],
            [1, 0],
            [0, 1],
            [0, 0],
          ]),
          2,
          1,
          'valid',
        )
      : tf.neg(x),
  resize: (x) => (x.rank === 4 ? tf.image.resizeBilinear(x as tf.Tensor4D, [3, 7]) : tf.neg(x)),
};

const ALL = { ...operations, ...further };
const NAMES = Object.keys(ALL);
const SHAPES = [
  [],
  [5],
  [64],
  [3, 5],
  [8, 9],
  [2, 3, 4],
  [33, 4],
  [1, 37],
  [2, 300],
  [2, 4, 4, 3],
  [1, 6, 5, 16],
  [2, 9, 9, 2],
  [130],
  [2, 2, 3, 2],
];

/** Runs the program of a seed and returns all that was read, in order. */
async function execute(seed: number, backend: Backend, steps: number): Promise<Result[]> {
  await tf.setBackend(backend);
  const results: Result[] = [];
  for (let round = 0; round < 4; round++) {
    const data = new Random(1000 * seed + round);
    const random = new Random(seed);
    const alive = [1, 2, 3].map(() => wild(random.pick(SHAPES), data));
    const source: Source = {
      maxSize: 600,
      random,
      any: () => random.pick(alive),
      like(x) {
        const same = alive.filter((y) => y.shape.join() === x.shape.join());
        return random.chance(0.6)
          ? random.pick([...same, x])
          : random.chance(0.2)
            ? wholeNumbers(x.shape, data)
            : wild(x.shape, data);
      },
    };
    for (let step = 0; step < steps; step++) {
      const name = random.pick(NAMES);
      alive.push(tf.tidy(() => small(ALL[name](source.any(), source), source.maxSize)));
      if (random.chance(0.3)) results.push(snapshot(source.any()));
    }
    for (const tensor of alive) results.push(snapshot(tensor));
    tf.dispose(alive);
  }
  return results;
}

for (const [steps, seeds] of [
  [1, 1000],
  [6, 400],
  [25, 150],
]) {
  test(`programs of ${steps} operations give the same bits step by step and compiled`, async () => {
    const compiledBefore = [runsOf('jit'), runsOf(COMPILED)];
    for (let seed = 1; seed <= seeds; seed++) {
      const expected = await execute(seed, COMPILED, steps);
      const actual = await execute(seed, 'jit', steps);
      assert.equal(actual.length, expected.length);
      for (const [i, reference] of expected.entries()) {
        assertSameBits(actual[i], reference, `seed ${seed}, read ${i} [${reference.shape}]`);
      }
    }
    const [some, all] = [runsOf('jit') - compiledBefore[0], runsOf(COMPILED) - compiledBefore[1]];
    assert.ok(some < all / 2, `most programs run step by step: of ${all} runs ${some} were compiled`);
  });
}

test('a program is compiled when its runs would have paid for it, and never where a run is nothing', async () => {
  await tf.setBackend('jit');
  const runs = (times: number, body: (x: tf.Tensor) => tf.Tensor, size: number) => {
    const before = runsOf('jit');
    for (let i = 0; i < times; i++) tf.tidy(() => body(floats([size], i)).dataSync());
    return runsOf('jit') - before;
  };
  assert.equal(
    runs(500, (x) => tf.add(x, 1), 40),
    0,
  );
  const work = (x: tf.Tensor) => tf.tanh(tf.tanh(tf.tanh(tf.tanh(x))));
  assert.equal(runs(3, work, 4000), 0);
  const compiled = runs(40, work, 4000);
  assert.ok(compiled > 20 && compiled < 40, `${compiled} of 40`);
});

test('a small program does not wait for what is still being computed', async () => {
  await tf.setBackend('jit');
  const x = tf.tidy(() => tf.eye(1200));
  const y = tf.matMul(x, x);
  await Promise.resolve(); // the turn ends, the product runs
  const before = runsOf('jit');
  const z = tf.tidy(() => tf.neg(tf.slice(y, [2, 0], [1, 4])));
  const reading = z.data();
  assert.equal(runsOf('jit') - before, 1, 'it is queued behind the product');
  assert.deepEqual([...(await reading)], [-0, -0, -1, -0]);
  tf.dispose([x, y, z]);
});
