import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { cumulative } from './cumulative.ts';
import { ALL_FEATURES, normal, runRecipe } from './testing.ts';

const SHAPES: [number, number, number][] = [
  [1, 1, 1],
  [4, 9, 1],
  [3, 5, 4],
  [2, 6, 23],
  [3, 4, 32],
  [40, 70, 18],
];

suite('cumulative', () => {
  before(() => tf.setBackend('cpu'));

  for (const shape of SHAPES) {
    test(`agrees with the cpu backend to the bit over ${shape}`, () => {
      const size = shape[0] * shape[1] * shape[2];
      const x = normal(size, 5);
      const whole = Int32Array.from(x, (v) => Math.round(v));
      for (const [data, dtype] of [
        [x, 'float32'],
        [whole, 'int32'],
      ] as const) {
        const lane = dtype === 'int32' ? 'i32' : 'f32';
        const tensor = tf.tensor(data, shape, dtype);
        for (const [exclusive, reverse] of [
          [false, false],
          [true, false],
          [false, true],
          [true, true],
        ]) {
          const expected = {
            sum: tf.cumsum(tensor, 1, exclusive, reverse).dataSync(),
            prod: tf.cumprod(tensor, 1, exclusive, reverse).dataSync(),
          };
          for (const features of ALL_FEATURES) {
            for (const kind of ['sum', 'prod'] as const) {
              const recipe = cumulative(kind, shape, exclusive, reverse, lane, features);
              const [got] = runRecipe(recipe, [data], [{ size, lane }]);
              assert.deepEqual(got, expected[kind], `${kind} ${lane} exclusive ${exclusive} reverse ${reverse}`);
            }
          }
        }
      }
    });
  }
});
