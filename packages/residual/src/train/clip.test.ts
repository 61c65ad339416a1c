import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { type Clip, checkClip, clipGradients } from './clip.ts';

const gradients = () => [
  { name: 'a', tensor: tf.tensor1d([3, -4]) },
  { name: 'b', tensor: tf.tensor2d([[0.1, 12]]) },
];
const clipped = (clip: Clip | undefined) =>
  clipGradients(gradients(), clip).map(({ tensor }) => Array.from(tensor.dataSync()));
const near = (actual: number[][], expected: number[][]) =>
  actual.flat().forEach((value, i) => {
    assert.ok(Math.abs(value - (expected.flat()[i] ?? Number.NaN)) < 1e-5, `${actual} and ${expected}`);
  });

test('gradients are clipped by value, by norm, or all by one factor', () => {
  near(clipped({ value: 2 }), [
    [2, -2],
    [0.1, 2],
  ]);
  near(clipped({ norm: 6 }), [
    [3, -4],
    [0.6 / Math.hypot(0.1, 12), 72 / Math.hypot(0.1, 12)],
  ]);
  const factor = 6.5 / Math.hypot(3, 4, 0.1, 12);
  near(clipped({ globalNorm: 6.5 }), [
    [3 * factor, -4 * factor],
    [0.1 * factor, 12 * factor],
  ]);
});

test('within the limit they keep their bits', () => {
  const plain = clipped(undefined);
  for (const clip of [{ value: 12 }, { norm: 13 }, { globalNorm: 14 }]) assert.deepEqual(clipped(clip), plain);
});

test('one rule at a time', () => {
  assert.throws(() => checkClip('sgd', { value: 1, norm: 1 }), /sgd: clip must have one of value, norm, globalNorm/);
  assert.throws(() => checkClip('sgd', {}), /sgd: clip must have one of/);
  assert.throws(() => checkClip('sgd', { norm: 0 }), /sgd: clip.norm must be more than 0, received 0/);
});
