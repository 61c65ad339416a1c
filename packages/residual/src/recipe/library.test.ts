/** Recipes: every shipped one is possible and trains; every mistake is named with its place and the nearest word. */

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { resnet18 } from '../models/resnet.ts';
import { saveModel } from '../models/saved-model.ts';
import { halves } from '../train/testing.ts';
import { modelOf } from './build.ts';
import { loadRecipe, recipeNames } from './library.ts';
import { trainWithRecipe } from './train.ts';
import { recipeText } from './write.ts';

let folder = '';

before(async () => {
  await tf.setBackend('cpu');
  folder = await mkdtemp(join(tmpdir(), 'recipes-'));
});

after(() => rm(folder, { recursive: true }));

async function written(text: string, name = 'mine.yaml'): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

for (const name of await recipeNames()) {
  test(`${name} is possible, says what it is for, and learns two steps`, async () => {
    const { recipe } = await loadRecipe(name);
    assert.ok(recipe.about.length > 10 && recipe.about !== 'a recipe');
    const shape = recipe.data.normalize === 'imagenet' ? ([8, 8, 3] as const) : ([8, 8, 1] as const);
    const parts = { train: halves(8, 1, shape), validation: halves(3, 2, shape) };
    const splits = { classes: parts.train.classes, imageShape: shape, ...parts };
    // As written, but for what costs time: the epochs, the batch, the filters, and pictures' sizes that are not these.
    const small = ['training.epochs=1', 'training.batch=4', 'model.width=2', 'data.size=8', 'schedule.over=2 steps'];
    const sizes = recipe.training.resolution.length > 0 ? ['training.resolution=[{ until: 50%, size: 6 }]'] : [];
    const fits = small.filter((one) => !one.startsWith('schedule') || 'over' in recipe.schedule);
    const warm = 'warmup' in recipe.schedule ? ['schedule.warmup=0'] : [];
    const steps = recipe.schedule.name === 'steps' ? ['schedule.at=[1 step]'] : [];
    const run = await trainWithRecipe(splits, name, {}, [...fits, ...sizes, ...warm, ...steps]);
    assert.equal(run.steps, 2);
    assert.ok(Number.isFinite(run.epochs[0]?.loss));
    run.model.dispose();
  });
}

test('a recipe of its own is laid over the one that it extends; null takes a key away', async () => {
  const base = await written(
    'about: a base\naugment: [randomFlip]\noptimizer: { name: sgd, momentum: 0.8, nesterov: true }\n',
    'base.yaml',
  );
  const file = await written(
    'extends: base.yaml\noptimizer: { learningRate: 0.3, nesterov: null }\nschedule: { name: oneCycle }\n',
  );
  const { name, recipe } = await loadRecipe(file, ['training.epochs=7', 'augment.randomFlip.probability=0.25']);
  assert.equal(name, 'mine');
  assert.equal(recipe.about, 'a base');
  assert.ok(recipe.optimizer.name === 'sgd');
  const { learningRate, momentum, nesterov } = recipe.optimizer;
  assert.deepEqual([learningRate, momentum, nesterov], [0.3, 0.8, false]);
  assert.equal(recipe.training.epochs, 7);
  assert.deepEqual(recipe.augment, [{ name: 'randomFlip', probability: 0.25 }]);
  // Another optimizer has none of the keys of the one before.
  const other = await loadRecipe(file, ['optimizer={ name: adamW }']);
  assert.ok(other.recipe.optimizer.name === 'adamW' && other.recipe.optimizer.learningRate === 0.001);
  await writeFile(base, 'extends: mine.yaml\n');
  await assert.rejects(loadRecipe(file), { name: 'RecipeError', message: /in a circle/ });
});

test('mistakes are named with their line and the nearest valid word', async () => {
  const cases: readonly (readonly [text: string, message: RegExp, hint?: RegExp])[] = [
    ['training:\n  epochs: 3\n  bach: 4\n', /mine\.yaml:3: training has no key 'bach'; there are epochs, /, /batch/],
    ['optimiser: {}\n', /mine\.yaml:1: a recipe has no key 'optimiser'/, /optimizer/],
    [
      'about: x\n\noptimizer:\n  name: sgdd\n',
      /mine\.yaml:4: optimizer\.name must be one of sgd, adamW, muon, received 'sgdd'/,
      /sgd/,
    ],
    [
      'optimizer:\n  name: sgd\n  momentum: 1\n',
      /mine\.yaml:3: optimizer\.momentum must be a number from 0 and below 1, received 1/,
    ],
    [
      'augment:\n  - randomFlip\n  - randomCrp\n',
      /mine\.yaml:3: augment\.1\.name must be one of .*, received 'randomCrp'/,
      /randomCrop/,
    ],
    ['augment:\n  - { name: randomCrop, pading: 4 }\n', /mine\.yaml:2: augment\.0 has no key 'pading'/, /padding/],
    ['augment:\n  - { name: randomCrop, padding: -4 }\n', /mine\.yaml:2: randomCrop: padding .* received -4/],
    [
      'schedule: { name: cosine, warmup: 5 minutes }\n',
      /mine\.yaml:1: schedule\.warmup must be a number of epochs, or as 10000 steps or 5%/,
    ],
    ['training: 3\n', /mine\.yaml:1: training must be a section of keys, received 3/],
    ['training: { epochs: [1 }\n', /mine\.yaml:1: is not YAML: /],
    ['a: &x 1\nb: *x\n', /mine\.yaml:2: a recipe may not use YAML's aliases/],
    ['- 1\n', /a recipe must be a list of keys and values/],
    ['extends: defualt\n', /there is no recipe defualt/, /default/],
  ];
  for (const [text, message, hint] of cases) {
    const file = await written(text);
    await assert.rejects(loadRecipe(file), (error: Error & { hint?: string }) => {
      assert.equal(error.name, 'RecipeError', String(error.stack));
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      if (hint !== undefined) assert.match(error.hint ?? '', hint);
      return true;
    });
  }
  await assert.rejects(
    loadRecipe('default', ['augment.cutout.size=4']),
    /augment has no 'cutout' in this recipe; there are randomCrop/,
  );
  await assert.rejects(loadRecipe('default', ['epochs']), /--set needs a key and a value/);
});

test('a written recipe is read as the same', async () => {
  for (const name of await recipeNames()) {
    const { recipe } = await loadRecipe(name);
    const file = await written(recipeText(recipe, 'all of it'), `${name}-full.yaml`);
    assert.deepEqual((await loadRecipe(file)).recipe, recipe);
  }
});

test('fine-tuning begins with trained weights, keeps a frozen backbone, and has a classifier of its own', async () => {
  const trained = resnet18({ inputShape: [8, 8, 1], classes: 5, width: 2, seed: 9 });
  const info = { format: 'residual/1', architecture: 'resnet18', classes: ['a', 'b', 'c', 'd', 'e'] } as const;
  const preprocessing = { inputShape: [8, 8, 1], resize: 'cover', mean: [0], std: [1] } as const;
  await mkdir(join(folder, 'run'));
  await saveModel(trained, { ...info, preprocessing }, join(folder, 'run'));
  const set = [
    `model.weights=${join(folder, 'run')}`,
    'model.width=2',
    'training.batch=4',
    'training.epochs=1',
    'schedule.warmup=0',
  ];
  const splits = { classes: ['top', 'left', 'bottom'], imageShape: [8, 8, 1] as const, train: halves(8, 1) };
  const kernel = async (model: tf.io.IOHandler | object, index: number) =>
    (await (model as typeof trained).layers
      .filter((layer) => layer.weights.length > 0)
      .at(index)
      ?.getWeights()[0]
      ?.data()) ?? [];
  const run = await trainWithRecipe(splits, 'finetune', {}, [...set, 'model.freeze=backbone']);
  assert.deepEqual(await kernel(run.model, 0), await kernel(trained, 0));
  assert.equal(run.model.outputs[0]?.shape.at(-1), 3);
  const whole = await trainWithRecipe(splits, 'finetune', {}, set);
  assert.notDeepEqual(await kernel(whole.model, 0), await kernel(trained, 0));
  await assert.rejects(trainWithRecipe(splits, 'finetune', {}, [...set, 'model.width=3']), {
    name: 'WeightsError',
    message: /does not fit resnet18: .* conv1\/kernel must be \[3, 3, 1, 3\], is \[3, 3, 1, 2\]/,
  });
  // As many classes, but others: their classifier would only be in the way.
  const five = ['a', 'b', 'c', 'd', 'other'];
  for (const classes of [['a', 'b', 'c', 'd', 'e'], five]) {
    const model = await modelOf((await loadRecipe('finetune', set)).recipe, { ...splits, classes });
    const same = `${await kernel(model, -1)}` === `${await kernel(trained, -1)}`;
    assert.equal(same, classes !== five);
    model.dispose();
  }
  for (const { model } of [run, whole]) model.dispose();
  trained.dispose();
});
