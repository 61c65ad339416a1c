import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { BatchNormalization } from './batch-normalization.ts';
import { ModelError, WriteError } from './errors.ts';
import type { ModelInfo } from './info.ts';
import { resnet18 } from './resnet.ts';
import { loadModel, saveModel } from './saved-model.ts';

const info: ModelInfo = {
  format: 'residual/1',
  architecture: 'resnet18',
  classes: ['cat', 'dog', 'größer'],
  preprocessing: { inputShape: [16, 16, 3], resize: 'cover', mean: [0.1, 0.2, 0.3], std: [1, 2, 3] },
};
const build = (seed: number) => resnet18({ inputShape: [16, 16, 3], classes: 3, width: 4, seed });
const temporary = () => mkdtemp(join(tmpdir(), 'residual-model-'));

test('a model comes back bit for bit, with its averages, layers and preprocessing', async () => {
  const folder = join(await temporary(), 'run');
  const model = build(1);
  const x = tf.randomNormal([2, 16, 16, 3], 1, 1, 'float32', 1);
  model.apply(x, { training: true }); // moves the averages
  await saveModel(model, info, folder);
  for (const path of [folder, join(folder, 'model.json')]) {
    const loaded = await loadModel(path);
    assert.deepEqual(loaded.info, info);
    assert.ok(loaded.model.getLayer('bn1') instanceof BatchNormalization);
    assert.deepEqual(
      loaded.model.weights.map((weight) => weight.originalName),
      model.weights.map((weight) => weight.originalName),
    );
    const [a, b] = [model, loaded.model].map((m) => m.getWeights().map((weight) => weight.dataSync()));
    assert.deepEqual(b, a);
    assert.deepEqual((loaded.model.predict(x) as tf.Tensor).dataSync(), (model.predict(x) as tf.Tensor).dataSync());
  }
});

test('saving again replaces the model and removes its old weights', async () => {
  const folder = await temporary();
  await saveModel(build(1), info, folder);
  const [weights] = (await readdir(folder)).filter((name) => name.endsWith('.bin'));
  await saveModel(build(2), info, folder);
  const names = await readdir(folder);
  assert.equal(names.length, 3);
  assert.ok(!names.includes(weights ?? ''));
  const { model } = await loadModel(folder);
  assert.deepEqual(model.getWeights()[0]?.dataSync(), build(2).getWeights()[0]?.dataSync());
});

test('a save that is killed before its last rename leaves the old model', async () => {
  const [folder, other] = [await temporary(), await temporary()];
  await saveModel(build(1), info, folder);
  await saveModel(build(2), info, other);
  for (const name of await readdir(other)) {
    if (name !== 'model.json') await rename(join(other, name), join(folder, name));
  }
  const { model } = await loadModel(folder);
  assert.deepEqual(model.getWeights()[0]?.dataSync(), build(1).getWeights()[0]?.dataSync());
});

test('files that are missing or wrong end in one clear line', async () => {
  const folder = await temporary();
  const fails = (path: string, message: RegExp) =>
    assert.rejects(loadModel(path), (error) => {
      assert.ok(error instanceof ModelError && message.test(error.message), String(error));
      return true;
    });
  await fails(join(folder, 'nowhere'), /nowhere: there is no such folder$/);
  await fails(folder, /is no saved model, residual\.json is missing$/);
  await saveModel(build(1), info, folder);
  const model = join(folder, 'model.json');
  const json = await readFile(model, 'utf8');
  await writeFile(model, json.replace('layers-model', 'graph-model'));
  await fails(folder, /model\.json: must be a TF\.js model of format layers-model, is graph-model$/);
  await writeFile(model, json.slice(0, 99));
  await fails(folder, /model\.json: is not JSON$/);
  await writeFile(model, json);
  const [weights = ''] = (await readdir(folder)).filter((name) => name.endsWith('.bin'));
  await writeFile(join(folder, weights), new Uint8Array(8));
  await fails(folder, /the weights have 8 bytes, model\.json describes \d+$/);
  await rm(join(folder, weights));
  await fails(folder, /is no saved model, weights\.\w+\.bin is missing$/);
  await saveModel(build(1), { ...info, classes: ['one'] }, folder);
  await fails(folder, /residual\.json names 1 classes, the model has 3 outputs$/);
  await writeFile(join(folder, 'residual.json'), '{"format":"other/1"}');
  await fails(folder, /format must be 'residual\/1', is "other\/1"$/);
});

test('a folder that cannot be made is a WriteError', async () => {
  const file = join(await temporary(), 'file');
  await writeFile(file, '');
  await assert.rejects(saveModel(build(1), info, join(file, 'run')), WriteError);
});
