import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Dataset } from '../data/dataset.ts';
import { ModelError } from '../models/errors.ts';
import { predict } from '../models/inference.ts';
import { halves, tinyModel } from '../train/testing.ts';
import { evaluate } from './metrics.ts';

/** Says what the pixels say: pixel k of a 1 × 3 picture, divided by 255, is the logit of class k. */
function echo(): tfl.LayersModel {
  const input = tfl.input({ shape: [1, 3, 1] });
  const flat = tfl.layers.flatten().apply(input) as tfl.SymbolicTensor;
  return tfl.model({ inputs: input, outputs: tfl.layers.softmax().apply(flat) as tfl.SymbolicTensor });
}

/** Pictures whose logits are known: 255 gives 1, 0 gives 0. */
function pictures(rows: readonly (readonly [label: number, ...pixels: number[]])[]): Dataset {
  return {
    ...halves(rows.length, 1, [1, 3, 1]),
    name: 'pictures',
    labels: Int32Array.from(rows, ([label]) => label),
    async produce({ indices }) {
      const images = Float32Array.from([...indices].flatMap((i) => (rows[i] ?? []).slice(1).map((v) => v / 255)));
      return { images, indices };
    },
  };
}

const preprocessing = { mean: [0], std: [1] };
const rows = [
  [0, 255, 0, 0],
  [0, 0, 255, 0],
  [1, 0, 255, 0],
  [1, 0, 255, 0],
  [2, 255, 0, 0],
] as const;
/** Probabilities of a class with logit 1 and of one with logit 0. */
const [high, low] = [Math.E / (Math.E + 2), 1 / (Math.E + 2)];
const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-6, `${actual}, ${expected}`);

test('loss, accuracy, confusion, precision and recall are what a count by hand gives, for any batch size', async () => {
  for (const batchSize of [1, 2, 3, 64]) {
    const progress: number[] = [];
    const result = await evaluate(echo(), pictures(rows), {
      preprocessing,
      batchSize,
      onProgress: (done, total) => progress.push(done / total),
    });
    assert.equal(result.images, 5);
    close(result.loss, -(3 * Math.log(high) + 2 * Math.log(low)) / 5);
    close(result.accuracy, 3 / 5);
    assert.equal(result.topFive, 1);
    assert.deepEqual(Array.from(result.confusion), [1, 1, 0, 0, 2, 0, 1, 0, 0]);
    const [first, second, third] = result.perClass.map(({ precision, recall, f1, images }) => ({
      ...{ precision, recall, f1, images },
    }));
    assert.deepEqual(first, { precision: 1 / 2, recall: 1 / 2, f1: 1 / 2, images: 2 });
    assert.deepEqual(second, { precision: 2 / 3, recall: 1, f1: 0.8, images: 2 });
    assert.deepEqual(third, { precision: 0, recall: 0, f1: 0, images: 1 });
    assert.equal(progress.at(-1), 1);
  }
});

test('areas, averages and calibration come with it, and a temperature where there are images to fit it on', async () => {
  const plain = await evaluate(echo(), pictures(rows), { preprocessing });
  // Pixels of class 1 are bright in three images, two of which are of it: of 2 × 3 pairs 4 are right and 2 are ties.
  close(plain.perClass[1]?.rocAuc ?? 0, 5 / 6);
  close(plain.perClass[1]?.averagePrecision ?? 0, 2 / 3);
  close(plain.macro.recall, (1 / 2 + 1 + 0) / 3);
  close(plain.weighted.recall, plain.accuracy);
  close(plain.calibration.ece, Math.abs(high - 3 / 5));
  assert.equal(plain.recalibrated, undefined);
  const { recalibrated } = await evaluate(echo(), pictures(rows), { preprocessing, calibrateOn: pictures(rows) });
  assert.ok(recalibrated !== undefined && recalibrated.loss < plain.loss);
  assert.equal(recalibrated.images, 5);
  close(recalibrated.calibration.ece, 0);
});

test('the worst mistakes come first, with their probabilities', async () => {
  const data = pictures([
    [0, 0, 255, 0],
    [2, 2550, 0, 0],
    [1, 0, 255, 0],
  ]);
  const { mistakes } = await evaluate(echo(), data, { preprocessing });
  assert.deepEqual(
    mistakes.map(({ index, actual, predicted }) => [index, actual, predicted]),
    [
      [1, 2, 0],
      [0, 0, 1],
    ],
  );
  close(mistakes[1]?.probability ?? 0, high);
  close(mistakes[1]?.probabilityOfTruth ?? 0, low);
  assert.equal((await evaluate(echo(), data, { preprocessing, mistakes: 1 })).mistakes.length, 1);
});

test('predict gives what the model gives, row by row', async () => {
  const model = tinyModel();
  const images = tf.randomNormal([5, 8, 8, 1], 0, 1, 'float32', 1);
  const expected = (model.predict(images) as tf.Tensor).arraySync() as number[][];
  const actual = await predict(model, images.dataSync<'float32'>(), { batchSize: 2 });
  assert.equal(actual.length, 5);
  actual.forEach((row, i) => {
    close(
      row.reduce((a, b) => a + b),
      1,
    );
    row.forEach((value, k) => {
      close(value, expected[i]?.[k] ?? Number.NaN);
    });
  });
  assert.deepEqual(await predict(model, new Float32Array()), []);
  await assert.rejects(predict(model, new Float32Array(65)), /images of 8 x 8 x 1 have 64 values each, received 65/);
});

test('data that does not fit the model is refused, and a signal stops the work', async () => {
  const rejects = (data: Dataset, message: RegExp) =>
    assert.rejects(
      evaluate(tinyModel(), data, { preprocessing }),
      (error) => error instanceof ModelError && message.test(error.message),
    );
  await rejects(halves(3, 1, [8, 9, 1]), /halves: has images of 8 x 9 x 1, the model takes 8 x 8 x 1/);
  await rejects({ ...halves(3, 1), classes: ['a'] }, /halves: has 1 classes, the model 3 outputs/);
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  await assert.rejects(evaluate(tinyModel(), halves(3, 1), { preprocessing, signal }), reason);
});

test('no tensor stays behind', async () => {
  const model = tinyModel();
  const data = halves(7, 1);
  await evaluate(model, data, { preprocessing, batchSize: 2 });
  const before = tf.memory().numTensors;
  await evaluate(model, data, { preprocessing, batchSize: 2 });
  assert.equal(tf.memory().numTensors, before);
});
