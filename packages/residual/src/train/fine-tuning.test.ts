/** Fine-tuning by `train`: what is frozen keeps its bits, what is unfrozen begins afresh, and rates go by depth. */

import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import 'tfjs-backend-jit';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { resnet18 } from '../models/resnet.ts';
import { freeze } from '../models/transfer/freeze.ts';
import { replaceHead } from '../models/transfer/head.ts';
import { adamW } from './adamw.ts';
import { layerRates } from './layer-rates.ts';
import type { TrainOptions } from './options.ts';
import { sgd } from './sgd.ts';
import { halvesSplits, weightsOf } from './testing.ts';
import { train } from './train.ts';
import { matchesName } from './weight-names.ts';

const network = () => resnet18({ inputShape: [8, 8, 1], classes: 3, width: 2, seed: 4 });
/** Two epochs of three steps each. */
const brief: TrainOptions = { epochs: 2, batchSize: 8, seed: 2 };

/** The names of the weights that are not the same bits. */
function moved(before: Record<string, Float32Array>, after: Record<string, Float32Array>): string[] {
  return Object.keys(before).filter((name) => String(before[name]) !== String(after[name]));
}

for (const backend of ['cpu', 'jit']) {
  test(`train leaves the bits of a frozen backbone alone, averages included (${backend})`, async () => {
    await tf.setBackend(backend);
    const base = network();
    for (const layer of base.layers) layer.trainable = false;
    const model = replaceHead(base, { classes: 3, seed: 1 });
    const before = await weightsOf(model);
    await train(model, halvesSplits(24, 6), {
      ...brief,
      optimizer: sgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 0.1 }),
      ema: 0.9,
    });
    assert.deepEqual(moved(before, await weightsOf(model)), ['fc/kernel', 'fc/bias']);
    await assert.rejects(train(base, halvesSplits(24, 6), brief), /all its layers are frozen/);
  });
}

test('gradual unfreezing: each stage lets its blocks learn', async () => {
  await tf.setBackend('cpu');
  const model = network();
  freeze(model, 'backbone');
  let last = await weightsOf(model);
  const learned: string[][] = [];
  await train(model, halvesSplits(24, 6), {
    ...brief,
    epochs: 3,
    optimizer: adamW({ learningRate: 0.01 }),
    unfreeze: [
      { epoch: 2, blocks: 1 },
      { epoch: 3, blocks: 'all', batchNorm: 'frozen' },
    ],
    onEpoch: async () => {
      const now = await weightsOf(model);
      learned.push(moved(last, now));
      last = now;
    },
  });
  const [first = [], second = [], third = []] = learned;
  assert.deepEqual(first.sort(), ['fc/bias', 'fc/kernel']);
  assert.ok(second.includes('layer4.1.conv1/kernel') && second.includes('layer4.1.bn2/moving_mean'));
  assert.ok(
    second.every((name) => name.startsWith('fc/') || name.startsWith('layer4.1.')),
    second.join(),
  );
  assert.ok(third.includes('conv1/kernel') && third.every((name) => !name.includes('bn')), third.join());
});

test('a run with unfreezing that is interrupted anywhere and goes on gives the same bits', async () => {
  await tf.setBackend('cpu');
  const options = (): TrainOptions => ({
    ...brief,
    epochs: 3,
    optimizer: adamW({ learningRate: 0.01 }),
    unfreeze: [
      { epoch: 2, blocks: 1 },
      { epoch: 3, blocks: 2 },
    ],
  });
  const make = () => {
    const model = network();
    freeze(model, 'backbone', { batchNorm: 'statistics' });
    return model;
  };
  const whole = make();
  await train(whole, halvesSplits(24, 6), options());
  const expected = await weightsOf(whole);
  for (const sameModel of [false, true]) {
    const directory = join(await mkdtemp(join(tmpdir(), 'residual-unfreeze-')), 'run');
    let model = make();
    for (const after of [2, 5, 7, 99]) {
      const stop = new AbortController();
      const resume = after > 2;
      const onStep = ({ step }: { readonly step: number }) => {
        if (step === after) stop.abort();
      };
      await train(model, halvesSplits(24, 6), { ...options(), directory, resume, onStep, signal: stop.signal });
      if (!sameModel && after < 99) model = make();
    }
    assert.deepEqual(await weightsOf(model), expected);
  }
  const directory = join(await mkdtemp(join(tmpdir(), 'residual-unfreeze-')), 'run');
  await train(make(), halvesSplits(24, 6), { ...options(), epochs: 1, directory });
  const { unfreeze: _, ...without } = options();
  await assert.rejects(
    train(make(), halvesSplits(24, 6), { ...without, directory, resume: true }),
    /unfreeze was \[\{"epoch":2,"blocks":1\},.* in that run and is not given now/,
  );
});

test('stages that cannot be are refused', async () => {
  const run = (unfreeze: TrainOptions['unfreeze'] & {}) =>
    train(network(), halvesSplits(24, 6), { ...brief, unfreeze });
  await assert.rejects(run([{ epoch: 0, blocks: 1 }]), /epochs must be whole numbers from 1 up that rise, received 0/);
  await assert.rejects(
    run([
      { epoch: 2, blocks: 1 },
      { epoch: 2, blocks: 2 },
    ]),
    /that rise, received 2/,
  );
  await assert.rejects(run([{ epoch: 2, blocks: 9 }]), /from 0 to 8, the blocks of resnet18, received 9/);
});

test('adamW corrects the moments of a weight that begins late by its own age', async () => {
  await tf.setBackend('cpu');
  const [early, late] = [1, 2].map((value) => tf.variable(tf.scalar(value)));
  const optimizer = adamW({ learningRate: 0.1, weightDecay: 0 });
  const step = (variables: tf.Variable[]) =>
    optimizer.minimize(() => tf.addN(variables.map((v) => tf.mul(v, 3))) as tf.Scalar, false, variables);
  for (let i = 0; i < 50; i++) step([early as tf.Variable]);
  step([early as tf.Variable, late as tf.Variable]);
  // The first step of Adam is the learning rate, whatever the gradient.
  assert.ok(Math.abs((late?.dataSync()[0] ?? 0) - 1.9) < 1e-5, String(late));

  const again = adamW({ learningRate: 0.1, weightDecay: 0 });
  await again.setWeights(await optimizer.getWeights());
  const copy = late?.dataSync()[0] ?? 0;
  step([late as tf.Variable]);
  const expected = late?.dataSync()[0];
  late?.assign(tf.scalar(copy));
  again.minimize(() => tf.mul(late as tf.Variable, 3), false, [late as tf.Variable]);
  assert.equal(late?.dataSync()[0], expected);
});

test('rates fall by depth, and the head has its own', () => {
  const model = network();
  const factors = layerRates(model, { decay: 0.5, head: 10 });
  const find = (name: string) => Object.entries(factors).find(([pattern]) => matchesName(pattern, name))?.[1];
  assert.deepEqual(
    ['fc/kernel', 'layer4.1.bn2/gamma', 'layer4.0.downsample.0/kernel', 'layer1.0.conv1/kernel_1', 'conv1/kernel'].map(
      find,
    ),
    [10, 0.5, 0.25, 0.5 ** 8, 0.5 ** 9].map((factor, i) => (i < 2 ? factor : Number(factor.toPrecision(6)))),
  );
  assert.equal(Object.keys(factors).length, 11);
  for (const { originalName } of model.weights) assert.notEqual(find(originalName), undefined, originalName);
  assert.deepEqual(layerRates(model, {}), {});
  assert.throws(() => layerRates(model, { decay: 1.2 }), /decay must be greater than 0 and at most 1, received 1.2/);

  // Names that say nothing of the depth.
  const plain = tfl.sequential({
    layers: [
      tfl.layers.dense({ units: 4, inputShape: [3], name: 'a' }),
      tfl.layers.dense({ units: 4, name: 'b' }),
      tfl.layers.dense({ units: 4, name: 'c' }),
    ],
  });
  assert.deepEqual(layerRates(plain, { decay: 0.5 }), { 'a/*': 0.25, 'b/*': 0.5 });
});
