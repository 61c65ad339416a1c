/** The guide's network as Keras saves it in every format, in our own network: Keras's logits. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { resnet18 } from '../models/resnet.ts';
import { identify } from './identify.ts';
import { readKeras } from './keras/read-keras.ts';
import { expected, readFixture } from './keras/testing.ts';
import { loadWeights } from './load.ts';
import { noSiblings } from './reader.ts';
import { bytesSource } from './source.ts';
import { guideModel } from './testing/guide-model.ts';
import { outputsFor, pictures, relativeError } from './testing/pictures.ts';

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

test("a pre-activation network under classification_models' names gives Keras's logits, for bytes from 0 to 255", async () => {
  const folder = new URL('./fixtures/preactivation/', import.meta.url);
  const known = JSON.parse(await readFile(new URL('expected.json', folder), 'utf8')) as {
    readonly inputShape: [number, number, number];
    readonly classes: number;
    readonly width: number;
    readonly logits: number[][];
  };
  const bytes = gunzipSync(await readFile(new URL('model.h5.gz', folder)));
  const file = await readKeras(bytesSource(bytes, 'model.h5'), noSiblings);
  const { fits } = identify(file);
  assert.deepEqual(
    [fits?.architecture, fits?.map, fits?.dimensions.preactivation],
    ['resnet18', 'classification-models', true],
  );
  const { inputShape, classes, width } = known;
  const options = { inputShape, classes, width, stem: 'imagenet', activation: 'linear' } as const;
  const model = resnet18({ ...options, preactivation: true });
  const report = await loadWeights(model, file);
  assert.deepEqual([report.map, report.leftOver, report.missing], ['classification-models', [], []]);
  const shape: [number, number, number, number] = [2, ...inputShape];
  const logits = model.predict(tf.mul(tf.tensor4d(pictures(2, inputShape), shape), 255)) as tf.Tensor2D;
  assert.ok(relativeError(logits.arraySync(), known.logits) < 1e-5);
  await assert.rejects(
    loadWeights(resnet18({ ...known, classes: 5, stem: 'imagenet' }), file),
    /does not fit resnet18/,
  );
  await file.close();
});
