/** Pruning in training: zeros are exact and stay, through averages and optimizers of every kind, and a run that was
 *  interrupted or killed in its middle ends with the same bits. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { loadModel } from '../models/saved-model.ts';
import { adamW } from '../train/adamw.ts';
import { muon } from '../train/muon.ts';
import type { ScheduledOptimizer } from '../train/optimizer.ts';
import type { TrainOptions } from '../train/options.ts';
import { sgd } from '../train/sgd.ts';
import { halvesSplits, tinyModel, weightsOf } from '../train/testing.ts';
import { train } from '../train/train.ts';
import { type MagnitudePruningOptions, magnitudePruning } from './magnitude-pruning.ts';
import { sparsityOf } from './sparsity.ts';

let folder = '';

before(async () => {
  await tf.setBackend('cpu');
  folder = await mkdtemp(join(tmpdir(), 'prune-'));
});

after(() => rm(folder, { recursive: true }));

const gradual: MagnitudePruningOptions = { sparsity: 0.75, end: 14, every: 3 };

async function pruned(options: MagnitudePruningOptions, own: Partial<TrainOptions> = {}, inner?: ScheduledOptimizer) {
  const model = tinyModel();
  const from = inner ?? sgd({ learningRate: 0.05, momentum: 0.9, nesterov: true, weightDecay: 1e-3 });
  const { optimizer, callback } = magnitudePruning(from, options);
  const result = await train(model, halvesSplits(), {
    epochs: 3,
    batchSize: 10,
    seed: 3,
    ...own,
    optimizer,
    callbacks: [...(own.callbacks ?? []), callback],
  });
  optimizer.dispose();
  return { model, result };
}

const zerosOf = async (model: Parameters<typeof sparsityOf>[0]) =>
  Object.fromEntries((await sparsityOf(model)).map(({ name, zeros, weights }) => [name, zeros / weights]));

test('as many weights as asked for are 0 at the end, and +0, in the file too', async () => {
  const directory = join(folder, 'file');
  await pruned(gradual, { directory });
  const { model } = await loadModel(directory);
  assert.deepEqual(await zerosOf(model), { 'conv/kernel': 0.75, 'fc/kernel': 0.75 });
  for (const [name, values] of Object.entries(await weightsOf(model))) {
    for (const value of values) assert.ok(!Object.is(value, -0), name);
  }
});

test('the network goes on to learn', async () => {
  const { result } = await pruned({ sparsity: 0.5, end: 10 }, { epochs: 6 });
  const [first, last] = [result.epochs[0], result.epochs.at(-1)];
  assert.ok(
    first && last && last.loss < first.loss && last.accuracy > 0.8,
    `${first?.loss} ${last?.loss} ${last?.accuracy}`,
  );
});

test('2:4 leaves kernels alone that have no fours, and so does exclude', async () => {
  const { model } = await pruned({ structure: '2:4', sparsity: 0.9, end: 14 });
  assert.deepEqual(await zerosOf(model), { 'conv/kernel': 0, 'fc/kernel': 0.5 });
  const dense = await pruned({ ...gradual, exclude: ['fc/*'] });
  assert.deepEqual(await zerosOf(dense.model), { 'conv/kernel': 0.75, 'fc/kernel': 0 });
});

test('zeros stay exact under every optimizer, under averages, and where the schedule ends with the run', async () => {
  const adam = await pruned(gradual, { ema: 0.9 }, adamW({ learningRate: 0.01 }));
  const orthogonal = await pruned(gradual, { lookahead: { every: 2 } }, muon({ learningRate: 0.01, kernels: 'all' }));
  const late = await pruned({ ...gradual, end: 18 });
  for (const { model } of [adam, orthogonal, late]) {
    assert.deepEqual(await zerosOf(model), { 'conv/kernel': 0.75, 'fc/kernel': 0.75 });
  }
});

test('a run that is interrupted between two choices of zeros and resumed has the same bits', async () => {
  const whole = await weightsOf((await pruned(gradual)).model);
  for (const stopAt of [4, 5]) {
    const directory = join(folder, `resumed-${stopAt}`);
    const controller = new AbortController();
    const onStep = ({ step }: { readonly step: number }) => {
      if (step === stopAt) controller.abort();
    };
    const { result } = await pruned(gradual, { directory, onStep, signal: controller.signal });
    assert.equal(result.interrupted, true);
    const { model } = await pruned(gradual, { directory, resume: true });
    assert.deepEqual(await weightsOf(model), whole, `stopped at ${stopAt}`);
  }
});

test('another sparsity is another run', async () => {
  const directory = join(folder, 'other');
  await pruned(gradual, { directory });
  await assert.rejects(
    pruned({ ...gradual, sparsity: 0.5 }, { directory, resume: true }),
    /optimizer was MagnitudePruning/,
  );
});
