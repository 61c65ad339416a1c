/** Progressive resizing: the resampling against its definition, the moments, and a run that trains through them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { networkOf } from '../models/network.ts';
import { resnet18 } from '../models/resnet.ts';
import { resizeBatch } from './resize-batch.ts';
import { atResolution, checkStages } from './resolution.ts';
import { sgd } from './sgd.ts';
import { halvesSplits, weightsOf } from './testing.ts';
import { train } from './train.ts';

test('half the size is the mean of two by two pixels, weighted by a triangle', () => {
  // Four pixels in a row to two: weights 3:3 within, 1 beyond, of the triangle of radius 2 about each centre.
  const [a, b] = resizeBatch(Float32Array.from([1, 2, 4, 8]), 1, [1, 4, 1], [1, 2]);
  assert.ok(Math.abs((a ?? 0) - (0.75 * 1 + 0.75 * 2 + 0.25 * 4) / 1.75) < 1e-6);
  assert.ok(Math.abs((b ?? 0) - (0.25 * 2 + 0.75 * 4 + 0.75 * 8) / 1.75) < 1e-6);
});

test('pictures and channels stay apart, a constant stays constant, and the same size is the same picture', () => {
  const [height, width, channels] = [5, 7, 3];
  const images = Float32Array.from({ length: 2 * height * width * channels }, (_, i) => (i % channels) - 1);
  images.fill(9, height * width * channels);
  for (const to of [
    [3, 4],
    [10, 9],
  ] as const) {
    const out = resizeBatch(images, 2, [height, width, channels], to);
    const half = out.length / 2;
    out.forEach((value, i) => {
      const expected = i < half ? (i % channels) - 1 : 9;
      assert.ok(Math.abs(value - expected) < 1e-5, `${value} at ${i}`);
    });
  }
  const random = Float32Array.from({ length: 35 }, (_, i) => Math.sin(i * i));
  assert.deepEqual(resizeBatch(random, 1, [5, 7, 1], [5, 7]), random);
});

test('enlarging agrees with tf.image.resizeBilinear with half pixel centres', async () => {
  await tf.setBackend('cpu');
  const images = Float32Array.from({ length: 2 * 4 * 3 * 2 }, (_, i) => Math.cos(i));
  const reference = tf.image.resizeBilinear(tf.tensor4d(images, [2, 4, 3, 2]), [7, 5], false, true);
  const expected = await reference.data();
  resizeBatch(images, 2, [4, 3, 2], [7, 5]).forEach((value, i) => {
    assert.ok(Math.abs(value - (expected[i] ?? 0)) < 1e-6);
  });
});

test('each step has the size of its stage', () => {
  const images = new Float32Array(2 * 8 * 8);
  const batch = { batch: 0, images, labels: new Int32Array(2), indices: new Int32Array(2), size: 2 };
  const stages = [
    { untilStep: 2, size: 4 },
    { untilStep: 3, size: [6, 5] as const },
  ];
  const shapes = [0, 1, 2, 3].map((step) => atResolution(batch, [8, 8, 1], stages, step).imageShape);
  assert.deepEqual(shapes, [[4, 4, 1], [4, 4, 1], [6, 5, 1], undefined]);
  assert.throws(
    () =>
      checkStages([
        { untilStep: 3, size: 4 },
        { untilStep: 2, size: 4 },
      ]),
    /untilStep must rise/,
  );
  assert.throws(() => checkStages([{ untilStep: 3, size: 0.5 }]), {
    name: 'ModelError',
    message: /size must be pixels/,
  });
});

test('a network trains through all sizes and ends as a model of whole pictures', async () => {
  await tf.setBackend('cpu');
  const run = async (sizes: readonly number[]) => {
    const data = halvesSplits(12, 3);
    const model = resnet18({ inputShape: [8, 8, 1], classes: data.classes.length, width: 2, seed: 1 });
    const optimizer = sgd({ learningRate: 0.05, momentum: 0.9 });
    const resolution = sizes.map((size, i) => ({ untilStep: i + 1, size }));
    await train(model, data, { epochs: 1, batchSize: 4, optimizer, resolution });
    const weights = await weightsOf(model);
    optimizer.dispose();
    model.dispose();
    return weights;
  };
  const [small, again, whole] = [await run([4, 6]), await run([4, 6]), await run([])];
  assert.deepEqual(small, again);
  assert.notDeepEqual(Object.values(small)[0], Object.values(whole)[0]);
});

test('validation shows pictures of the size that was trained on last', async () => {
  await tf.setBackend('cpu');
  const data = halvesSplits(12, 6);
  const { validation } = data;
  assert.ok(validation);
  const model = resnet18({ inputShape: [8, 8, 1], classes: data.classes.length, width: 2, seed: 1 });
  const batchesPerEpoch = Math.floor(data.train.size / 4);
  const { images } = await validation.read(Array.from({ length: validation.size }, (_, i) => i));
  const whole = Float32Array.from(images, (byte) => Math.fround(byte / 255));
  const seen: number[] = [];
  await train(model, data, {
    epochs: 2,
    batchSize: 4,
    normalize: { mean: [0], std: [1] },
    optimizer: sgd({ learningRate: 0.002 }),
    resolution: [{ untilStep: batchesPerEpoch, size: 4 }],
    onEpoch: async ({ epoch, validationLoss }) => {
      const side = epoch === 1 ? 4 : 8;
      const small = resizeBatch(whole, validation.size, [8, 8, 1], [side, side]);
      const loss = tf.tidy(() => {
        const logits = networkOf(model).apply(tf.tensor4d(small, [validation.size, side, side, 1]), false);
        const rows = tf.logSoftmax(logits).arraySync() as number[][];
        return rows.reduce((sum, row, i) => sum - (row[validation.labels[i] ?? 0] ?? 0), 0) / rows.length;
      });
      assert.ok(Math.abs(loss - (validationLoss ?? 0)) < 1e-4, `epoch ${epoch}: ${validationLoss}, should be ${loss}`);
      seen.push(epoch);
    },
  });
  assert.deepEqual(seen, [1, 2]);
  model.dispose();
});
