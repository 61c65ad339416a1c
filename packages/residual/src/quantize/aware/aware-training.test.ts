/** Training with rounding from end to end, small: what it recovers, that it goes on after a stop, and what it leaves. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { closeSplits } from '../../data/dataset.ts';
import { Random } from '../../data/random.ts';
import { evaluate } from '../../evaluate/metrics.ts';
import { inferenceGraph } from '../../export/graph/from-model.ts';
import { distance, infoFor, picturesFor, predicted, pretendTrained } from '../../export/graph/testing.ts';
import { batchNormalization } from '../../models/batch-normalization.ts';
import { loadModel, saveModel } from '../../models/saved-model.ts';
import { sgd } from '../../train/sgd.ts';
import { fashionPart, halvesSplits, tinyModel, weightsOf } from '../../train/testing.ts';
import { train } from '../../train/train.ts';
import { freezeStatistics, quantizeAware, trainedQuantization, trainedRangesOf } from './index.ts';

let folder = '';
before(async () => {
  await tf.setBackend('jit');
  folder = await mkdtemp(join(tmpdir(), 'residual-aware-'));
});
after(() => rm(folder, { recursive: true, force: true }));

function smallNetwork(): tfl.LayersModel {
  const input = tfl.input({ shape: [28, 28, 1] });
  const block = (x: tfl.SymbolicTensor, filters: number, seed: number) =>
    [
      tfl.layers.conv2d({
        ...{ name: `conv${seed}`, filters, kernelSize: 3, strides: 2, useBias: false },
        kernelInitializer: tfl.initializers.heNormal({ seed }),
      }),
      batchNormalization({ name: `bn${seed}`, momentum: 0.9 }),
      tfl.layers.reLU(),
    ].reduce((value, layer) => layer.apply(value) as tfl.SymbolicTensor, x);
  const kernelInitializer = tfl.initializers.glorotUniform({ seed: 3 });
  const features = tfl.layers.flatten().apply(block(block(input, 8, 1), 12, 2));
  const classifier = tfl.layers.dense({ name: 'fc', units: 10, activation: 'softmax', kernelInitializer });
  return tfl.model({ inputs: input, outputs: classifier.apply(features) as tfl.SymbolicTensor, name: 'small' });
}

/** The same function in floats, with channels of very unequal size between the two convolutions. */
function makeUnequal(model: tfl.LayersModel): void {
  const random = Random.at(7);
  const factors = tf.tensor1d(Array.from({ length: 8 }, () => 2 ** random.uniform(-3, 3)));
  const [gamma, beta, ...averages] = model.getLayer('bn1').getWeights() as [tf.Tensor, tf.Tensor, ...tf.Tensor[]];
  const [kernel] = model.getLayer('conv2').getWeights() as [tf.Tensor];
  model.getLayer('bn1').setWeights([tf.mul(gamma, factors), tf.mul(beta, factors), ...averages]);
  model.getLayer('conv2').setWeights([tf.div(kernel, tf.reshape(factors, [8, 1]))]);
}

test('in a case built to lose, at least half of the loss is recovered', async () => {
  const splits = await fashionPart(512, 256);
  const held = splits.validation ?? splits.train;
  const model = smallNetwork();
  const optimizer = (learningRate: number) => sgd({ learningRate, momentum: 0.9 });
  const shared = { batchSize: 32, seed: 1 };
  const { info } = await train(model, splits, { ...shared, epochs: 5, optimizer: optimizer(0.02) });
  const { preprocessing } = info;
  const accuracy = async (of: tfl.LayersModel) => (await evaluate(of, held, { preprocessing })).accuracy;
  const even = await accuracy(model);
  makeUnequal(model);
  const original = await accuracy(model);
  assert.ok(Math.abs(original - even) < 0.01 && original > 0.6, `${even}, ${original}`);
  const length = 28 * 28;
  const { images } = await splits.train.read(Array.from({ length: 64 }, (_, i) => i));
  const [mean = 0, std = 1] = [preprocessing.mean[0], preprocessing.std[0]];
  const calibration = [Float32Array.from(images.subarray(0, 64 * length), (byte) => (byte / 255 - mean) / std)];
  const aware = await quantizeAware(model, info, { bits: 4, granularity: 'per-tensor', calibration });
  const rounded = await accuracy(aware.model);
  assert.ok(original - rounded > 0.1, `it should lose: ${original} to ${rounded}`);
  await train(aware.model, splits, {
    ...{ ...shared, epochs: 4, optimizer: optimizer(0.005), normalize: preprocessing },
    callbacks: [freezeStatistics(aware, { after: 2 })],
  });
  assert.equal(aware.frozen, true);
  const recovered = ((await accuracy(aware.model)) - rounded) / (original - rounded);
  assert.ok(recovered >= 0.5, `${recovered} of ${original - rounded}`);
  await closeSplits(splits);
});

test('a run that was stopped goes on to the same bits, ranges included', async () => {
  const splits = halvesSplits();
  const options = { epochs: 4, batchSize: 12, seed: 3, normalize: { mean: [0.5], std: [0.25] } };
  const sitting = async (directory: string, stopAt: number, resume: boolean) => {
    const model = pretendTrained(tinyModel());
    const calibration = [picturesFor(infoFor(model), 8).normalised];
    const aware = await quantizeAware(model, infoFor(model), { calibration });
    const controller = new AbortController();
    await train(aware.model, splits, {
      ...{ ...options, directory, resume, signal: controller.signal, optimizer: sgd({ learningRate: 0.01 }) },
      callbacks: [freezeStatistics(aware, { after: 2 })],
      onStep: ({ step }) => {
        if (step === stopAt) controller.abort();
      },
    });
    return { weights: await weightsOf(model), ranges: await aware.ranges() };
  };
  const whole = await sitting(join(folder, 'whole'), 0, false);
  await sitting(join(folder, 'parts'), 7, false);
  await sitting(join(folder, 'parts'), 13, true);
  const parts = await sitting(join(folder, 'parts'), 0, true);
  assert.deepEqual(parts, whole);
  assert.notDeepEqual(whole.ranges.ranges.input, { min: 0, max: 0 });
});

test('what is saved is the model itself with its ranges, and they are forgotten when its weights change', async () => {
  const model = pretendTrained(tinyModel());
  const info = infoFor(model);
  const { normalised } = picturesFor(info, 12);
  const aware = await quantizeAware(model, info, { calibration: [normalised], weightBits: 5 });
  await saveModel(aware.model, info, join(folder, 'saved'));
  assert.equal(model.getUserDefinedMetadata(), undefined);
  const { model: loaded } = await loadModel(join(folder, 'saved'));
  assert.equal(distance(await predicted(model, normalised), await predicted(loaded, normalised)), 0);
  for (const [softmax, input] of [
    ['keep', 'normalised'],
    ['drop', 'normalised'],
    ['add', 'bytes'],
  ] as const) {
    const graph = await inferenceGraph(loaded, info, { softmax, input });
    const kept = await trainedQuantization(loaded, graph);
    const own = await aware.quantization(graph);
    assert.deepEqual(kept, own, softmax);
    assert.ok(Math.max(...(kept?.weights.conv?.values ?? [])) === 15);
    const range = (await aware.ranges()).ranges.conv;
    assert.ok(range && range.max > 0);
    assert.equal(kept?.values.relu?.scale, Math.fround((range.max - range.min) / 255));
  }
  const kernel = loaded.getLayer('conv').weights[0];
  kernel?.write(tf.mul(kernel.read(), 1.01) as tf.Variable);
  assert.equal(await trainedRangesOf(loaded), undefined);
});

test('impossible options are one line', async () => {
  const model = tinyModel();
  const calibration = [new Float32Array(64)];
  const attempt = (options: object) => quantizeAware(model, infoFor(model), { calibration, ...options });
  await assert.rejects(attempt({ bits: 9 }), /bits must be a whole number from 2 to 8, received 9/);
  await assert.rejects(
    attempt({ granularity: 'row' }),
    /granularity must be per-channel or per-tensor, received "row"/,
  );
  await assert.rejects(
    attempt({ keepFloat: ['convv'] }),
    /keepFloat: tiny has no layer convv; layers: conv, flatten, fc, fc.softmax/,
  );
  await assert.rejects(attempt({ calibration: [] }), /calibration needs at least one image/);
});
