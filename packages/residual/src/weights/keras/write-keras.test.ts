import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { WriteError } from '../../models/errors.ts';
import { resnet18 } from '../../models/resnet.ts';
import { fileSource } from '../node/file-source.ts';
import { noSiblings } from '../reader.ts';
import { bytesSource } from '../source.ts';
import { modelFromKeras } from './model-from-keras.ts';
import { readKeras } from './read-keras.ts';
import { kerasH5, writeKerasH5 } from './write-keras.ts';

const folder = await mkdtemp(join(tmpdir(), 'keras-h5-'));
after(() => rm(folder, { recursive: true }));

/** Values of a trained network, zeros of either sign and extremes included. */
function shuffle(model: tfl.LayersModel): Float32Array[] {
  const odd = [-0, 1e-45, -3.4028235e38, Number.POSITIVE_INFINITY, 1 / 3];
  const values = model.weights.map((weight, w) => {
    const size = weight.read().size;
    return Float32Array.from({ length: size }, (_, i) => (i < odd.length ? (odd[(i + w) % 5] ?? 0) : Math.sin(i + w)));
  });
  const tensors = values.map((value, i) => tf.tensor(value, model.weights[i]?.shape as number[]));
  model.setWeights(tensors);
  tf.dispose(tensors);
  return values;
}

const bits = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

test('a round trip gives the same model with the same bits', async () => {
  const model = resnet18({ inputShape: [16, 16, 3], classes: 3, width: 2 });
  const values = shuffle(model);
  const file = join(folder, 'new', 'resnet18.h5');
  await writeKerasH5(model, file);
  assert.deepEqual(await readdir(join(folder, 'new')), ['resnet18.h5']);
  const opened = await readKeras(await fileSource(file), noSiblings);
  assert.deepEqual(
    opened.layers.map(({ name }) => name),
    model.layers.filter(({ weights }) => weights.length > 0).map(({ name }) => name),
  );
  assert.equal(opened.tensors[0]?.name, 'conv1/conv1/kernel:0');
  const again = await modelFromKeras(opened);
  await opened.close();
  assert.deepEqual(again.toJSON(null, false), model.toJSON(null, false));
  again.getWeights().forEach((weight, i) => {
    assert.deepEqual(bits(weight.dataSync() as Float32Array), bits(values[i] ?? new Float32Array()));
  });
  model.dispose();
  again.dispose();
});

test('weights only: no model is in the file', async () => {
  const model = resnet18({ inputShape: [8, 8, 1], classes: 2, width: 1 });
  const opened = await readKeras(bytesSource(await kerasH5(model, { weightsOnly: true }), 'w.h5'), noSiblings);
  assert.equal(opened.modelConfig, undefined);
  assert.equal(opened.layers.length, 41);
  await assert.rejects(modelFromKeras(opened), /w\.h5: holds weights without their model/);
  await opened.close();
  model.dispose();
});

test('a list of names too long for one attribute is cut into pieces, as Keras cuts it', async () => {
  const model = tfl.sequential();
  const name = (i: number) => `dense_with_a_very_long_name_${'x'.repeat(2000)}_${i}`;
  for (let i = 0; i < 40; i++) model.add(tfl.layers.dense({ units: 1, inputShape: [1], name: name(i) }));
  const opened = await readKeras(bytesSource(await kerasH5(model, { weightsOnly: true }), 'long.h5'), noSiblings);
  assert.deepEqual(
    opened.layers.map((layer) => layer.name),
    Array.from({ length: 40 }, (_, i) => name(i)),
  );
  await opened.close();
});

test('where it cannot be written, one clear error', async () => {
  const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [1] })] });
  await assert.rejects(writeKerasH5(model, folder), WriteError);
});
