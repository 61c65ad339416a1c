/** `residual quantize`: the plan that it makes of a run, and one run from end to end to the file of integers. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { readTflite } from '../export/tflite/import.ts';
import { resnet18 } from '../models/resnet.ts';
import { loadModel, saveModel } from '../models/saved-model.ts';
import { trainedRangesOf } from '../quantize/aware/index.ts';
import { parseArguments } from './arguments.ts';
import { quantizeCommand } from './quantize.ts';
import { jobOf } from './quantize-run.ts';
import { makePlan, reproduceCommand, writePlan } from './run-plan.ts';
import { makePhotos, residual, temporaryFolder } from './testing.ts';

const folder = await temporaryFolder();
const trained = join(folder, 'trained');
let photos = '';

before(async () => {
  await tf.setBackend('cpu');
  photos = await makePhotos(join(folder, 'photos'), 12);
  const model = resnet18({ inputShape: [10, 12, 3], classes: 3, width: 2, stem: 'cifar', seed: 3 });
  const mean = [0.5, 0.4, 0.3];
  const preprocessing = { inputShape: [10, 12, 3], resize: 'stretch', mean, std: [0.3, 0.3, 0.3] } as const;
  const classes = ['blue', 'green & co', 'red'];
  await saveModel(model, { format: 'residual/1', architecture: 'resnet18', classes, preprocessing }, trained);
});

function job(...words: string[]) {
  const { positionals, values } = parseArguments(quantizeCommand, words);
  return jobOf(positionals[0] ?? '', { runs: folder, ...values });
}

test('a run is trained on by its own recipe, gently, on its own data', async () => {
  const own = join(folder, 'own');
  const set = ['training.resolution=[{ until: 50%, size: 8 }]', 'ema.decay=0.9', 'optimizer.layerDecay=0.5'];
  const values = { width: 2, 'label-smoothing': 0.2, size: '10x12', seed: 5, batch: 8, validation: 0.25, set };
  await saveModel(...(await saved()), own);
  await writePlan(own, await makePlan(photos, { ...values, recipe: 'cifar-fast' }, () => 'own'));
  const { plan, folder: place } = await job(own);
  assert.equal(place, join(folder, 'own-int8'));
  const { recipe, data, quantize } = plan;
  assert.equal(data.source, photos);
  assert.deepEqual([recipe.model.weights, recipe.model.width, recipe.data.normalize], [own, 2, 'weights']);
  assert.deepEqual([recipe.training.seed, recipe.training.batch, recipe.data.validation], [5, 8, 0.25]);
  assert.deepEqual([recipe.training.epochs, recipe.training.resolution, recipe.ema.decay], [4, [], 0]);
  const { name, learningRate, layerDecay } = recipe.optimizer;
  assert.deepEqual([name, learningRate, layerDecay, recipe.schedule.name], ['sgd', 0.005, 1, 'cosine']);
  assert.deepEqual(quantize, {
    ...{ bits: 8, weightBits: 8, granularity: 'per-channel', scheme: 'asymmetric', calibrate: 256, freezeAfter: 2 },
  });
  const other = await job(own, '--bits', '6', '--scales', 'per-tensor', '--lr', '0.01', '--freeze-after', '0');
  assert.equal(other.folder, join(folder, 'own-int6'));
  assert.equal(other.plan.recipe.optimizer.learningRate, 0.01);
  assert.match(
    reproduceCommand(other.plan, 'x'),
    /^residual quantize \S+own --bits 6 --weight-bits 6 --scales per-tensor /,
  );
});

async function saved(): Promise<[Parameters<typeof saveModel>[0], Parameters<typeof saveModel>[1]]> {
  const { model, info } = await loadModel(trained);
  return [model, info];
}

test('mistakes are one line', async () => {
  await assert.rejects(job('nowhere'), /there is no run nowhere/);
  await assert.rejects(job(trained), /does not say what it was trained on/);
});

test('the export takes the scales that were trained', async () => {
  const words = ['--data', photos, '--epochs', '2', '--batch', '8', '--runs', folder, '--name', 'rounded'];
  const { code, stdout, stderr } = await residual(['quantize', trained, ...words]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /rounds +8 bits, per-channel, scales fixed after 1 epoch/);
  assert.match(stdout, /export \S+rounded --quantize int8/);
  assert.match(stdout, /accuracy [\d.]+ %, computed in 8 bits, per-channel/);
  const { model } = await loadModel(join(folder, 'rounded'));
  const ranges = (await trainedRangesOf(model))?.ranges ?? {};
  assert.ok(Object.keys(ranges).length > 20);
  const exported = ['export', join(folder, 'rounded'), '--format', 'tflite', '--quantize', 'int8'];
  const { code: status, stderr: told } = await residual([...exported, '--no-proof']);
  assert.equal(status, 0, told);
  const file = await readFile(join(folder, 'rounded', 'export', 'model-int8.tflite'));
  const { graph, quantization } = readTflite(file, 'file');
  const input = ranges.input ?? { min: 0, max: 0 };
  const scale = quantization?.values[graph.input.name]?.scale ?? 0;
  assert.ok(Math.abs(scale - (input.max - input.min) / 255) < 1e-7);
});
