/** Cases of matrix products, convolutions, pooling and batch normalisation. */
import * as tf from '@tensorflow/tfjs-core';
import type { Case, Cases } from './cases.ts';
import { floats, type Tolerance } from './compare.ts';

/** Sums of products cancel: what counts is the error relative to the largest result. */
const SUMS: Tolerance = { ofMax: true };

type Four = readonly [number, number, number, number];
export type Padding =
  | 'same'
  | 'valid'
  | number
  | [[number, number], [number, number], [number, number], [number, number]];

export interface Conv {
  readonly x: Four;
  readonly filter: Four;
  readonly strides?: number | [number, number];
  readonly pad?: Padding;
  readonly dilations?: number | [number, number];
}

const around = (top: number, bottom: number, left: number, right: number): Padding => [
  [0, 0],
  [top, bottom],
  [left, right],
  [0, 0],
];

/** Odd and even images, batches of 1 and 3, filters of every kind, and the layers of a ResNet made small. */
export const CONVS: readonly Conv[] = [
  { x: [1, 1, 1, 1], filter: [1, 1, 1, 1] },
  { x: [1, 5, 5, 3], filter: [3, 3, 3, 4] },
  { x: [3, 7, 9, 3], filter: [3, 3, 3, 5], pad: 'valid' },
  { x: [1, 8, 8, 16], filter: [3, 3, 16, 16] },
  { x: [3, 7, 5, 16], filter: [3, 3, 16, 32] },
  { x: [2, 9, 11, 32], filter: [3, 3, 32, 16], pad: 'valid' },
  { x: [1, 6, 6, 64], filter: [3, 3, 64, 64], pad: 1 },
  { x: [3, 4, 4, 48], filter: [3, 3, 48, 80], pad: around(2, 1, 0, 2) },
  { x: [2, 8, 8, 17], filter: [3, 3, 17, 33], strides: 2 },
  { x: [1, 15, 13, 3], filter: [7, 7, 3, 16], strides: 2, pad: around(3, 3, 3, 3) },
  { x: [3, 9, 9, 8], filter: [1, 1, 8, 24] },
  { x: [2, 9, 9, 16], filter: [1, 1, 16, 32], strides: 2, pad: 'valid' },
  { x: [1, 10, 7, 4], filter: [5, 3, 4, 6], strides: [2, 1] },
  { x: [3, 6, 12, 5], filter: [1, 4, 5, 7], strides: [1, 3], pad: 'valid' },
  { x: [1, 11, 9, 6], filter: [3, 3, 6, 4], dilations: 2 },
  { x: [2, 12, 10, 3], filter: [3, 2, 3, 9], dilations: [3, 2], pad: 'valid' },
  { x: [2, 5, 5, 2], filter: [2, 2, 2, 3], pad: around(0, 1, 1, 0) },
  { x: [1, 2, 3, 4], filter: [5, 5, 4, 4] },
  { x: [3, 5, 5, 7], filter: [5, 5, 7, 3], pad: 'valid' },
  { x: [2, 4, 4, 130], filter: [3, 3, 130, 6] },
];

export function describe({ x, filter, strides = 1, pad = 'same', dilations = 1 }: Conv): string {
  return `x [${x}] filter [${filter}] strides ${strides} pad ${pad} dilations ${dilations}`;
}

export function conv2d(x: tf.Tensor, filter: tf.Tensor, { strides = 1, pad = 'same', dilations = 1 }: Conv): tf.Tensor {
  return tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, strides, pad as 'same', 'NHWC', dilations);
}

type Run = (conv: Conv) => tf.Tensor;

const convolutions = (run: Run): Case[] =>
  CONVS.map((conv) => ({ name: describe(conv), run: () => run(conv), tolerance: SUMS }));

/** TF.js knows no gradients of dilated convolutions. */
const convolutionGradients = (run: Run): Case[] =>
  CONVS.filter(({ dilations }) => dilations === undefined).map((conv) => ({
    name: describe(conv),
    run: () => run(conv),
    tolerance: { relative: 1e-4, ofMax: true },
  }));

export interface Pool {
  readonly x: Four;
  readonly filter: number | [number, number];
  readonly strides: number | [number, number];
  readonly pad: Padding;
}

export const POOLS: readonly Pool[] = [
  { x: [1, 4, 4, 1], filter: 2, strides: 2, pad: 'valid' },
  { x: [3, 8, 8, 16], filter: 2, strides: 2, pad: 'same' },
  { x: [2, 9, 7, 5], filter: 3, strides: 2, pad: 'same' },
  { x: [1, 9, 7, 64], filter: 3, strides: 2, pad: 'valid' },
  { x: [3, 6, 6, 3], filter: 3, strides: 1, pad: 'same' },
  { x: [1, 7, 8, 4], filter: [2, 3], strides: [3, 1], pad: 'valid' },
  { x: [2, 6, 6, 9], filter: 3, strides: 2, pad: around(1, 1, 1, 1) },
  { x: [2, 5, 5, 2], filter: 5, strides: 1, pad: 'valid' },
  { x: [2, 7, 7, 40], filter: 7, strides: 7, pad: 'valid' },
  { x: [1, 5, 5, 3], filter: 1, strides: 2, pad: 'same' },
];

type PoolOp = (x: tf.Tensor4D, filter: Pool['filter'], strides: Pool['strides'], pad: 'same') => tf.Tensor;

const pools = (op: PoolOp): Case[] => [
  ...POOLS.map(({ x, filter, strides, pad }) => ({
    name: `x [${x}] filter ${filter} strides ${strides} pad ${pad}`,
    run: () => op(floats(x) as tf.Tensor4D, filter, strides, pad as 'same'),
    tolerance: SUMS,
  })),
  {
    name: 'rank 3',
    run: () => op(floats([6, 6, 4]) as tf.Tensor4D, 2, 2, 'same'),
    tolerance: SUMS,
  },
  {
    name: 'NaN',
    run: () => op(tf.tensor4d([1, Number.NaN, 3, 4, 5, 6, 7, Number.NEGATIVE_INFINITY], [1, 2, 4, 1]), 2, 2, 'same'),
  },
];

const poolGradient = (op: PoolOp): Case[] =>
  POOLS.map(({ x, filter, strides, pad }) => ({
    name: `x [${x}] filter ${filter} strides ${strides} pad ${pad}`,
    run: () => {
      const gradient = tf.valueAndGrad((input: tf.Tensor) => op(input as tf.Tensor4D, filter, strides, pad as 'same'));
      const input = floats(x, 1);
      const { shape } = op(input as tf.Tensor4D, filter, strides, pad as 'same');
      return gradient(input, floats(shape, 2)).grad;
    },
    tolerance: { relative: 1e-4, ofMax: true },
  }));

/** [m, k, n], around the edges of the tiles. */
const PRODUCTS = [
  ...[
    [1, 1, 1],
    [1, 7, 1],
    [1, 64, 10],
    [5, 1, 9],
    [6, 16, 16],
    [7, 33, 17],
    [13, 65, 31],
    [3, 500, 4],
    [64, 64, 64],
    [129, 70, 50],
  ],
] as const;

const TRANSPOSES = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

function product(m: number, k: number, n: number, [ta, tb]: readonly [boolean, boolean], batch: number[] = []) {
  return tf.matMul(
    floats([...batch, ...(ta ? [k, m] : [m, k])], 1),
    floats([...batch, ...(tb ? [n, k] : [k, n])], 2),
    ta,
    tb,
  );
}

const ACTIVATIONS = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu'] as const;

const NORMALISED = [
  [2, 3],
  [4, 5, 5, 3],
  [3, 7, 7, 64],
  [33, 17],
  [1, 8, 8, 16],
  [2, 3, 4, 5, 6],
] as const;
const EPSILON = 1e-3;

/** The kernel of a training-mode batch norm; on the cpu backend, which lacks it, what it stands for. */
export function batchNorm(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor): tf.Tensor[] {
  if (tf.getBackend() !== 'cpu') {
    return tf.engine().runKernel('FusedBatchNormV3', { x, scale, offset }, { epsilon: EPSILON }) as tf.Tensor[];
  }
  const { mean, variance } = tf.moments(x, [...x.shape.keys()].slice(0, -1));
  const y = tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, EPSILON))), scale), offset);
  return [y, mean, variance];
}

function batchNormGradients(dy: tf.Tensor, x: tf.Tensor, scale: tf.Tensor): tf.Tensor[] {
  const offset = tf.zerosLike(scale);
  if (tf.getBackend() !== 'cpu') {
    const [, mean, variance] = batchNorm(x, scale, offset);
    const inputs = { dy, x, scale, mean, variance };
    return tf.engine().runKernel('FusedBatchNormGradV3', inputs, { epsilon: EPSILON }) as tf.Tensor[];
  }
  return tf.grads((a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) => batchNorm(a, b, c)[0])([x, scale, offset], dy);
}

const channels = (shape: readonly number[]) => shape.slice(-1);

/** Filters here are [height, width, channels, multiplier]. */
const DEPTHWISE: readonly Conv[] = [
  { x: [1, 5, 5, 3], filter: [3, 3, 3, 1] },
  { x: [3, 9, 7, 16], filter: [3, 3, 16, 1], strides: 2 },
  { x: [2, 8, 8, 20], filter: [5, 5, 20, 1], pad: 'valid' },
  { x: [2, 7, 6, 4], filter: [3, 2, 4, 3] },
  { x: [1, 8, 9, 5], filter: [3, 3, 5, 2], strides: 2, pad: around(1, 1, 1, 1) },
];

function depthwise(x: tf.Tensor, filter: tf.Tensor, { strides = 1, pad = 'same' }: Conv): tf.Tensor {
  return tf.depthwiseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, strides, pad as 'same');
}

const depthwiseCases = (run: Run): Case[] =>
  DEPTHWISE.map((conv) => ({ name: describe(conv), run: () => run(conv), tolerance: SUMS }));

/** Images made larger and smaller, by whole factors and not. */
const SIZES = [
  [7, 9],
  [10, 4],
  [2, 3],
  [5, 6],
] as const;

type Resize = (
  images: tf.Tensor4D,
  size: [number, number],
  alignCorners: boolean,
  halfPixelCenters: boolean,
) => tf.Tensor;

const MODES = [
  [false, false],
  [true, false],
  [false, true],
] as const;

const resizes = (resize: Resize): Case[] =>
  SIZES.map((size) => ({
    name: `5×6 to ${size}`,
    run: () => MODES.map(([corners, half]) => resize(floats([2, 5, 6, 3]) as tf.Tensor4D, [...size], corners, half)),
    tolerance: SUMS,
  }));

/** Square images: the cpu kernel of the bilinear gradient swaps height and width in the shape that it returns. `batch` is 1 for the nearest neighbour: the cpu kernel reads the first image's gradient for every image. */
const resizeGradients = (resize: Resize, batch: number): Case[] =>
  SIZES.map((size) => ({
    name: `6×6 to ${size}`,
    run: () =>
      MODES.slice(0, 2).map(([corners]) =>
        tf.grad((x: tf.Tensor) => resize(x as tf.Tensor4D, [...size], corners, false))(
          floats([batch, 6, 6, 3], 1),
          floats([batch, ...size, 3], 2),
        ),
      ),
    tolerance: SUMS,
  }));

export const contractCases: Cases = {
  ResizeBilinear: resizes(tf.image.resizeBilinear),
  ResizeNearestNeighbor: resizes(tf.image.resizeNearestNeighbor),
  ResizeBilinearGrad: resizeGradients(tf.image.resizeBilinear, 2),
  ResizeNearestNeighborGrad: resizeGradients(tf.image.resizeNearestNeighbor, 1),
  BatchMatMul: [
    ...PRODUCTS.map(([m, k, n]) => ({
      name: `${m}×${k}×${n}`,
      run: () => TRANSPOSES.map((t) => product(m, k, n, t)),
      tolerance: SUMS,
    })),
    { name: 'batches', run: () => TRANSPOSES.map((t) => product(7, 9, 5, t, [3])), tolerance: SUMS },
    { name: 'rank 4', run: () => product(5, 8, 17, [false, true], [2, 3]), tolerance: SUMS },
    {
      name: 'one side for a batch',
      run: () => [
        tf.matMul(floats([3, 4, 5], 1), floats([1, 5, 6], 2)),
        tf.matMul(floats([1, 4, 5], 1), floats([3, 5, 6], 2)),
        tf.matMul(floats([2, 1, 4, 5], 1), floats([1, 3, 5, 6], 2)),
        tf.matMul(floats([4, 5], 1), floats([3, 5, 6], 2)),
      ],
      tolerance: SUMS,
    },
    {
      name: 'of views',
      run: () => tf.matMul(tf.transpose(floats([9, 20])), tf.slice(floats([12, 9]), [2, 1], [9, 7])),
      tolerance: SUMS,
    },
    { name: 'by itself', run: () => tf.matMul(floats([17, 33]), floats([17, 33]), false, true), tolerance: SUMS },
    {
      name: 'dot',
      run: () => [tf.dot(floats([9], 1), floats([9], 2)), tf.dot(floats([4, 9], 1), floats([9], 2))],
      tolerance: SUMS,
    },
  ],
  _FusedMatMul: ACTIVATIONS.map((activation) => ({
    name: activation,
    run: () =>
      [false, true].flatMap((transposeB) => {
        const [a, b] = [floats([9, 20], 1), floats(transposeB ? [33, 20] : [20, 33], 2)];
        return [
          tf.fused.matMul({ a, b, transposeB, bias: floats([33], 3), activation, leakyreluAlpha: 0.3 }),
          tf.fused.matMul({ a, b, transposeB, activation }),
        ];
      }),
    tolerance: SUMS,
  })),
  Conv2D: [
    ...convolutions((conv) => conv2d(floats(conv.x, 1), floats(conv.filter, 2), conv)),
    {
      name: 'rank 3',
      run: () => tf.conv2d(floats([6, 7, 3]) as tf.Tensor3D, floats([3, 3, 3, 4]) as tf.Tensor4D, 1, 'same'),
      tolerance: SUMS,
    },
    {
      name: 'conv1d',
      run: () => tf.conv1d(floats([2, 9, 3]) as tf.Tensor3D, floats([3, 3, 5]) as tf.Tensor3D, 1, 'same'),
      tolerance: SUMS,
    },
    {
      name: 'channels first falls back',
      run: () => tf.conv2d(floats([2, 3, 6, 7]) as tf.Tensor4D, floats([3, 3, 3, 4]) as tf.Tensor4D, 1, 'same', 'NCHW'),
      tolerance: SUMS,
    },
  ],
  FusedConv2D: [
    ...ACTIVATIONS.map((activation) => ({
      name: activation,
      run: () =>
        tf.fused.conv2d({
          x: floats([2, 6, 5, 7], 1) as tf.Tensor4D,
          filter: floats([3, 3, 7, 9], 2) as tf.Tensor4D,
          strides: 1,
          pad: 'same',
          bias: floats([9], 3) as tf.Tensor1D,
          activation,
          leakyreluAlpha: 0.3,
        }),
      tolerance: SUMS,
    })),
    {
      name: 'prelu falls back',
      run: () =>
        tf.fused.conv2d({
          x: floats([2, 6, 5, 7], 1) as tf.Tensor4D,
          filter: floats([3, 3, 7, 9], 2) as tf.Tensor4D,
          strides: 2,
          pad: 'valid',
          activation: 'prelu',
          preluActivationWeights: floats([9], 3),
        }),
      tolerance: SUMS,
    },
  ],
  Conv2DBackpropInput: convolutionGradients((conv) => {
    const { shape } = conv2d(floats(conv.x), floats(conv.filter), conv);
    const gradient = tf.grad((x: tf.Tensor) => conv2d(x, floats(conv.filter, 2), conv));
    return gradient(floats(conv.x, 1), floats(shape, 3));
  }),
  Conv2DBackpropFilter: convolutionGradients((conv) => {
    const { shape } = conv2d(floats(conv.x), floats(conv.filter), conv);
    const gradient = tf.grad((filter: tf.Tensor) => conv2d(floats(conv.x, 1), filter, conv));
    return gradient(floats(conv.filter, 2), floats(shape, 3));
  }),
  DepthwiseConv2dNative: depthwiseCases((conv) => depthwise(floats(conv.x, 1), floats(conv.filter, 2), conv)),
  FusedDepthwiseConv2D: ACTIVATIONS.map((activation) => ({
    name: activation,
    run: () =>
      tf.fused.depthwiseConv2d({
        x: floats([2, 6, 5, 7], 1) as tf.Tensor4D,
        filter: floats([3, 3, 7, 1], 2) as tf.Tensor4D,
        strides: 1,
        pad: 'same',
        bias: floats([7], 3) as tf.Tensor1D,
        activation,
        leakyreluAlpha: 0.3,
      }),
    tolerance: SUMS,
  })),
  DepthwiseConv2dNativeBackpropInput: depthwiseCases((conv) => {
    const { shape } = depthwise(floats(conv.x), floats(conv.filter), conv);
    return tf.grad((x: tf.Tensor) => depthwise(x, floats(conv.filter, 2), conv))(floats(conv.x, 1), floats(shape, 3));
  }),
  DepthwiseConv2dNativeBackpropFilter: depthwiseCases((conv) => {
    const { shape } = depthwise(floats(conv.x), floats(conv.filter), conv);
    const gradient = tf.grad((filter: tf.Tensor) => depthwise(floats(conv.x, 1), filter, conv));
    return gradient(floats(conv.filter, 2), floats(shape, 3));
  }),
  MaxPool: pools(tf.maxPool),
  AvgPool: pools(tf.avgPool),
  MaxPoolGrad: poolGradient(tf.maxPool),
  AvgPoolGrad: poolGradient(tf.avgPool),
  FusedBatchNormV3: NORMALISED.map((shape) => ({
    name: `[${shape}]`,
    run: () => batchNorm(floats(shape, 1), floats(channels(shape), 2, 0.5), floats(channels(shape), 3)),
    tolerance: SUMS,
  })),
  FusedBatchNormGradV3: NORMALISED.map((shape) => ({
    name: `[${shape}]`,
    run: () => batchNormGradients(floats(shape, 1), floats(shape, 2), floats(channels(shape), 3, 0.5)),
    tolerance: { relative: 1e-4, ofMax: true },
  })),
  FusedBatchNorm: NORMALISED.filter((shape) => shape.length <= 4).map((shape) => ({
    name: `[${shape}]`,
    run: () => {
      const [c, x] = [channels(shape), floats(shape, 1)];
      const [mean, variance] = [floats(c, 2), floats(c, 3, 0.1, 3)] as [tf.Tensor1D, tf.Tensor1D];
      const [offset, scale] = [floats(c, 4), floats(c, 5)] as [tf.Tensor1D, tf.Tensor1D];
      return [
        tf.batchNorm(x, mean, variance, offset, scale, 1e-3),
        tf.batchNorm(x, mean, variance, undefined, scale),
        tf.batchNorm(x, mean, variance, offset),
      ];
    },
    tolerance: SUMS,
  })),
};
