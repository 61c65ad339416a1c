import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { argReduce } from './argreduce.ts';
import { ALL_FEATURES, normal, runRecipe } from './testing.ts';

const SHAPES: [number, number, number][] = [
  [1, 1, 1],
  [5, 3, 1],
  [4, 10, 1],
  [33, 1000, 1],
  [300, 129, 1],
  [2, 7, 2],
  [2, 5, 16],
  [3, 6, 23],
  [1, 40, 37],
  [2, 300, 130],
];

suite('argReduce', () => {
  before(() => tf.setBackend('cpu'));

  for (const shape of SHAPES) {
    test(`agrees with the cpu backend over ${shape}, with ties, NaN and infinities`, () => {
      const [outer, axis, inner] = shape;
      const rounded = normal(outer * axis * inner, 3).map((v) => Math.round(v * 2) / 2);
      const special = rounded.map((v, i) => (i % 3 ? v : [Number.NaN, -Infinity, -0, 0, Infinity][i % 5]));
      const nothing = rounded.map(() => Number.NaN);
      const whole = Int32Array.from(rounded);
      for (const x of [rounded, special, nothing, whole]) {
        const lane = x instanceof Int32Array ? 'i32' : 'f32';
        const tensor = tf.tensor(x, shape, lane === 'i32' ? 'int32' : 'float32');
        const expected = { max: tf.argMax(tensor, 1).dataSync(), min: tf.argMin(tensor, 1).dataSync() };
        for (const features of ALL_FEATURES) {
          for (const kind of ['max', 'min'] as const) {
            const recipe = argReduce(kind, shape, lane, features);
            const [got] = runRecipe(recipe, [x], [{ size: outer * inner, lane: 'i32' }]);
            assert.deepEqual([...got], [...expected[kind]], `${kind} ${lane}`);
          }
        }
      }
    });
  }
});
