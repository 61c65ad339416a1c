/** Finding runs by what people type, and naming new ones. */

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CommandError, UsageError } from './command.ts';
import { findRun, latestRun, newRunFolder, runName } from './run-folders.ts';

let runs = '';

before(async () => {
  runs = await mkdtemp(join(tmpdir(), 'runs-'));
  for (const [i, name] of ['older', 'newer', 'oldest'].entries()) {
    await mkdir(join(runs, name));
    const file = join(runs, name, 'run.json');
    await writeFile(file, '{}');
    const time = [2000, 3000, 1000][i] ?? 0;
    await utimes(file, time, time);
  }
  await mkdir(join(runs, 'no-run'));
  await writeFile(join(runs, 'older', 'model.json'), '{}');
});

after(() => rm(runs, { recursive: true }));

test('a run is found by its folder, its name, or its model', async () => {
  assert.equal(await findRun(join(runs, 'older')), join(runs, 'older'));
  assert.equal(await findRun('older', runs), join(runs, 'older'));
  assert.equal(await findRun(join(runs, 'older', 'model.json')), join(runs, 'older'));
});

test('a wrong name gets the nearest, or the latest', async () => {
  const hint = async (typed: string, where = runs) => {
    const error = await findRun(typed, where).catch((caught: unknown) => caught);
    assert.ok(error instanceof CommandError);
    return error.hint ?? '';
  };
  assert.match(await hint('olderr'), /did you mean .*older\?/);
  assert.match(await hint('completely-different'), /the latest are newer, older, oldest/);
  assert.match(await hint('x', join(runs, 'no-run')), /no runs in/);
});

test('the latest run is the one that was written to last', async () => {
  assert.equal(await latestRun(runs), join(runs, 'newer'));
  await assert.rejects(latestRun(join(runs, 'no-run')), CommandError);
});

test('names of runs say data, model, day and time', () => {
  const now = new Date(2026, 0, 31, 14, 5);
  assert.equal(runName('fashion-mnist', 'resnet18', now), 'fashion-mnist-resnet18-20260131-1405');
  assert.equal(runName('/data/My photos (2025)/', 'resnet50', now), 'My-photos-2025--resnet50-20260131-1405');
  assert.equal(runName('..', 'resnet18', now), 'resnet18-20260131-1405');
});

test('a taken name is an error if it was chosen, and gets a number if it was not', async () => {
  await assert.rejects(newRunFolder(runs, 'older', true), /older exists already/);
  assert.equal(await newRunFolder(runs, 'older', false), join(runs, 'older-2'));
  assert.equal(await newRunFolder(runs, 'fresh', true), join(runs, 'fresh'));
  for (const name of ['', '.', '..', 'a/b', 'a\\b']) await assert.rejects(newRunFolder(runs, name, true), UsageError);
});
