/** `residual finetune`: which recipe its options make over what the weights say, and one run from end to end. */

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { resnet18 } from '../models/resnet.ts';
import { loadModel, saveModel } from '../models/saved-model.ts';
import { parseArguments } from './arguments.ts';
import { finetuneCommand } from './finetune.ts';
import { baseOf } from './finetune-run.ts';
import { makePlan } from './run-plan.ts';
import { makePhotos, residual, temporaryFolder } from './testing.ts';

const folder = await temporaryFolder();
const weights = join(folder, 'trained');

before(async () => {
  await tf.setBackend('cpu');
  const model = resnet18({
    inputShape: [10, 12, 3],
    classes: 5,
    width: 2,
    convention: 'keras',
    stem: 'imagenet',
    seed: 3,
  });
  const preprocessing = {
    inputShape: [10, 12, 3],
    resize: 'stretch',
    mean: [0.5, 0.4, 0.3],
    std: [0.2, 0.3, 0.4],
  } as const;
  const classes = ['a', 'b', 'c', 'd', 'e'];
  await saveModel(model, { format: 'residual/1', architecture: 'resnet18', classes, preprocessing }, weights);
});

async function planOf(...words: string[]) {
  const { positionals, values } = parseArguments(finetuneCommand, ['photos', '--weights', weights, ...words]);
  return makePlan(positionals[0], values, () => 'name', await baseOf(values));
}

test('the network and the pictures are those of the weights, unless an option says otherwise', async () => {
  const { from, recipe } = await planOf();
  assert.equal(from, 'finetune');
  const { name, width, stem, convention, freeze } = recipe.model;
  assert.deepEqual([name, width, stem, convention, freeze], ['resnet18', 2, 'imagenet', 'keras', 'none']);
  assert.deepEqual([recipe.data.size, recipe.data.channels, recipe.data.resize], [[10, 12], 3, 'stretch']);
  assert.deepEqual(
    [recipe.optimizer.headFactor, recipe.optimizer.layerDecay, recipe.data.normalize],
    [10, 0.8, 'weights'],
  );
  const other = (await planOf('--size', '20', '--layer-decay', '0.5', '--lr', '0.02', '--head-lr', '0.1')).recipe;
  assert.deepEqual([other.data.size, other.optimizer.layerDecay, other.optimizer.headFactor], [[20, 20], 0.5, 5]);
});

test('what is frozen, and how its features are computed', async () => {
  const head = await planOf('--freeze', 'backbone', '--cache', join(folder, 'cache'));
  assert.deepEqual([head.from, head.recipe.augment, head.features], ['finetune-head', [], join(folder, 'cache')]);
  const views = await planOf('--freeze', 'backbone', '--views', '4');
  assert.ok(views.recipe.augment.length > 0);
  assert.equal(views.recipe.training.views, 4);
  assert.equal((await planOf('--freeze', 'backbone', '--cache', 'off')).recipe.training.cacheFeatures, false);
  const blocks = await planOf('--freeze', '2', '--batch-norm', 'frozen');
  assert.deepEqual([blocks.from, blocks.recipe.model.freeze, blocks.recipe.model.batchNorm], ['finetune', 2, 'frozen']);
  const gradual = await planOf('--unfreeze', '3:1,6:all');
  assert.deepEqual([gradual.from, gradual.recipe.model.freeze], ['finetune', 'backbone']);
  assert.deepEqual(gradual.recipe.training.unfreeze, [
    { epoch: 3, blocks: 1 },
    { epoch: 6, blocks: 'all' },
  ]);
});

test('mistakes are one line', async () => {
  const cases: readonly (readonly [words: readonly string[], message: RegExp])[] = [
    [['--freeze', 'half'], /--freeze must be none, backbone, or how many of the last blocks learn, received 'half'/],
    [['--unfreeze', '3'], /--unfreeze must be epochs and blocks, as 3:1,6:all, received '3'/],
    [['--views', '4'], /--views is of features that are computed once/],
  ];
  for (const [words, message] of cases) await assert.rejects(planOf(...words), message);
  await assert.rejects(baseOf({}), /begins with trained weights, and none are named/);
  await assert.rejects(baseOf({ weights: join(folder, 'nothing') }), /there are no weights/);
});

test('a run with a frozen backbone says what it does, keeps the features, and leaves the backbone alone', async () => {
  const photos = await makePhotos(join(folder, 'photos'), 12);
  const cache = join(folder, 'features');
  const words = [
    '--freeze',
    'backbone',
    '--epochs',
    '4',
    '--batch',
    '8',
    '--cache',
    cache,
    '--runs',
    folder,
    '--name',
    'tuned',
  ];
  const { code, stdout, stderr } = await residual(['finetune', photos, '--weights', weights, ...words]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /weights +\S+: \d+ weights of resnet18 loaded/);
  assert.match(stderr, /missing +fc\/kernel keeps its own start/);
  assert.match(stderr, /learns +51 of [\d,]+ parameters: the classifier/);
  assert.match(stderr, /pixels +normalised as the weights were trained: mean 0\.5, 0\.4, 0\.3, std 0\.2, 0\.3, 0\.4/);
  assert.match(stderr, /cache +features computed once, of each picture, without augmentation, and kept in/);
  assert.match(stdout, /validation accuracy/);
  assert.equal((await readdir(cache)).length, 2);
  const [trained, tuned] = [await loadModel(weights), await loadModel(join(folder, 'tuned'))];
  assert.deepEqual(tuned.info.preprocessing.mean, [0.5, 0.4, 0.3]);
  for (const layer of trained.model.layers.slice(0, -1)) {
    const bits = ({ model }: typeof tuned) =>
      model
        .getLayer(layer.name)
        .getWeights()
        .map((weight) => weight.dataSync());
    assert.deepEqual(bits(tuned), bits(trained), layer.name);
  }
  const steps = (await readFile(join(folder, 'tuned', 'history.jsonl'), 'utf8')).match(/"type":"step"/g) ?? [];
  assert.ok(steps.length >= 8);
});
