/** From options to a plan, and from a run's folder to the same plan again. */

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { loadRecipe } from '../recipe/library.ts';
import { parseArguments } from './arguments.ts';
import { UsageError } from './command.ts';
import { longerRun, shownDefaults } from './defaults.ts';
import { parseSize } from './recipe-options.ts';
import { makePlan, type RunPlan, readPlan, reproduceCommand, writePlan } from './run-plan.ts';
import { makeStyle } from './style.ts';
import { trainCommand } from './train.ts';
import { nextSteps } from './train-text.ts';

async function planOf(...argv: string[]): Promise<RunPlan> {
  const { positionals, values } = parseArguments(trainCommand, argv);
  return makePlan(positionals[0], values, (data, model) => `${data}-${model}`);
}

test('without options the embedded data is trained on by its own recipe', async () => {
  const plan = await planOf();
  assert.equal(plan.data.source, 'fashion-mnist');
  assert.equal(plan.name, 'fashion-mnist-resnet18');
  assert.deepEqual(plan.recipe, (await loadRecipe('embedded')).recipe);
  assert.equal(plan.backend, 'jit');
});

test('help shows the defaults that the recipes have', async () => {
  for (const name of ['default', 'embedded'] as const) {
    const { model, loss, optimizer, schedule, training } = (await loadRecipe(name)).recipe;
    assert.ok(optimizer.name === 'sgd' && schedule.name === 'cosine' && loss.name === 'crossEntropy');
    const { [name]: own, default: _, embedded: __, ...common } = shownDefaults;
    const { epochs, batch, seed } = training;
    const { convention, width } = model;
    assert.deepEqual({ epochs, batch, lr: optimizer.learningRate, warmup: schedule.warmup, width }, own);
    const { momentum, nesterov, weightDecay } = optimizer;
    const { labelSmoothing } = loss;
    assert.deepEqual({ model: model.name, convention, momentum, nesterov, weightDecay, labelSmoothing, seed }, common);
  }
});

test('options win over the recipe, --set over options, and paths are made absolute', async () => {
  const words = 'photos --epochs 3 --no-flip --size 120x160 --name n --width 8 --channels 1 --lr 0.5';
  const plan = await planOf(...words.split(' '), '--set', 'training.batch=7', '--set', 'optimizer.learningRate=0.25');
  assert.equal(plan.data.source, resolve('photos'));
  const { data, model, augment, optimizer, training } = plan.recipe;
  assert.equal(training.epochs, 3);
  assert.equal(training.batch, 7);
  assert.equal(optimizer.learningRate, 0.25);
  assert.deepEqual(
    augment.map(({ name }) => name),
    ['randomCrop'],
  );
  assert.deepEqual(data.size, [120, 160]);
  assert.equal(data.channels, 1);
  assert.equal(plan.name, 'n');
  assert.equal(model.width, 8);
  assert.equal((await planOf('--data', 'photos')).data.source, resolve('photos'));
  assert.equal((await planOf('photos', '--recipe', 'embedded')).recipe.training.epochs, 6);
});

test('crops and mirrors can be added and taken away', async () => {
  const names = async (...argv: string[]) => (await planOf(...argv)).recipe.augment.map(({ name }) => name);
  assert.deepEqual(await names('--crop-padding', '3'), ['randomCrop', 'randomFlip']);
  assert.deepEqual(await names('--crop-padding', '0', '--no-flip'), []);
  assert.deepEqual(await names('photos', '--crop-padding', '0'), ['randomFlip']);
  assert.deepEqual(await names('--set', 'augment=[]', '--flip'), []);
  const [crop] = (await planOf('photos', '--crop-padding', '3')).recipe.augment;
  assert.equal(crop.padding, 3);
});

test('contradictions are mistakes of use, named by the option', async () => {
  for (const argv of [
    ['a', '--data', 'b'],
    ['--size', 'large'],
    ['--size', '0x5'],
  ]) {
    await assert.rejects(planOf(...argv), UsageError, argv.join(' '));
  }
  for (const [argv, message] of [
    ['--epochs 2 --warmup 2', '--warmup: schedule.warmup must be less than the 2 epochs, received 2'],
    ['--momentum 0 --nesterov', '--nesterov: optimizer.nesterov needs a momentum greater than 0, received true'],
    ['--validation 0.6 --test 0.5', /^--test: data.test must leave images to train on/],
    ['--model resnet19', /^--model: model.name must be one of resnet18/],
    [
      '--set training.epochs=0',
      '--set training.epochs: training.epochs must be a whole number from 1 to 100000, received 0',
    ],
    ['--recipe embeded', /^there is no recipe embeded: /],
  ] as const) {
    await assert.rejects(planOf(...argv.split(' ')), { name: 'RecipeError', message }, argv);
  }
  const plain = await planOf('--momentum', '0');
  assert.ok(plain.recipe.optimizer.name === 'sgd' && !plain.recipe.optimizer.nesterov);
  assert.deepEqual(parseSize('224'), [224, 224]);
});

test('the command in the report makes the same plan again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'plan of '));
  for (const argv of [[], 'photos --backend cpu --width 8 --stem imagenet --momentum 0 --lr 1e-7'.split(' ')]) {
    const plan = await planOf(...argv);
    await writePlan(folder, plan);
    const words = reproduceCommand(plan, folder).match(/'[^']*'|\S+/g) ?? [];
    const again = await planOf(...words.slice(2).map((word) => word.replace(/^'|'$/g, '')));
    assert.deepEqual(again.recipe, plan.recipe);
    assert.deepEqual([again.data, again.backend], [plan.data, plan.backend]);
  }
  await rm(folder, { recursive: true });
});

test('a plan is read as it was written; other files of that name are refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'plan-'));
  assert.equal(await readPlan(folder), undefined);
  const plan = await planOf('photos', '--width', '8');
  await writePlan(folder, plan);
  assert.deepEqual(await readPlan(folder), plan);
  for (const text of ['{', '{}', 'null']) {
    await writeFile(join(folder, 'run.json'), text);
    await assert.rejects(readPlan(folder), /was not written by this version/);
  }
  await rm(folder, { recursive: true });
});

test('a short run on the embedded data is told what a longer one reaches, others are not', async () => {
  const told = async (...words: string[]) =>
    nextSteps('runs/a', 'runs/a/report.html', 'test', [], [], await planOf(...words), makeStyle(false)).join('\n');
  const { epochs, testAccuracy } = longerRun;
  assert.ok(testAccuracy > 0.9 && testAccuracy < 1);
  assert.ok((await told()).includes(`train --epochs ${epochs}`));
  for (const words of [['--epochs', String(epochs)], ['photos'], ['--recipe', 'cifar-fast']]) {
    assert.ok(!(await told(...words)).includes('a longer run'), words.join(' '));
  }
});

test('fine-tuning without weights to begin with is a mistake', async () => {
  for (const words of [
    ['--recipe', 'finetune'],
    ['--set', 'model.freeze=backbone'],
  ]) {
    await assert.rejects(planOf(...words), {
      name: 'UsageError',
      message: /begins with trained weights, and none are named/,
    });
  }
});
