/** Gradients through tf.grads: what differentiation makes of the kernels, broadcasting and views included. */
import * as tf from '@tensorflow/tfjs-core';
import type { Case } from './cases.ts';
import { CONVS, conv2d, describe } from './cases-contract.ts';
import { bools, floats, gradients, ints, type Tolerance } from './compare.ts';

const GRADIENT: Tolerance = { relative: 1e-4, ofMax: true };

function gradient(name: string, f: (...xs: tf.Tensor[]) => tf.Tensor, ...shapes: (readonly number[])[]): Case {
  return {
    name,
    run: () =>
      gradients(
        f,
        shapes.map((shape, i) => floats(shape, i + 1)),
      ),
    tolerance: GRADIENT,
  };
}

/** Of one positive tensor, for functions that are not defined below 0. */
function positive(name: string, f: (x: tf.Tensor) => tf.Tensor): Case {
  return { name, run: () => gradients(f, [floats([3, 37], 1, 0.2, 3)]), tolerance: GRADIENT };
}

const UNARY: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  ...{ abs: tf.abs, neg: tf.neg, exp: tf.exp, expm1: tf.expm1, square: tf.square, sigmoid: tf.sigmoid, tanh: tf.tanh },
  ...{ softplus: tf.softplus, erf: tf.erf, sin: tf.sin, cos: tf.cos, floor: tf.floor, ceil: tf.ceil, round: tf.round },
  ...{ sign: tf.sign, relu: tf.relu, relu6: tf.relu6, elu: tf.elu, selu: tf.selu, softmax: tf.softmax },
  ...{ logSoftmax: tf.logSoftmax, leakyRelu: tf.leakyRelu, step: tf.step, atan: tf.atan },
};

const BINARY: Readonly<Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor>> = {
  ...{ add: tf.add, sub: tf.sub, mul: tf.mul, atan2: tf.atan2, mod: tf.mod, prelu: tf.prelu },
};

/** TF.js forgets to sum these gradients where the inputs were broadcast. */
const NOT_BROADCAST = { maximum: tf.maximum, minimum: tf.minimum, squaredDifference: tf.squaredDifference };

const pair = (f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor) => (a: tf.Tensor, b: tf.Tensor) => f(a, b);

export const gradientCases: readonly Case[] = [
  ...Object.entries(UNARY).map(([name, f]) => gradient(name, (x) => f(x), [3, 37])),
  ...Object.entries({ log: tf.log, log1p: tf.log1p, sqrt: tf.sqrt, rsqrt: tf.rsqrt, reciprocal: tf.reciprocal }).map(
    ([name, f]) => positive(name, (x) => f(x)),
  ),
  ...Object.entries({ ...BINARY, ...NOT_BROADCAST }).map(([name, f]) => gradient(name, pair(f), [4, 7], [4, 7])),
  ...Object.entries(BINARY).flatMap(([name, f]) => [
    gradient(`${name}, a row`, pair(f), [4, 7], [7]),
    ...(name === 'prelu' ? [] : [gradient(`${name}, outer`, pair(f), [4, 1, 3], [5, 1])]),
  ]),
  positive('div', (x) => tf.div(floats([5, 3, 37], 2), x)),
  positive('pow', (x) => tf.pow(x, floats([37], 2))),
  positive('exponent', (x) => tf.pow(tf.scalar(1.7), x)),
  gradient('clipByValue', (x) => tf.clipByValue(x, -1, 0.5), [3, 37]),
  gradient('where', (a, b) => tf.where(bools([5, 9], 1), a, b), [5, 9], [5, 9]),
  gradient('addN', (a, b, c) => tf.addN([a, b, c, a]), [6], [6], [6]),
  gradient('cast', (x) => tf.mul(tf.cast(tf.cast(x, 'int32'), 'float32'), x), [60]),
  gradient('sum', (x) => tf.sum(x, [0, 2]), [3, 4, 5]),
  gradient('mean', (x) => tf.mean(x, 1, true), [3, 4, 5]),
  gradient('mean of all', (x) => tf.mean(tf.square(x)), [40, 60]),
  gradient('max', (x) => tf.max(x, 1), [5, 9]),
  gradient('min', (x) => tf.min(x, [0, 1]), [5, 9]),
  gradient('moments', (x) => tf.add(tf.moments(x, [0]).mean, tf.moments(x, [0]).variance), [33, 7]),
  gradient('norm', (x) => tf.norm(x), [5, 5]),
  gradient('transpose', (x) => tf.transpose(x, [2, 0, 1]), [3, 4, 5]),
  gradient('slice', (x) => tf.slice(x, [1, 1], [2, 3]), [4, 5]),
  gradient('reverse', (x) => tf.reverse(x, 1), [4, 5]),
  gradient('tile', (x) => tf.tile(x, [2, 3]), [4, 5]),
  gradient('broadcastTo', (x) => tf.broadcastTo(x, [3, 4, 5]), [4, 1]),
  gradient('concat', (a, b) => tf.concat([a, b, a], 1), [4, 2], [4, 3]),
  gradient('stack', (a, b) => tf.stack([a, b], 1), [4, 2], [4, 2]),
  gradient('unstack', (x) => tf.mul(tf.unstack(x, 1)[1], tf.unstack(x, 1)[0]), [4, 3]),
  gradient('split', (x) => tf.mul(...(tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor])), [4, 6]),
  gradient(
    'pad',
    (x) =>
      tf.pad(x, [
        [1, 2],
        [0, 1],
      ]),
    [4, 5],
  ),
  gradient('gather', (x) => tf.gather(x, tf.tensor1d([2, 0, 2, 1, 2], 'int32')), [4, 5]),
  gradient('gather columns', (x) => tf.gather(x, ints([7], 1, 0, 5) as tf.Tensor1D, 1), [4, 5]),
  gradient('matMul', (a, b) => tf.matMul(a, b), [7, 9], [9, 5]),
  gradient('matMul, transposed', (a, b) => tf.matMul(a, b, true, true), [9, 7], [5, 9]),
  gradient('matMul, batches', (a, b) => tf.matMul(a, b), [3, 7, 9], [3, 9, 5]),
  gradient('dense', (x, w, b) => tf.relu(tf.add(tf.matMul(x, w), b)), [9, 20], [20, 33], [33]),
  ...(['relu', 'elu', 'sigmoid', 'relu6'] as const).map((activation) =>
    gradient(
      `fused matMul, ${activation}`,
      (a, b, bias) => tf.fused.matMul({ a, b, bias, activation }),
      [9, 20],
      [20, 33],
      [33],
    ),
  ),
  gradient(
    'fused conv2d',
    (x, filter, bias) =>
      tf.fused.conv2d({
        x: x as tf.Tensor4D,
        filter: filter as tf.Tensor4D,
        bias,
        strides: 2,
        pad: 'same',
        activation: 'relu',
      }),
    [2, 7, 7, 3],
    [3, 3, 3, 8],
    [8],
  ),
  ...[3, 6, 9].map((i) =>
    gradient(describe(CONVS[i]), (x, filter) => conv2d(x, filter, CONVS[i]), CONVS[i].x, CONVS[i].filter),
  ),
  gradient(
    'depthwise',
    (x, f) => tf.depthwiseConv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same'),
    [2, 6, 6, 3],
    [3, 3, 3, 2],
  ),
  gradient('global average', (x) => tf.mean(x, [1, 2]), [3, 5, 5, 7]),
  {
    name: 'softmax cross-entropy',
    run: () =>
      gradients((x) => tf.losses.softmaxCrossEntropy(tf.oneHot(ints([9], 1, 0, 10), 10), x), [floats([9, 10])]),
    tolerance: GRADIENT,
  },
  {
    name: 'a scalar used many times',
    run: () =>
      gradients((s, x) => tf.add(tf.mul(s, x), tf.mul(tf.exp(s), tf.mul(x, s))), [floats([], 1), floats([50])]),
    tolerance: GRADIENT,
  },
  {
    name: 'of a gradient',
    run: () => tf.grad((x) => tf.sum(tf.grad((y) => tf.sum(tf.mul(tf.exp(y), tf.sin(y))))(x)))(floats([40])),
    tolerance: GRADIENT,
  },
];

/** Kernels without a rule run on the cpu backend's functions; and so do types and shapes that a rule does not take. */
export const fallbackCases: readonly Case[] = [
  {
    name: 'empty tensors',
    run: () => [
      tf.add(tf.zeros([0, 3]), 1),
      tf.sum(tf.zeros([0, 3]), 0),
      tf.concat([tf.zeros([0, 3]), floats([2, 3])]),
    ],
  },
  { name: 'between compiled kernels', run: () => tf.mul(tf.cumsum(tf.add(floats([3, 5]), 1), 1), floats([3, 5], 2)) },
  { name: 'several outputs', run: () => Object.values(tf.topk(tf.mul(floats([3, 9]), 2), 4)) },
  { name: 'complex numbers', run: () => tf.real(tf.complex(tf.add(floats([5]), 1), floats([5], 2))) },
  { name: 'fft', run: () => tf.imag(tf.fft(tf.complex(floats([2, 8]), floats([2, 8], 2)))) },
  { name: 'images', run: () => tf.image.resizeBilinear(floats([2, 5, 6, 3]) as tf.Tensor4D, [9, 4]) },
  {
    name: 'mixed types',
    run: () => [tf.add(ints([5]), floats([5])), tf.mul(bools([5]), ints([5])), tf.add(bools([4]), bools([4], 2))],
  },
  {
    name: 'einsum',
    run: () => tf.einsum('bij,bjk->ik', floats([3, 4, 5]), floats([3, 5, 6], 2)),
    tolerance: { ofMax: true },
  },
  { name: 'linspace and range', run: () => [tf.linspace(0, 1, 9), tf.range(0, 10, 3)] },
  { name: 'unique values', run: () => tf.unique(tf.cast(tf.floor(floats([20])), 'int32')).values },
];
