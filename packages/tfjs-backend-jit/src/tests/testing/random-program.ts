/**
 * Random programs over small whole numbers, so that every backend must give the same bits: sums and products stay
 * below 2^24, where float32 is exact. The choices depend on the seed and on shapes, never on values.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Random } from './compare.ts';

/** Values stay within ±LIMIT; so sums of 18,000 products are exact. */
const LIMIT = 30;

const within = (x: tf.Tensor) => tf.clipByValue(x, -LIMIT, LIMIT);
const half = (x: tf.Tensor) => tf.floor(tf.mul(x, 0.5));

/** Whole numbers in ±4. */
export function wholeNumbers(shape: readonly number[], random: Random): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, () => random.int(9) - 4),
    [...shape],
  );
}

/** What an operation may draw from: a living tensor, one that broadcasts with another, chance. */
export interface Source {
  /** Tensors grow to about this many elements; at most 18,000. */
  readonly maxSize: number;
  readonly random: Random;
  any(): tf.Tensor;
  /** A living tensor of this shape, if there is one beside chance's choice of a fresh one. */
  like(x: tf.Tensor): tf.Tensor;
}

type Operation = (x: tf.Tensor, source: Source) => tf.Tensor;

function factor(size: number, random: Random): number[] {
  const shape: number[] = [];
  let rest = size;
  while (rest > 1 && shape.length < 4) {
    const divisors = Array.from({ length: rest }, (_, i) => i + 1).filter((d) => rest % d === 0 && d > 1);
    const d = random.pick(divisors);
    shape.push(d);
    rest /= d;
  }
  if (rest > 1) shape.push(rest);
  if (random.chance(0.3)) shape.splice(random.int(shape.length + 1), 0, 1);
  return shape;
}

function shuffled(n: number, random: Random): number[] {
  const order = [...Array(n).keys()];
  for (let i = n - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

function someAxes(x: tf.Tensor, random: Random): number[] {
  return x.shape.map((_, axis) => axis).filter(() => random.chance(0.5));
}

/** Something that broadcasts with x: its own shape, a row, a column, a scalar. */
function partner(x: tf.Tensor, source: Source): tf.Tensor {
  const { random } = source;
  const y = source.like(x);
  if (x.rank === 0 || random.chance(0.5)) return y;
  const axes = someAxes(x, random);
  if (random.chance(0.3)) return within(tf.sum(y, axes, true));
  return tf.slice(
    y,
    x.shape.map((d, axis) => (axes.includes(axis) ? random.int(d) : 0)),
    x.shape.map((d, axis) => (axes.includes(axis) ? 1 : d)),
  );
}

const matrix = (x: tf.Tensor, random: Random): tf.Tensor2D => {
  const columns = x.rank === 0 ? 1 : random.pick(x.shape);
  return tf.reshape(x, [x.size / columns, columns]);
};

const compare = [tf.greater, tf.less, tf.equal, tf.notEqual, tf.greaterEqual, tf.lessEqual] as const;

export const operations: Readonly<Record<string, Operation>> = {
  neg: (x) => tf.neg(x),
  abs: (x) => tf.abs(x),
  relu: (x) => tf.relu(x),
  step: (x) => tf.step(x),
  sign: (x) => tf.sign(x),
  square: (x) => within(tf.square(x)),
  relu6: (x) => tf.relu6(x),
  half,
  leakyRelu: (x) => tf.floor(tf.leakyRelu(x, 0.25)),
  sqrt: (x) => tf.floor(tf.sqrt(tf.abs(x))),
  add: (x, s) => within(tf.add(x, partner(x, s))),
  sub: (x, s) => within(tf.sub(partner(x, s), x)),
  mul: (x, s) => within(tf.mul(x, partner(x, s))),
  maximum: (x, s) => tf.maximum(x, partner(x, s)),
  minimum: (x, s) => tf.minimum(partner(x, s), x),
  squaredDifference: (x, s) => within(tf.squaredDifference(x, partner(x, s))),
  prelu: (x, s) => within(tf.prelu(x, s.like(x))),
  addN: (x, s) => within(tf.addN([x, s.like(x), s.like(x)])),
  scalars: (x, s) => within(tf.add(tf.mul(x, s.random.int(3)), s.random.int(5))),
  selfAdd: (x) => within(tf.add(x, x)),
  where: (x, s) => tf.where(s.random.pick(compare)(x, partner(x, s)), x, s.like(x)),
  logic: (x, s) => {
    const [a, b] = [tf.greater(x, 0), s.random.pick(compare)(s.like(x), 1)];
    return tf.cast(tf.logicalOr(tf.logicalAnd(a, b), tf.logicalNot(b)), 'float32');
  },
  integers: (x, s) => {
    const [a, b] = [tf.cast(x, 'int32'), tf.cast(s.like(x), 'int32')];
    return within(tf.cast(tf.add(tf.mul(a, b), tf.maximum(a, tf.neg(b))), 'float32'));
  },
  zeros: (x) => tf.sub(tf.onesLike(x), tf.zerosLike(x)),
  fill: (x, s) => within(tf.add(x, tf.fill(x.shape, s.random.int(4)))),
  reshape: (x, s) => tf.reshape(x, factor(x.size, s.random)),
  transpose: (x, s) => tf.transpose(x, shuffled(x.rank, s.random)),
  slice: (x, { random }) => {
    if (x.rank === 0) return tf.clone(x);
    const begin = x.shape.map((d) => random.int(d));
    return tf.slice(
      x,
      begin,
      x.shape.map((d, axis) => 1 + random.int(d - begin[axis])),
    );
  },
  stridedSlice: (x, { random }) => {
    if (x.rank === 0) return tf.clone(x);
    const back = x.shape.map(() => random.chance(0.4));
    return tf.stridedSlice(
      x,
      x.shape.map((_, a) => (back[a] ? -1 : 0)),
      x.shape.map((d, a) => (back[a] ? -d - 1 : d)),
      x.shape.map((_, a) => (1 + random.int(2)) * (back[a] ? -1 : 1)),
    );
  },
  reverse: (x, s) => tf.reverse(x, someAxes(x, s.random)),
  tile: (x, { random, maxSize }) =>
    x.size > maxSize / 4 || x.rank === 0
      ? half(x)
      : tf.tile(
          x,
          x.shape.map(() => 1 + random.int(2)),
        ), // prettier
  concat: (x, s) => {
    if (x.rank === 0 || x.size > s.maxSize / 3) return half(x);
    const axis = s.random.int(x.rank);
    return tf.concat(s.random.chance(0.5) ? [x, s.like(x)] : [s.like(x), x, x], axis);
  },
  stack: (x, s) =>
    x.size > s.maxSize / 2 || x.rank > 4 ? half(x) : tf.stack([x, s.like(x)], s.random.int(x.rank + 1)),
  unstack: (x, { random }) => {
    if (x.rank === 0) return tf.clone(x);
    const axis = random.int(x.rank);
    const parts = tf.unstack(x, axis);
    return within(tf.sub(parts[random.int(parts.length)], parts[random.int(parts.length)]));
  },
  split: (x, { random }) => {
    const axis = x.shape.findIndex((d) => d % 2 === 0);
    return axis < 0
      ? half(x)
      : tf.maximum(...(tf.split(x, 2, axis).toSorted(() => (random.chance(0.5) ? 1 : -1)) as [tf.Tensor, tf.Tensor]));
  },
  pad: (x, { random, maxSize }) =>
    x.size > maxSize / 4 || x.rank === 0
      ? half(x)
      : tf.pad(
          x,
          x.shape.map(() => [random.int(2), random.int(2)] as [number, number]),
          random.int(3),
        ),
  gather: (x, { random }) => {
    if (x.rank === 0) return tf.clone(x);
    const axis = random.int(x.rank);
    const indices = Int32Array.from({ length: 1 + random.int(x.shape[axis]) }, () => random.int(x.shape[axis]));
    return tf.gather(x, tf.tensor1d(indices, 'int32'), axis);
  },
  oneHot: (x, { maxSize }) =>
    x.size > maxSize / 5 || x.rank > 4
      ? half(x)
      : tf.oneHot(tf.cast(tf.minimum(tf.abs(x), 5), 'int32'), 5, 1, 0, 'float32'),
  sum: (x, s) => within(tf.sum(x, someAxes(x, s.random), s.random.chance(0.4))),
  max: (x, s) => tf.max(x, someAxes(x, s.random), s.random.chance(0.4)),
  min: (x, s) => tf.min(x, someAxes(x, s.random), s.random.chance(0.4)),
  sums: (x, s) => {
    const axes = someAxes(x, s.random);
    return within(tf.sub(tf.sum(tf.square(x), axes), tf.sum(tf.abs(x), axes)));
  },
  centred: (x, s) => within(tf.sub(x, tf.max(x, someAxes(x, s.random), true))),
  argMax: (x, { random }) => (x.rank === 0 ? tf.clone(x) : tf.cast(tf.argMax(x, random.int(x.rank)), 'float32')),
  any: (x, s) => tf.cast(tf.any(tf.greater(x, 2), someAxes(x, s.random)), 'float32'),
  matMul: (x, s) => {
    const [a, b] = [matrix(x, s.random), matrix(s.like(x), s.random)];
    const square = a.shape[1] === b.shape[1] && a.shape[0] * b.shape[0] <= s.maxSize;
    if (square) return within(tf.matMul(a, b, false, true));
    return within(tf.matMul(a, wholeNumbers([a.shape[1], 1 + s.random.int(6)], s.random) as tf.Tensor2D));
  },
  conv2d: (x, { random }) => {
    if (x.rank !== 4) return half(x);
    const filter = wholeNumbers([1 + random.int(3), 1 + random.int(3), x.shape[3] ?? 1, 1 + random.int(4)], random);
    return within(tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1 + random.int(2), 'same'));
  },
  maxPool: (x, { random }) =>
    x.rank === 4 ? tf.maxPool(x as tf.Tensor4D, 1 + random.int(3), 1 + random.int(2), 'same') : half(x),
  clone: (x) => tf.clone(x),
};

/** Something of `x` that is not too large to go on with. */
export function small(x: tf.Tensor, maxSize: number): tf.Tensor {
  if (x.size <= maxSize) return x;
  const axis = x.shape.indexOf(Math.max(...x.shape));
  return tf.slice(x, 0, 1).size <= maxSize && axis === 0 ? tf.slice(x, 0, 1) : within(tf.sum(x, axis));
}
