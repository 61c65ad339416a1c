import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients
import { Random } from '../../data/random.ts';
import { dequantizeValues, parametersOf, quantizeValues } from '../parameters.ts';
import { dequantizeWeights, quantizeWeights } from '../weights.ts';
import { channelMoments } from './channel-moments.ts';
import { roundValue, roundWeights } from './rounding.ts';

before(() => tf.setBackend('cpu'));

const random = Random.at(5);
const numbers = Float32Array.from({ length: 600 }, () => random.uniform(-3, 5));
const close = (received: ArrayLike<number>, expected: ArrayLike<number>, most = 1e-5) => {
  assert.equal(received.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    assert.ok(Math.abs(received[i] - expected[i]) <= most, `${i}: ${received[i]}, not ${expected[i]}`);
  }
};
const ends = (min: number, max: number) => () => ({ min: tf.scalar(min), max: tf.scalar(max) });

test('values are rounded to the very numbers that their integers stand for', () => {
  for (const scheme of ['asymmetric', 'symmetric'] as const) {
    for (const [min, max] of [
      [-1.3, 2.7],
      [0.5, 4],
      [-2, -1],
    ] as const) {
      const grid = { bits: 8, scheme };
      const rounded = roundValue(tf.tensor1d(numbers), grid, ends(min, max)).dataSync();
      const parameters = parametersOf({ min, max }, { scheme });
      close(rounded, dequantizeValues(quantizeValues(numbers, parameters), parameters));
    }
  }
});

test('fewer bits leave fewer numbers, and 0 is always one of them', () => {
  const value = tf.tensor1d([...numbers, 0]);
  const rounded = roundValue(value, { bits: 3, scheme: 'asymmetric' }, ends(-1, 2.2)).dataSync();
  const different = [...new Set(rounded)].sort((a, b) => a - b);
  assert.equal(different.length, 8);
  assert.equal(rounded.at(-1), 0);
  close(
    different.slice(1).map((one, i) => one - (different[i] ?? 0)),
    Array(7).fill(3.2 / 7),
  );
});

test('a gradient passes where a number is within the range, and is 0 where it is cut off', () => {
  const gradient = tf.grad((x) =>
    tf.sum(tf.mul(roundValue(x, { bits: 8, scheme: 'asymmetric' }, ends(-1, 2)), tf.tensor1d([2, 3, 5, 7, 11]))),
  )(tf.tensor1d([-1.2, -0.9, 0, 1.9, 2.2]));
  assert.deepEqual([...gradient.dataSync()], [0, 3, 5, 7, 0]);
});

test('a range without width rounds to 0', () => {
  const rounded = roundValue(tf.tensor1d([0, 1, -2]), { bits: 8, scheme: 'asymmetric' }, ends(0, 0));
  close(rounded.dataSync(), [0, 0, 0]);
});

test('weights are rounded as the exporter rounds them, and every gradient passes', () => {
  const filter = numbers.slice(0, 3 * 3 * 4 * 6);
  for (const granularity of ['per-channel', 'per-tensor'] as const) {
    for (const bits of [8, 6, 4]) {
      const rounded = roundWeights(tf.tensor(filter, [3, 3, 4, 6]), 6, { granularity, bits });
      close(rounded.dataSync(), dequantizeWeights(quantizeWeights(filter, 6, { granularity, bits })));
    }
  }
  const depthwise = roundWeights(tf.tensor(filter, [3, 3, 4, 6]), 24, { granularity: 'per-channel', bits: 4 });
  close(depthwise.dataSync(), dequantizeWeights(quantizeWeights(filter, 24, { bits: 4 })));
  const gradient = tf.grad((w) => tf.sum(tf.mul(roundWeights(w, 2, { granularity: 'per-channel', bits: 4 }), 3)));
  assert.deepEqual([...gradient(tf.tensor2d([1, -5, 0.1, 7], [2, 2])).dataSync()], [3, 3, 3, 3]);
});

test('moments of channels, and their gradients against finite differences', () => {
  const [rows, channels, step] = [7, 3, 1e-2];
  const x = numbers.slice(0, rows * channels);
  const factors = tf.tensor2d([0.3, -0.7, 1.1, 0.9, -0.2, 0.5], [2, channels]);
  const loss = (values: tf.Tensor) => tf.sum(tf.mul(channelMoments(values), factors)) as tf.Scalar;
  const { mean, variance } = tf.moments(tf.tensor2d(x, [rows, channels]), 0);
  close(channelMoments(tf.tensor2d(x, [rows, channels])).dataSync(), [...mean.dataSync(), ...variance.dataSync()]);
  const gradient = tf
    .grad(loss)(tf.tensor2d(x, [rows, channels]))
    .dataSync();
  const at = (i: number, by: number) => {
    const moved = x.slice();
    moved[i] += by;
    return loss(tf.tensor2d(moved, [rows, channels])).dataSync()[0] as number;
  };
  // The function is quadratic, so that central differences are exact up to rounding.
  close(
    gradient,
    Array.from(x, (_, i) => (at(i, step) - at(i, -step)) / (2 * step)),
    1e-3,
  );
});
