/** A model's cut of the centre and its filter travel with it: from the data to `residual.json` to prediction. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import { decodeImage } from '../data/node/decode.ts';
import { imageFolder } from '../data/node/image-folder.ts';
import { predict } from '../models/inference.ts';
import type { Preprocessing } from '../models/info.ts';
import { resnet18 } from '../models/resnet.ts';
import { loadModel, saveModel } from '../models/saved-model.ts';
import { train } from '../train/train.ts';
import { findWeights } from '../weights/registry/find.ts';
import { preprocessingOf } from '../weights/registry/preprocessing.ts';
import { predictFiles } from './predict-files.ts';
import { makePhotos } from './testing.ts';

const picture = join(import.meta.dirname, '..', 'data', 'node', 'fixtures', 'picture.png');

test('what training knows of the pictures is in the saved model', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'residual-cut-'));
  t.after(() => rm(folder, { recursive: true }));
  const photos = await makePhotos(join(folder, 'photos'), 2);
  const splits = await imageFolder(photos, { size: 8, crop: 0.8, interpolation: 'bilinear', validation: 0 });
  const model = resnet18({ inputShape: [8, 8, 3], classes: splits.classes.length, width: 2 });
  await train(model, splits, { epochs: 1, batchSize: 6, directory: join(folder, 'run') });
  await splits.train.close();
  const { info } = await loadModel(join(folder, 'run'));
  assert.equal(info.preprocessing.crop, 0.8);
  assert.equal(info.preprocessing.interpolation, 'bilinear');
});

test('prediction cuts as the model says; a model of before sees the whole picture', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'residual-cut-'));
  t.after(() => rm(folder, { recursive: true }));
  const entry = findWeights('torchvision');
  assert.ok(entry !== undefined);
  const published = preprocessingOf(entry, [28, 28, 3]);
  const { crop: _, interpolation: __, ...before } = published;
  const model = resnet18({ inputShape: [28, 28, 3], classes: 3, width: 2 });
  const expected = async (preprocessing: Preprocessing) => {
    const { crop, interpolation, mean, std } = preprocessing;
    const bytes = await decodeImage(picture, { size: 28, crop, interpolation });
    const pixels = Float32Array.from(bytes, (byte, i) => (byte / 255 - (mean[i % 3] ?? 0)) / (std[i % 3] ?? 1));
    const [row] = await predict(model, pixels);
    return Array.from(row ?? []);
  };
  for (const preprocessing of [published, before]) {
    await saveModel(
      model,
      { format: 'residual/1', architecture: 'resnet18', classes: ['a', 'b', 'c'], preprocessing },
      folder,
    );
    const loaded = await loadModel(folder);
    assert.deepEqual(loaded.info.preprocessing, preprocessing);
    const [result] = await predictFiles(loaded.model, loaded.info, [picture]);
    assert.ok(result !== undefined && 'probabilities' in result);
    const wanted = await expected(preprocessing);
    Array.from(result.probabilities).forEach((value, i) => {
      assert.ok(Math.abs(value - (wanted[i] ?? Number.NaN)) < 1e-5, `${Array.from(result.probabilities)}, ${wanted}`);
    });
    loaded.model.dispose();
  }
  assert.notDeepEqual(await expected(published), await expected(before));
});
