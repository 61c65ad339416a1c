/** From options to a plan and back to a command that gives the same plan. */

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { parseArguments } from './arguments.ts';
import { UsageError } from './command.ts';
import { defaultsFor } from './defaults.ts';
import { cropPaddingOf, makePlan, parseSize, type RunPlan, readPlan, reproduceCommand, writePlan } from './run-plan.ts';
import { trainCommand } from './train.ts';

function planOf(...argv: string[]): RunPlan {
  const { positionals, values } = parseArguments(trainCommand, argv);
  return makePlan(positionals[0], values, (data, model) => `${data}-${model}`);
}

test('without options the embedded data is trained on by its own defaults', () => {
  const plan = planOf();
  const usual = defaultsFor('fashion-mnist');
  assert.equal(plan.data.source, 'fashion-mnist');
  assert.equal(plan.name, `fashion-mnist-${usual.model}`);
  assert.equal(plan.training.epochs, usual.epochs);
  assert.equal(plan.training.lr, usual.lr);
  assert.equal(plan.backend, 'jit');
});

test('options win over defaults, and paths are made absolute', () => {
  const plan = planOf('photos', '--epochs', '3', '--no-flip', '--size', '120x160', '--name', 'n', '--width', '8');
  assert.equal(plan.data.source, resolve('photos'));
  assert.equal(plan.training.epochs, 3);
  assert.equal(plan.data.flip, false);
  assert.deepEqual(plan.data.size, [120, 160]);
  assert.equal(plan.name, 'n');
  assert.equal(plan.model.width, 8);
  assert.equal(planOf('--data', 'photos').data.source, resolve('photos'));
  assert.ok(planOf('photos', '--epochs', '2').training.warmup < 2);
});

test('contradictions are mistakes of use', () => {
  for (const argv of [
    ['a', '--data', 'b'],
    ['--epochs', '2', '--warmup', '2'],
    ['--momentum', '0', '--nesterov'],
    ['--validation', '0.6', '--test', '0.5'],
    ['--size', 'large'],
    ['--size', '0x5'],
    ['--model', 'resnet19'],
  ]) {
    assert.throws(() => planOf(...argv), UsageError, argv.join(' '));
  }
  assert.equal(planOf('--momentum', '0').training.nesterov, false);
  assert.deepEqual(parseSize('224'), [224, 224]);
});

test('the random crop reaches an eighth of the shorter side unless told otherwise', () => {
  assert.equal(cropPaddingOf(planOf('photos'), [32, 32, 1]), 4);
  assert.equal(cropPaddingOf(planOf('photos'), [224, 320, 3]), 28);
  assert.equal(cropPaddingOf(planOf('--crop-padding', '0'), [28, 28, 1]), 0);
});

test('the command in the report makes the same plan again', () => {
  const plans = [
    planOf(),
    planOf('--backend', 'cpu', '--width', '8', '--stem', 'imagenet', '--no-nesterov', '--momentum', '0'),
    planOf(
      'my photos',
      '--size',
      '64x96',
      '--channels',
      '1',
      '--resize',
      'contain',
      '--validation',
      '0.3',
      '--test',
      '0.1',
      '--no-flip',
      '--lr',
      '1e-7',
    ),
  ];
  for (const plan of plans) {
    const padding = cropPaddingOf(plan, [64, 96, 1]);
    const words = reproduceCommand(plan, padding).match(/'[^']*'|\S+/g) ?? [];
    const again = planOf(...words.slice(2).map((word) => word.replace(/^'|'$/g, '')));
    const { created: _, name: __, ...rest } = again;
    const { created: ___, name: ____, ...expected } = plan;
    assert.deepEqual(rest, { ...expected, data: { ...expected.data, cropPadding: padding } });
  }
});

test('a plan is read as it was written; other files of that name are refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'plan-'));
  assert.equal(await readPlan(folder), undefined);
  const plan = planOf('photos', '--width', '8');
  await writePlan(folder, plan);
  assert.deepEqual(await readPlan(folder), plan);
  for (const text of ['{', '{}', 'null']) {
    await writeFile(join(folder, 'run.json'), text);
    await assert.rejects(readPlan(folder), /was not written by this version/);
  }
  await rm(folder, { recursive: true });
});
