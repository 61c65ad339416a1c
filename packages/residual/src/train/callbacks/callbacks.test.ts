import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { evaluate } from '../../evaluate/metrics.ts';
import { ModelError } from '../../models/errors.ts';
import { loadModel } from '../../models/saved-model.ts';
import type { TrainOptions } from '../options.ts';
import { sgd } from '../sgd.ts';
import { halvesSplits, tinyModel, weightsOf } from '../testing.ts';
import { train } from '../train.ts';
import { bestModel } from './best-model.ts';
import type { Callback } from './callback.ts';
import { earlyStopping } from './early-stopping.ts';
import { csvLog, jsonLog } from './log.ts';
import { asTfCallback } from './tf-callback.ts';

const temporary = () => mkdtemp(join(tmpdir(), 'residual-callbacks-'));
const options = (): TrainOptions => ({ epochs: 4, batchSize: 8, seed: 5, optimizer: sgd({ learningRate: 0.05 }) });

/** Trains in sittings that end after the given steps, with fresh objects in each. */
async function inSittings(folder: string, ends: readonly number[], callbacks: () => Callback[], more = {}) {
  for (let sitting = 0; ; sitting++) {
    const controller = new AbortController();
    const ender: Callback = {
      name: 'ender',
      onStep: ({ step }) => {
        if (step === ends[sitting]) controller.abort();
      },
    };
    const model = tinyModel();
    const result = await train(model, halvesSplits(), {
      ...options(),
      ...more,
      directory: join(folder, 'run'),
      resume: sitting > 0,
      signal: controller.signal,
      callbacks: [...callbacks(), ender],
    });
    if (!result.interrupted) return { result, model, weights: await weightsOf(model) };
  }
}

/** A validation loss that no network has, by epoch. */
const planned = (losses: readonly number[], inner: Callback): Callback => ({
  ...inner,
  onEpoch: (event, run) => inner.onEpoch?.({ ...event, validationLoss: losses[event.epoch - 1] ?? 0 }, run),
});

test('early stopping ends the run and gives back the weights of the best epoch, resumed or not', async () => {
  const seen: Record<string, Float32Array>[] = [];
  const keep: Callback = {
    name: 'keep',
    onEpoch: async (_, { model }) => void seen.push(await weightsOf(model)),
  };
  const losses = [3, 1, 2, 1.5, 1, 0.5];
  const stopper = () => planned(losses, earlyStopping({ patience: 3 }));
  const folder = await temporary();
  const whole = await inSittings(folder, [], () => [stopper(), keep], { epochs: 9 });
  assert.equal(whole.result.epochs.length, 5);
  assert.match(whole.result.stopped ?? '', /validationLoss has not got better than 1 for 3 epochs/);
  assert.deepEqual(whole.weights, seen[1]);
  assert.deepEqual(await weightsOf((await loadModel(join(folder, 'run'))).model), seen[1]);

  const pieces = await inSittings(await temporary(), [10, 23], () => [stopper()], { epochs: 9 });
  assert.deepEqual(pieces.weights, seen[1]);
  assert.equal(pieces.result.stopped, whole.result.stopped);
  // A run that was stopped has nothing more to do.
  const again = await train(tinyModel(), halvesSplits(), {
    ...options(),
    epochs: 9,
    directory: join(folder, 'run'),
    resume: true,
    callbacks: [stopper()],
  });
  assert.deepEqual([again.steps, again.stopped], [whole.result.steps, whole.result.stopped]);

  const minDelta = planned([3, 2.9, 2.8, 2.7], earlyStopping({ patience: 2, minDelta: 0.5, restoreBest: false }));
  const model = tinyModel();
  const { epochs } = await train(model, halvesSplits(), { ...options(), epochs: 9, callbacks: [minDelta] });
  assert.equal(epochs.length, 3);
});

test('a callback may end the run at any step, with the same weights on every path', async () => {
  const at = (step: number): Callback => ({
    name: 'at',
    onStep: (event, run) => {
      if (event.step === step) run.stop('enough');
    },
  });
  const whole = await inSittings(await temporary(), [], () => [at(9)]);
  assert.deepEqual([whole.result.steps, whole.result.stopped], [10, 'enough']);
  const pieces = await inSittings(await temporary(), [9], () => [at(9)]);
  assert.equal(pieces.result.steps, 10);
  assert.deepEqual(pieces.weights, whole.weights);
});

test('the best model is a folder that loads and is as good as it was', async () => {
  const folder = await temporary();
  const data = halvesSplits();
  const callbacks = [bestModel({ monitor: 'validationAccuracy' })];
  const { epochs } = await train(tinyModel(), data, { ...options(), directory: join(folder, 'run'), callbacks });
  const { model, info } = await loadModel(join(folder, 'run', 'best'));
  const validation = data.validation ?? assert.fail();
  const { accuracy } = await evaluate(model, validation, { preprocessing: info.preprocessing });
  assert.equal(accuracy, Math.max(...epochs.map(({ validationAccuracy = 0 }) => validationAccuracy)));
});

test('logs have each row once, and the same rows, whatever interrupts the run', async () => {
  const logs = async (ends: readonly number[], more = {}) => {
    const folder = await temporary();
    const [csv, json, steps] = ['log.csv', 'log.jsonl', 'steps.csv'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await inSittings(folder, ends, () => [csvLog(csv), jsonLog(json), csvLog(steps, { rows: 'steps' })], more);
    // Without what is measured by the clock: the last one or two columns.
    const rows = async (file: string, clocked: number) =>
      (await readFile(file, 'utf8'))
        .trim()
        .split('\n')
        .map((line) => line.split(',').slice(0, -clocked));
    const objects = (await readFile(json, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => ({ ...JSON.parse(line), seconds: 0 }));
    return { epochs: await rows(csv, 1), steps: await rows(steps, 2), objects };
  };
  const whole = await logs([]);
  assert.deepEqual(whole.epochs[0]?.slice(0, 4), ['epoch', 'step', 'loss', 'accuracy']);
  assert.deepEqual(
    whole.steps.slice(1).map(([step]) => Number(step)),
    Array.from({ length: 28 }, (_, i) => i + 1),
  );
  assert.deepEqual(
    whole.epochs.slice(1).map(([epoch]) => epoch),
    ['1', '2', '3', '4'],
  );
  assert.equal(whole.objects[2]?.validationAccuracy, Number(whole.epochs[3]?.[5]));
  assert.deepEqual(await logs([3, 7, 16]), whole);
  assert.deepEqual(await logs([5], { checkpointEvery: 3 }), whole);
});

test('callbacks serve plain model.fit', async () => {
  const folder = await temporary();
  const model = tinyModel();
  model.compile({ optimizer: sgd({ learningRate: 0.05 }), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  const x = tf.randomNormal([24, 8, 8, 1], 0, 1, 'float32', 1);
  const y = tf.oneHot(
    tf.tensor1d(
      Array.from({ length: 24 }, (_, i) => i % 3),
      'int32',
    ),
    3,
  );
  const [csv, steps] = [join(folder, 'log.csv'), join(folder, 'steps.csv')];
  const callbacks = [
    csvLog(csv),
    csvLog(steps, { rows: 'steps' }),
    planned([3, 1, 2, 2], earlyStopping({ patience: 2 })),
  ];
  const { history } = await model.fit(x, y, {
    ...{ epochs: 9, batchSize: 8, validationSplit: 0.25, verbose: 0 },
    callbacks: asTfCallback(callbacks),
  });
  const lines = (await readFile(csv, 'utf8'))
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',').map(Number));
  assert.deepEqual(
    lines.map(([epoch, step]) => [epoch, step]),
    [
      [1, 3],
      [2, 6],
      [3, 9],
      [4, 12],
    ],
  );
  assert.deepEqual(
    lines.map((line) => line[2]),
    history.loss,
  );
  assert.deepEqual(
    lines.map((line) => line[4]),
    history.val_loss,
  );
  assert.equal(lines[0]?.[6], 0.05);
  assert.equal((await readFile(steps, 'utf8')).trim().split('\n').length, 13);
});

test('mistakes end in one clear line, and files are closed when the training fails', async () => {
  const run = (callbacks: Callback[], data = halvesSplits()) => train(tinyModel(), data, { ...options(), callbacks });
  const rejects = (promise: () => unknown, message: RegExp) =>
    assert.rejects(
      async () => promise(),
      (error) => error instanceof ModelError && message.test(error.message),
    );
  await rejects(() => run([earlyStopping(), earlyStopping()]), /two callbacks are called 'earlyStopping'/);
  await rejects(() => earlyStopping({ patience: 0 }), /patience must be a whole number from 1 up, received 0/);
  await rejects(() => csvLog('x', { rows: 'all' as 'steps' }), /rows must be 'epochs' or 'steps', received 'all'/);
  await rejects(() => run([bestModel()]), /bestModel: needs a directory/);
  const { validation: _, ...unwatched } = halvesSplits();
  await rejects(
    () => run([earlyStopping()], unwatched),
    /validationLoss is not measured in this run; there are loss, accuracy/,
  );

  const outcomes: string[] = [];
  const fails: Callback = {
    name: 'fails',
    onStep: () => Promise.reject(new Error('mine')),
    onTrainEnd: (outcome) => void outcomes.push(outcome),
  };
  await assert.rejects(run([fails]), /mine/);
  assert.deepEqual(outcomes, ['failed']);
  assert.deepEqual(await readdir(await temporary()), []);
});
