/** From a file on disk to a network, as a user asks for it. */

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { preprocessingOf } from '../../models/preprocessing.ts';
import { saveModel } from '../../models/saved-model.ts';
import { WeightsError } from '../errors.ts';
import type { LoadReport } from '../load.ts';
import { outputsFor, relativeError } from '../testing/pictures.ts';
import { torchBytes, torchExpected } from '../testing/torch-fixtures.ts';
import { loadWeights, pretrained, resnet18 } from './pretrained.ts';

await tf.setBackend('cpu');
const folder = await mkdtemp(join(tmpdir(), 'residual-pretrained-'));
after(() => rm(folder, { recursive: true }));
const path = join(folder, 'mine.pth');
await writeFile(path, await torchBytes('resnet18.pth'));
const { logits } = torchExpected.networks.resnet18;

test('resnet18 with weights is a promise of a network like that of the file', async () => {
  const reports: LoadReport[] = [];
  const onReport = (report: LoadReport) => reports.push(report);
  const model = await resnet18({ weights: path, inputShape: [64, 64, 3], activation: 'linear', onReport });
  assert.ok(relativeError(outputsFor(model, 2), logits[64] ?? []) < 1e-5);
  assert.equal(reports[0]?.missing.length, 0);
  // Without weights it is there at once, as ever.
  assert.equal(resnet18({ inputShape: [32, 32, 3], classes: 3, width: 1 }).outputs[0]?.shape[1], 3);
});

test('other classes make a new classifier, which is printed', async (t) => {
  const info = t.mock.method(console, 'info', () => {});
  const model = await pretrained('resnet18', { weights: path, classes: 10 });
  assert.deepEqual(
    [model.inputs[0]?.shape, model.outputs[0]?.shape],
    [
      [null, 224, 224, 3],
      [null, 10],
    ],
  );
  assert.match(String(info.mock.calls[0]?.arguments[0]), /fc\/kernel keeps its own start/);
});

test('another network than the file is refused, with the one that it is', async () => {
  await assert.rejects(pretrained('resnet34', { weights: path }), (error: Error) => {
    assert.ok(error instanceof WeightsError);
    assert.match(error.message, /does not fit resnet34: .*layer1\.2\.conv1\.weight .* is not in the file/);
    return true;
  });
  await assert.rejects(pretrained('resnet19', { weights: path }), /no model is called 'resnet19'/);
});

test("a run's folder gives its weights and its preprocessing", async () => {
  const run = join(folder, 'run');
  const trained = resnet18({ inputShape: [16, 16, 1], classes: 2, width: 2, seed: 5 });
  const preprocessing = { inputShape: [16, 16, 1], resize: 'cover', mean: [0.3], std: [0.2] } as const;
  await saveModel(trained, { format: 'residual/1', architecture: 'resnet18', classes: ['a', 'b'], preprocessing }, run);
  const onReport = () => {};
  const model = await resnet18({ weights: run, classes: 2, onReport });
  assert.deepEqual(model.inputs[0]?.shape, [null, 16, 16, 1]);
  assert.deepEqual(outputsFor(model, 1), outputsFor(trained, 1));
  assert.deepEqual(preprocessingOf(model), { mean: [0.3], std: [0.2], resize: 'cover' });
  const other = resnet18({ inputShape: [16, 16, 1], classes: 2, width: 2, seed: 6 });
  const report = await loadWeights(other, run);
  assert.equal(report.map, 'layers');
  assert.deepEqual(report.leftOver, []);
});
