import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients
import { crossEntropy, smoothedTargets, softmaxCrossEntropy } from './loss.ts';

const logits = [1.5, -2, 0.25, 30, -60, 1];
const labels = Int32Array.of(2, 1);

test('smoothed targets keep the mass of 1', () => {
  const expected = [0.1, 0.1, 0.8, 0.1, 0.8, 0.1].map(Math.fround);
  assert.deepEqual(
    Array.from(smoothedTargets(labels, 3, 0.3)).map((v) => v.toFixed(6)),
    expected.map((v) => v.toFixed(6)),
  );
  assert.deepEqual(Array.from(smoothedTargets(Int32Array.of(1), 3, 0)), [0, 1, 0]);
});

test('the loss from logits agrees with the definition, far outside what probabilities could hold', () => {
  const targets = smoothedTargets(labels, 3, 0.1);
  let expected = 0;
  for (const row of [0, 1]) {
    const x = logits.slice(3 * row, 3 * row + 3);
    const logSum = Math.log(x.reduce((sum, value) => sum + Math.exp(value), 0));
    x.forEach((value, k) => {
      expected -= ((targets[3 * row + k] ?? 0) * (value - logSum)) / 2;
    });
  }
  const actual = softmaxCrossEntropy(tf.tensor2d(logits, [2, 3]), tf.tensor2d(targets, [2, 3])).dataSync()[0] ?? 0;
  assert.ok(Math.abs(actual / expected - 1) < 1e-6, `${actual}, ${expected}`);
});

test('its gradient is (softmax − target) / n, scaled by what comes from above', () => {
  const x = tf.tensor2d(logits, [2, 3]);
  const targets = tf.tensor2d(smoothedTargets(labels, 3, 0.1), [2, 3]);
  const gradient = tf.grad((x) => tf.mul(3, softmaxCrossEntropy(x as tf.Tensor2D, targets)))(x);
  const expected = tf.mul(tf.sub(tf.softmax(x), targets), 3 / 2);
  assert.ok((tf.max(tf.abs(tf.sub(gradient, expected))).dataSync()[0] ?? 1) < 1e-6);
});

test('from probabilities it is the same, as long as they can hold it', () => {
  const x = tf.tensor2d([1.5, -2, 0.25], [1, 3]);
  const targets = tf.tensor2d(smoothedTargets(Int32Array.of(0), 3, 0.2), [1, 3]);
  const [a, b] = [softmaxCrossEntropy(x, targets), crossEntropy(tf.softmax(x), targets)];
  assert.ok(Math.abs((a.dataSync()[0] ?? 0) - (b.dataSync()[0] ?? 1)) < 1e-6);
  assert.ok(Number.isFinite(crossEntropy(tf.tensor2d([[1, 0, 0]]), tf.tensor2d([[0, 1, 0]])).dataSync()[0]));
});
