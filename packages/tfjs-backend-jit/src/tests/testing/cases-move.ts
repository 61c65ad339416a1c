/** Cases of the kernels that move elements without computing, alone and upon each other. */
import * as tf from '@tensorflow/tfjs-core';
import { axisSubsets, type Cases, SHAPES } from './cases.ts';
import { bools, floats, ints } from './compare.ts';

const ALL = [floats, ints, bools] as const;

function permutations(n: number): number[][] {
  if (n === 0) return [[]];
  return permutations(n - 1).flatMap((p) => Array.from({ length: n }, (_, at) => p.toSpliced(at, 0, n - 1)));
}

const slice5 = (x: tf.Tensor) => [
  tf.slice(x, [1, 0, 2], [1, 3, 2]),
  tf.slice(x, [0, 1, 0], [-1, -1, 3]),
  tf.slice(x, 1),
  tf.slice(x, [1, 1]),
];

export const moveCases: Cases = {
  Transpose: [
    { name: 'every order of 4 axes', run: () => permutations(4).map((p) => tf.transpose(floats([2, 3, 4, 5]), p)) },
    { name: 'axes of one', run: () => permutations(4).map((p) => tf.transpose(floats([1, 3, 1, 5]), p)) },
    { name: 'reversed, every rank', run: () => SHAPES.map((shape) => tf.transpose(floats(shape))) },
    {
      name: 'large',
      run: () => [
        tf.transpose(floats([65, 70])),
        tf.transpose(floats([128, 256])),
        tf.transpose(floats([3, 64, 65]), [0, 2, 1]),
        tf.transpose(floats([33, 3, 40]), [1, 0, 2]),
        tf.transpose(floats([2, 9, 10, 17]), [0, 3, 1, 2]),
      ],
    },
    { name: 'rank 6', run: () => tf.transpose(floats([2, 3, 1, 4, 2, 3]), [5, 0, 3, 2, 1, 4]) },
    { name: 'all types', run: () => ALL.map((make) => tf.transpose(make([5, 7, 3]), [2, 0, 1])) },
    { name: 'there and back', run: () => tf.transpose(tf.transpose(floats([5, 7, 3]), [2, 0, 1]), [1, 2, 0]) },
  ],
  Slice: [
    { name: 'all types', run: () => ALL.flatMap((make) => slice5(make([3, 4, 5]))) },
    { name: 'one element', run: () => [tf.slice(floats([9]), 4, 1), tf.slice(floats([3, 5]), [2, 4], [1, 1])] },
    { name: 'whole', run: () => tf.slice(floats([3, 5]), [0, 0]) },
    { name: 'long', run: () => [tf.slice(floats([50, 70]), [3, 5], [41, 60]), tf.slice(floats([4000]), 7, 3001)] },
    { name: 'rank 6', run: () => tf.slice(floats([2, 3, 2, 3, 2, 3]), [0, 1, 1, 0, 0, 2], [2, 2, 1, 3, 1, 1]) },
    { name: 'of a slice', run: () => tf.slice(tf.slice(floats([9, 9]), [2, 1], [6, 7]), [1, 3], [4, 2]) },
  ],
  StridedSlice: [
    {
      name: 'strides',
      run: () =>
        ALL.flatMap((make) => [
          tf.stridedSlice(make([9, 10]), [1, 0], [8, 9], [2, 3]),
          tf.stridedSlice(make([9, 10]), [7, -1], [0, -8], [-2, -3]),
        ]),
    },
    {
      name: 'masks',
      run: () => [
        tf.stridedSlice(floats([4, 5, 6]), [1, 1, 1], [3, 3, 3], [1, 1, 1], 0b001, 0b100),
        tf.stridedSlice(floats([4, 5, 6]), [1, 1], [3, 3], [1, 1], 0, 0, 0b01),
        tf.stridedSlice(floats([4, 5, 6]), [1, 0, 1], [3, 1, 3], [1, 1, 1], 0, 0, 0, 0b010),
        tf.stridedSlice(floats([4, 5, 6]), [1, 2, 1], [3, 3, 3], [1, 1, 1], 0, 0, 0, 0, 0b010),
        tf.stridedSlice(floats([4, 5, 6]), [0, 0, 0], [4, 5, 6], [1, 1, 1]),
      ],
    },
    { name: 'backwards', run: () => tf.stridedSlice(floats([77]), [-1], [-78], [-1]) },
  ],
  Reverse: [
    { name: 'every subset', run: () => axisSubsets(3).map((axes) => tf.reverse(floats([3, 4, 5]), axes)) },
    { name: 'all types', run: () => ALL.map((make) => tf.reverse(make([7, 9]), 1)) },
    { name: 'no axes', run: () => tf.reverse(floats([7, 9]), []) },
    { name: 'twice', run: () => tf.reverse(tf.reverse(floats([70]))) },
  ],
  Tile: [
    { name: 'all types', run: () => ALL.map((make) => tf.tile(make([3, 4]), [2, 3])) },
    {
      name: 'ranks',
      run: () => [
        tf.tile(floats([5]), [40]),
        tf.tile(floats([2, 3, 1]), [1, 1, 7]),
        tf.tile(floats([1, 9]), [30, 1]),
        tf.tile(floats([2, 1, 2, 3]), [3, 2, 1, 2]),
        tf.tile(floats([2, 3, 4]), [1, 1, 1]),
      ],
    },
    { name: 'broadcastTo', run: () => tf.broadcastTo(floats([3, 1]), [4, 3, 5]) },
    { name: 'of a view', run: () => tf.tile(tf.transpose(floats([3, 4])), [2, 2]) },
  ],
  Concat: [
    {
      name: 'every axis',
      run: () =>
        [0, 1, 2].map((axis) =>
          tf.concat(
            [3, 1, 2].map((d) => floats([2, 3, 4].with(axis, d), d)),
            axis,
          ),
        ),
    },
    { name: 'all types', run: () => ALL.map((make) => tf.concat([make([3, 5], 1), make([3, 2], 2)], -1)) },
    {
      name: 'many',
      run: () =>
        tf.concat(
          Array.from({ length: 40 }, (_, i) => floats([2, 1 + (i % 3)], i)),
          1,
        ),
    },
    { name: 'one', run: () => tf.concat([floats([3, 4])], 0) },
    { name: 'rank 1', run: () => tf.concat([floats([5]), floats([1]), floats([64])]) },
    { name: 'with an empty one', run: () => tf.concat([floats([2, 3]), tf.zeros([0, 3]), floats([1, 3])], 0) },
    {
      name: 'of views and of itself',
      run: () => {
        const x = floats([4, 6]);
        return tf.concat([x, tf.reshape(tf.transpose(x), [4, 6]), tf.slice(x, [0, 2], [4, 3]), x], 1);
      },
    },
    {
      name: 'the same parts along two axes',
      run: () => {
        const parts = [floats([1, 1, 5], 1), floats([1, 1, 5], 2)];
        return [0, 1, 2].map((axis) => tf.concat(parts, axis));
      },
    },
    { name: 'channels', run: () => tf.concat([floats([2, 9, 9, 3], 1), floats([2, 9, 9, 16], 2)], 3) },
  ],
  Pack: [
    {
      name: 'every axis',
      run: () =>
        [0, 1, 2, -1].map((axis) =>
          tf.stack(
            [1, 2, 3].map((seed) => floats([4, 5], seed)),
            axis,
          ),
        ),
    },
    { name: 'scalars', run: () => tf.stack([1, 2, 3].map((seed) => floats([], seed))) },
    { name: 'all types', run: () => ALL.map((make) => tf.stack([make([7], 1), make([7], 2)], 1)) },
    { name: 'one', run: () => tf.stack([floats([3])]) },
  ],
  Unpack: [
    { name: 'every axis', run: () => [0, 1, 2, -1].flatMap((axis) => tf.unstack(floats([3, 4, 5]), axis)) },
    { name: 'rank 1', run: () => tf.unstack(floats([9])) },
    { name: 'all types', run: () => ALL.flatMap((make) => tf.unstack(make([3, 7]), 1)) },
    { name: 'some of them', run: () => tf.unstack(floats([5, 8]), 0).slice(1, 3) },
    { name: 'and back', run: () => tf.stack(tf.unstack(floats([3, 4, 5]), 1), 2) },
  ],
  SplitV: [
    { name: 'equal parts', run: () => [0, 1, 2].flatMap((axis) => tf.split(floats([4, 6, 8]), 2, axis)) },
    { name: 'sizes', run: () => tf.split(floats([3, 10]), [2, 1, 7], 1) },
    { name: 'with the rest', run: () => tf.split(floats([3, 10]), [2, -1, 3], 1) },
    { name: 'all types', run: () => ALL.flatMap((make) => tf.split(make([6, 3]), [1, 5], 0)) },
  ],
  MirrorPad: [
    {
      name: 'reflect and symmetric',
      run: () =>
        (['reflect', 'symmetric'] as const).flatMap((mode) => [
          tf.mirrorPad(floats([5]), [[2, 3]], mode),
          tf.mirrorPad(
            ints([3, 4, 5]),
            [
              [1, 2],
              [0, 1],
              [2, 2],
            ],
            mode,
          ),
        ]),
    },
  ],
  UnsortedSegmentSum: [
    {
      name: 'rows',
      run: () => [
        tf.unsortedSegmentSum(floats([6, 5]), tf.tensor1d([0, 2, 2, 3, 0, 2], 'int32'), 5),
        tf.unsortedSegmentSum(floats([4, 3, 2]), tf.tensor1d([1, 1, 0, 1], 'int32'), 2),
        tf.unsortedSegmentSum(floats([4]), tf.tensor1d([3, 1, 3, 3], 'int32'), 4),
      ],
    },
  ],
  PadV2: [
    {
      name: 'ranks',
      run: () => [
        tf.pad(floats([5]), [[2, 3]]),
        tf.pad(floats([3, 4]), [
          [1, 0],
          [0, 2],
        ]),
        tf.pad(floats([2, 5, 6, 3]), [
          [0, 0],
          [1, 2],
          [3, 0],
          [0, 0],
        ]),
        tf.pad(floats([2, 1, 3, 2, 2]), [
          [0, 1],
          [1, 0],
          [0, 0],
          [2, 2],
          [1, 1],
        ]),
        tf.pad(floats([33, 40]), [
          [7, 7],
          [5, 6],
        ]),
      ],
    },
    {
      name: 'values',
      run: () =>
        [0, 1, -2.5, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN].map((value) =>
          tf.pad(
            floats([3, 4]),
            [
              [1, 1],
              [2, 0],
            ],
            value,
          ),
        ),
    },
    { name: 'nothing', run: () => tf.pad(floats([7]), [[0, 0]]) },
    { name: 'all types', run: () => [tf.pad(ints([3]), [[1, 1]], 7), tf.pad(bools([3]), [[1, 1]], 1)] },
    {
      name: 'of a view',
      run: () =>
        tf.pad(tf.transpose(floats([3, 4])), [
          [1, 1],
          [2, 0],
        ]),
    },
  ],
  GatherV2: [
    {
      name: 'every axis and rank of indices',
      run: () =>
        [0, 1, 2].flatMap((axis) => [
          tf.gather(floats([3, 4, 5]), tf.scalar(2, 'int32'), axis),
          tf.gather(floats([3, 4, 5]), tf.tensor1d([2, 0, 0, 1], 'int32'), axis),
          tf.gather(floats([3, 4, 5]), ints([2, 3], 1, 0, 3) as tf.Tensor2D, axis),
        ]),
    },
    { name: 'batches', run: () => tf.gather(floats([4, 5, 6]), ints([4, 3], 1, 0, 5) as tf.Tensor2D, 1, 1) },
    { name: 'rows', run: () => tf.gather(floats([100, 64]), ints([77], 1, 0, 100) as tf.Tensor1D) },
    { name: 'all types', run: () => ALL.map((make) => tf.gather(make([9, 3]), tf.tensor1d([8, 1], 'int32'))) },
    {
      name: 'the same along two axes of one',
      run: () => {
        const x = floats([1, 1, 5]);
        return [0, 1].map((axis) => tf.gather(x, tf.tensor1d([0, 0, 0], 'int32'), axis));
      },
    },
  ],
  OneHot: [
    { name: 'ranks', run: () => [[], [7], [3, 4]].map((shape) => tf.oneHot(ints(shape, 1, 0, 5), 5)) },
    { name: 'out of range', run: () => tf.oneHot(tf.tensor1d([-1, 0, 4, 5, 100], 'int32'), 5) },
    { name: 'values', run: () => tf.oneHot(ints([7], 1, 0, 5), 5, 2.5, -1) },
    {
      name: 'types',
      run: () => (['float32', 'int32', 'bool'] as const).map((dtype) => tf.oneHot(ints([7], 1, 0, 5), 5, 1, 0, dtype)),
    },
    { name: 'in arithmetic', run: () => tf.sum(tf.mul(tf.oneHot(ints([20], 1, 0, 9), 9), floats([20, 9])), 1) },
  ],
};
