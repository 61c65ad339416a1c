/** The guide's network as Keras saves it in every format, in our own network: Keras's logits. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { resnet18 } from '../models/resnet.ts';
import { expected, readFixture } from './keras/testing.ts';
import { loadWeights } from './load.ts';
import { guideModel } from './testing/guide-model.ts';
import { outputsFor, relativeError } from './testing/pictures.ts';

await tf.setBackend('cpu');

const { classes, logits, probabilities } = expected;
const inputShape: [number, number, number] = [...expected.inputShape];
const width = expected.filters[0] ?? 0;

for (const name of [
  'keras2.h5',
  'keras2.keras',
  'keras2.weights-only.h5',
  'keras3.h5',
  'keras3.keras',
  'keras3.weights.h5',
]) {
  test(`${name}: the guide's network gives Keras's logits, in ours and in the guide's own`, async () => {
    const file = await readFixture(name);
    const options = {
      inputShape,
      classes,
      width,
      stem: 'imagenet',
      convention: 'keras',
      activation: 'linear',
    } as const;
    const mine = resnet18(options);
    const report = await loadWeights(mine, file);
    assert.ok(relativeError(outputsFor(mine, 2), logits) < 1e-5);
    assert.equal(report.map, 'order');
    assert.deepEqual(
      [report.leftOver, report.missing, report.adjusted, report.made, report.cautions],
      [[], [], [], [], []],
    );
    const guide = guideModel(inputShape, classes, width);
    await loadWeights(guide, file);
    assert.ok(relativeError(outputsFor(guide, 2), probabilities) < 1e-5);
    await file.close();
  });
}
