/** Cases of reductions over every subset of axes, and of what is made of them. */
import * as tf from '@tensorflow/tfjs-core';
import { axisSubsets, type Case, type Cases } from './cases.ts';
import { bools, floats, ints, specials, type Tolerance } from './compare.ts';

type Reduction = (x: tf.Tensor, axis?: number | number[], keepDims?: boolean) => tf.Tensor;

/** Sums cancel: what counts is the error relative to the largest result. */
const SUMS: Tolerance = { ofMax: true };

/** Shapes with long and short, few and many rows: the reduction over one axis, over the other, over both. */
const LONG: readonly (readonly number[])[] = [
  ...[
    [37, 129],
    [3, 4100],
    [4100, 3],
    [1, 999],
    [999, 1],
    [64, 64],
  ],
];

function reduction(
  f: Reduction,
  make: (shape: readonly number[], seed: number) => tf.Tensor,
  label: string,
  tolerance: Tolerance = {},
): Case[] {
  const everyAxis = (shape: readonly number[], keepDims: boolean) =>
    axisSubsets(shape.length).map((axes) => f(make(shape, 2), axes, keepDims));
  return [
    { name: `${label}: every subset of 4 axes`, run: () => everyAxis([2, 3, 4, 5], false), tolerance },
    { name: `${label}: every subset, keeping them`, run: () => everyAxis([3, 1, 2, 7], true), tolerance },
    { name: `${label}: long`, run: () => LONG.flatMap((shape) => everyAxis(shape, false)), tolerance },
    { name: `${label}: rank 3`, run: () => everyAxis([5, 70, 33], false), tolerance },
    { name: `${label}: rank 6`, run: () => f(make([2, 3, 1, 2, 3, 2], 1), [1, 3, 4]), tolerance },
    { name: `${label}: all of it`, run: () => [f(make([], 1)), f(make([1], 1)), f(make([17, 23], 1))], tolerance },
    { name: `${label}: negative axis`, run: () => f(make([4, 5, 6], 1), -1), tolerance },
    {
      name: `${label}: of views`,
      run: () => [
        f(tf.transpose(make([12, 7, 5], 1), [2, 0, 1]), 1),
        f(tf.slice(make([12, 17], 1), [2, 3], [9, 11]), 0),
        f(tf.reverse(make([12, 17], 1), 1), 1),
      ],
      tolerance,
    },
  ];
}

const withNaN = (f: Reduction): Case[] => [
  {
    name: 'NaN and infinities',
    run: () => {
      const x = tf.reshape(
        tf.tile(tf.where(tf.isFinite(specials()), tf.clipByValue(specials(), -64, 64), specials()), [4]),
        [4, 5, 7],
      );
      const finite = tf.tensor2d([1, Number.POSITIVE_INFINITY, -2, 0, 5, Number.NEGATIVE_INFINITY], [2, 3]);
      return [f(x, 0), f(x, 1), f(x, 2), f(finite, 0), f(finite, 1), f(finite)];
    },
    tolerance: { absolute: 1e-5 },
  },
];

function argument(f: (x: tf.Tensor, axis: number) => tf.Tensor): Case[] {
  const shapes = [[7], [3, 5], [33, 129], [5, 6, 7], [2, 3, 4, 5], [4100, 3], [3, 4100]];
  const over = (make: (shape: readonly number[]) => tf.Tensor) =>
    shapes.flatMap((shape) => shape.map((_, axis) => f(make(shape), axis)));
  return [
    { name: 'every axis', run: () => over((shape) => floats(shape)) },
    { name: 'ties go to the first', run: () => over((shape) => tf.cast(ints(shape, 1, 0, 3), 'float32')) },
    { name: 'int32', run: () => over((shape) => ints(shape)) },
    { name: 'special values', run: () => f(tf.reshape(specials(), [5, 7]), 1) },
    { name: 'negative axis', run: () => f(floats([4, 5, 6]), -2) },
    { name: 'of a view', run: () => f(tf.transpose(floats([4, 5, 6])), 1) },
  ];
}

function softmax(f: (x: tf.Tensor) => tf.Tensor): Case[] {
  const tolerance = { absolute: 1e-7 };
  const shapes = [[1], [10], [3, 10], [128, 10], [2, 3, 1000], [5, 1], [2, 3, 2, 5]];
  return [
    { name: 'every rank', run: () => shapes.map((shape) => f(floats(shape))), tolerance },
    { name: 'large logits', run: () => f(floats([5, 33], 1, -1000, 1000)), tolerance: { absolute: 1e-4 } },
    { name: 'equal logits', run: () => f(tf.fill([40, 50], 3.5)), tolerance },
    { name: 'minus infinity', run: () => f(tf.tensor2d([0, Number.NEGATIVE_INFINITY, 1, 2], [2, 2])), tolerance },
    { name: 'NaN', run: () => f(tf.tensor2d([0, Number.NaN, 1, 2], [2, 2])), tolerance },
  ];
}

const positive = (shape: readonly number[], seed: number) => floats(shape, seed, 0.9, 1.1);

/** The kernel, which graph models call; on the cpu backend, which lacks it, tfjs-core's composite. */
function logSoftmax(logits: tf.Tensor): tf.Tensor {
  if (tf.getBackend() === 'cpu') return tf.logSoftmax(logits);
  return tf.engine().runKernel('LogSoftmax', { logits }, { axis: logits.rank - 1 }) as tf.Tensor;
}

/** Sums and products along each axis, with and without the element itself, from either end. */
function running(op: typeof tf.cumsum): Case[] {
  return [[7], [3, 5], [2, 9, 4], [5, 1, 3, 40]].flatMap((shape) =>
    shape.map((_, axis) => ({
      name: `[${shape}] along ${axis}`,
      run: () =>
        [false, true].flatMap((exclusive) =>
          [false, true].map((reverse) => op(floats(shape), axis, exclusive, reverse)),
        ),
      tolerance: { ofMax: true },
    })),
  );
}

export const reduceCases: Cases = {
  Sum: [
    ...reduction(tf.sum, floats, 'float32', SUMS),
    ...reduction(tf.sum, ints, 'int32'),
    { name: 'of bools', run: () => tf.sum(bools([9, 33]), 1) },
    ...withNaN(tf.sum),
  ],
  Mean: [
    ...reduction(tf.mean, floats, 'float32', SUMS),
    ...reduction(tf.mean, ints, 'int32', SUMS),
    { name: 'of bools', run: () => tf.mean(bools([9, 33]), 1) },
    ...withNaN(tf.mean),
  ],
  Max: [...reduction(tf.max, floats, 'float32'), ...reduction(tf.max, ints, 'int32'), ...withNaN(tf.max)],
  Min: [...reduction(tf.min, floats, 'float32'), ...reduction(tf.min, ints, 'int32'), ...withNaN(tf.min)],
  Prod: [...reduction(tf.prod, positive, 'float32', { relative: 1e-4 }), ...reduction(tf.prod, ints, 'int32')],
  All: reduction(tf.all, (shape, seed) => bools(shape, seed, 0.95), 'bool'),
  Any: reduction(tf.any, (shape, seed) => bools(shape, seed, 0.05), 'bool'),
  ArgMax: argument(tf.argMax),
  ArgMin: argument(tf.argMin),
  Cumsum: running(tf.cumsum),
  Cumprod: running(tf.cumprod),
  Softmax: softmax(tf.softmax),
  LogSoftmax: softmax(logSoftmax),
};
