/** The guide's three troubles, provoked on real images (a part of Fashion-MNIST) and seen mended. */

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Splits } from '../../data/dataset.ts';
import { batchNormalization } from '../../models/batch-normalization.ts';
import { ModelError } from '../../models/errors.ts';
import { loadModel } from '../../models/saved-model.ts';
import { csvLog } from '../callbacks/log.ts';
import { tensorBoard } from '../callbacks/tensorboard.ts';
import { type HistoryRecord, readHistory, type TroubleRecord } from '../history.ts';
import type { TrainOptions } from '../options.ts';
import { piecewiseConstant } from '../schedules.ts';
import { sgd } from '../sgd.ts';
import { fashionPart, halvesSplits, plainModel, tinyModel, weightsOf } from '../testing.ts';
import { train } from '../train.ts';

let data: Splits;
const temporary = async () => join(await mkdtemp(join(tmpdir(), 'residual-mend-')), 'run');

before(async () => {
  await tf.setBackend('jit');
  data = await fashionPart(960, 200);
});

/** Six epochs of 30 steps, which reach 0.78 at a learning rate of 0.05. */
const options = (learningRate: number): TrainOptions => ({
  ...{ epochs: 6, batchSize: 32, seed: 1 },
  optimizer: sgd({ learningRate, momentum: 0.9 }),
});

test('training that explodes, then dies, goes back with a tenth of the learning rate until it converges', async () => {
  const directory = await temporary();
  const told: TroubleRecord[] = [];
  const onTrouble = (event: TroubleRecord) => void told.push(event);
  const { epochs, troubles, steps } = await train(plainModel(), data, { ...options(20), directory, onTrouble });
  assert.ok((epochs.at(-1)?.validationAccuracy ?? 0) > 0.7, JSON.stringify(epochs.at(-1)));
  assert.deepEqual(
    troubles.map(({ trouble, rateScale }) => [trouble, rateScale]),
    [
      ['diverged', 0.1],
      ['dead', 0.01],
      ['dead', 0.001],
    ],
  );
  assert.match(
    troubles[0]?.message ?? '',
    /the loss explodes: [\d.e]+ at step \d+, where \d+ was usual: back to the last good state, with 0.1 of the planned learning rate \(setback 1 of at most 3\)/,
  );
  assert.match(troubles[1]?.message ?? '', /the same answer for every image: layer conv2 gives only zeros at step \d+/);
  assert.deepEqual(told, troubles);
  assert.equal(steps, 180);
  const history = await readHistory(join(directory, 'history.jsonl'));
  assert.deepEqual(
    history.filter(({ type }) => type === 'trouble'),
    troubles,
  );
  const kept = history.filter((record) => record.type === 'step');
  assert.deepEqual(
    kept.map(({ step }) => step),
    Array.from({ length: 180 }, (_, i) => i + 1),
  );
  assert.ok(kept.every(({ learningRate }) => Math.abs(learningRate - 0.02) < 1e-9));
  const all = await readHistory(join(directory, 'history.jsonl'), { all: true });
  assert.ok(all.filter((record) => record.type === 'step' && record.learningRate === 20).length > 20);
});

test('without mending, and after three setbacks, it ends with an error that says what to do', async () => {
  const rejects = (more: Partial<TrainOptions>, message: RegExp) =>
    assert.rejects(train(plainModel(), data, { ...options(1000), ...more }), (error) => {
      assert.ok(error instanceof ModelError && message.test(error.message), String(error));
      return true;
    });
  await rejects(
    {},
    /: lower the learning rate \(it was \d+\), or .*; going back 3 times with a tenth of it each did not help$/,
  );
  await rejects(
    { mend: false, optimizer: sgd({ learningRate: 1e30 }) },
    /^the loss is NaN at step \d: lower the learning rate \(it was 1e\+30\), or look for values that are not finite in the data$/,
  );
});

test('a learning rate of TF.js’s own optimizers is lowered as well', async () => {
  const optimizer = tf.train.momentum(1, 0.9);
  const { epochs, troubles } = await train(plainModel(), data, { ...options(1), optimizer });
  assert.ok(troubles.length > 0);
  assert.ok((epochs.at(-1)?.validationAccuracy ?? 0) > 0.6, JSON.stringify(epochs.at(-1)));
});

test('inputs of the wrong range are seen before the first step and put right', async () => {
  const bytes = { mean: [0], std: [1 / 255] };
  const told: TroubleRecord[] = [];
  const onTrouble = (event: TroubleRecord) => void told.push(event);
  const directory = await temporary();
  const model = plainModel();
  const mended = await train(model, data, { ...options(0.05), normalize: bytes, onTrouble, directory });
  assert.ok((mended.epochs.at(-1)?.validationAccuracy ?? 0) > 0.7);
  assert.match(told[0]?.message ?? '', /would see values from 0 to 255 .*: mean 0.2\d+, std 0.3\d+$/);
  assert.deepEqual([told.length, told[0]?.trouble, told[0]?.step], [1, 'inputRange', 0]);
  const { preprocessing } = (await loadModel(directory)).info;
  assert.ok(Math.abs((preprocessing.std[0] ?? 0) - 0.35) < 0.02, JSON.stringify(preprocessing));
  // As it is, nothing is learned from such inputs.
  const asItIs = train(plainModel(), data, { ...options(0.05), normalize: bytes, mend: false });
  const accuracy = await asItIs.then(
    ({ epochs }) => epochs.at(-1)?.validationAccuracy ?? 0,
    () => 0,
  );
  assert.ok(accuracy < 0.6, `${accuracy}`);

  const { info } = await train(plainModel(), data, {
    ...options(0.05),
    epochs: 1,
    normalize: { mean: [73], std: [90] },
  });
  assert.deepEqual([info.preprocessing.mean, info.preprocessing.std], [[73 / 255], [90 / 255]]);
});

test('a model that rescales bytes itself is given bytes', async () => {
  const model = tfl.sequential({
    layers: [
      tfl.layers.rescaling({ scale: 1 / 255, inputShape: [28, 28, 1] }),
      tfl.layers.flatten(),
      tfl.layers.dense({
        units: 10,
        activation: 'softmax',
        kernelInitializer: tfl.initializers.glorotUniform({ seed: 1 }),
      }),
    ],
  });
  const { troubles, epochs, info } = await train(model, data, { ...options(0.01), epochs: 3 });
  assert.match(troubles[0]?.message ?? '', /the model rescales bytes itself/);
  assert.deepEqual(info.preprocessing.std, [1 / 255]);
  assert.ok((epochs.at(-1)?.validationAccuracy ?? 0) > 0.6, JSON.stringify(epochs));
});

/** A layer that does nothing, but runs out of memory as a backend does, when more than `most` images come at once. */
class Narrow extends tfl.layers.Layer {
  static className = 'Narrow';
  private readonly most: number;
  constructor(most: number) {
    super({ name: 'narrow' });
    this.most = most;
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = (Array.isArray(inputs) ? inputs[0] : inputs) as tf.Tensor;
    if ((x.shape[0] ?? 0) > this.most) {
      const error = new Error('out of memory');
      throw Object.assign(error, { name: 'OutOfMemoryError', need: 2 ** 33, limit: 2 ** 32, batchSize: this.most });
    }
    return tf.clone(x);
  }
}

function narrowModel(most: number, normalised: boolean): tfl.LayersModel {
  const [first, ...rest] = plainModel().layers;
  const layers = [...(first ? [first] : []), ...(normalised ? [batchNormalization()] : []), new Narrow(most), ...rest];
  return tfl.sequential({ layers: layers as tfl.layers.Layer[] });
}

test('a batch that does not fit is cut into parts with the same result', async () => {
  const [whole, cut] = [narrowModel(1000, false), narrowModel(15, false)];
  await train(whole, data, { ...options(0.05), epochs: 1 });
  const { troubles, steps } = await train(cut, data, { ...options(0.05), epochs: 1 });
  assert.deepEqual(
    troubles.map(({ trouble, microBatch, step }) => [trouble, microBatch, step]),
    [['outOfMemory', 11, 1]],
  );
  assert.match(
    troubles[0]?.message ?? '',
    /needs 8.00 GiB of at most 4.00 GiB\): each batch of 32 is computed in 3 parts of at most 11, whose gradients are added up, so the result is the same$/,
  );
  assert.equal(steps, 30);
  const [a, b] = [Object.values(await weightsOf(whole)), Object.values(await weightsOf(cut))];
  a.forEach((values, i) => {
    values.forEach((value, j) => {
      assert.ok(Math.abs(value - (b[i]?.[j] ?? 9)) < 1e-4, `${value}, ${b[i]?.[j]}`);
    });
  });
  const told = (await train(narrowModel(16, true), data, { ...options(0.05), epochs: 1 })).troubles[0]?.message ?? '';
  assert.match(told, /batch normalisation sees 16 images at a time instead of 32$/);
  await assert.rejects(train(narrowModel(0, false), data, options(0.05)), /out of memory/);
  await assert.rejects(train(narrowModel(15, false), data, { ...options(0.05), mend: false }), /out of memory/);
});

/** The rate jumps after 60 of 98 steps: training goes back twice, to different states. */
const unsteady = (): TrainOptions => ({
  ...{ epochs: 14, batchSize: 8, seed: 5 },
  optimizer: sgd({ learningRate: piecewiseConstant([60], [0.05, 100]), momentum: 0.9 }),
});
const steady = (record: HistoryRecord) => ({ ...record, seconds: 0, imagesPerSecond: 0 });

/** Trains in sittings: a number ends one with a checkpoint after that step, a negative one kills it there. */
async function inSittings(ends: readonly number[], more: Partial<TrainOptions> = {}) {
  const directory = await temporary();
  const log = join(directory, 'steps.csv');
  for (let sitting = 0; ; sitting++) {
    const end = ends[sitting] ?? 0;
    const controller = new AbortController();
    const model = tinyModel();
    const result = await train(model, halvesSplits(), {
      ...unsteady(),
      ...more,
      directory,
      resume: sitting > 0,
      signal: controller.signal,
      callbacks: [csvLog(log, { rows: 'steps' }), tensorBoard({ images: 0 })],
      onStep: ({ step }) => {
        if (step === Math.abs(end)) {
          if (end < 0) throw new Error('killed');
          controller.abort();
        }
      },
    }).catch((error: Error) => {
      assert.equal(error.message, 'killed');
      return undefined;
    });
    if (!result || result.interrupted) continue;
    const rows = (await readFile(log, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split(',').slice(0, -2).join());
    const history = (await readHistory(join(directory, 'history.jsonl'), { all: true })).map(steady);
    const troubles = result.troubles.map(steady);
    return {
      weights: await weightsOf(model),
      rows,
      history,
      troubles,
      files: await readdir(join(directory, 'checkpoint')),
    };
  }
}

test('a run that goes back, killed and resumed before, while and after it does, gives the bits of one that never was', async () => {
  await tf.setBackend('cpu');
  const whole = await inSittings([]);
  assert.deepEqual(
    whole.troubles.map((one) => one.type === 'trouble' && one.backTo),
    [7, 14],
  );
  assert.deepEqual(
    whole.rows.slice(1).map((row) => Number(row.split(',')[0])),
    Array.from({ length: 98 }, (_, i) => i + 1),
  );
  assert.deepEqual(whole.files, ['state.bin']);
  for (const [ends, more] of [
    [[5, 30, 67, 68, 90], {}],
    [[-3, -20, -40, -67, -10, -74, 70], {}],
    [[62, 63, 64, 65, 66, 67], {}],
    [[-61, 63, -66, 73, -74], { checkpointEvery: 5 }],
    [[8, -66, -72], { checkpointEvery: 1 }],
  ] as const) {
    const pieces = await inSittings(ends, more);
    assert.deepEqual(pieces.weights, whole.weights, JSON.stringify(ends));
    assert.deepEqual(pieces.troubles, whole.troubles);
    assert.deepEqual(pieces.history, whole.history);
    assert.deepEqual(pieces.rows, whole.rows);
    assert.deepEqual(pieces.files, ['state.bin']);
  }
});
