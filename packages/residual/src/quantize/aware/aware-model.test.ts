import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { inferenceGraph } from '../../export/graph/from-model.ts';
import { distance, infoFor, picturesFor, predicted, pretendTrained } from '../../export/graph/testing.ts';
import { networkOf } from '../../models/network.ts';
import { resnet18 } from '../../models/resnet.ts';
import { openSimulated } from '../simulate.ts';
import { type AwareNetwork, quantizeAware } from './index.ts';
import { gradientsOf, lossOf, prepared } from './testing.ts';

beforeEach(() => tf.setBackend('jit'));

/** What the integers of a network give, by the simulation that exported files are held against. */
async function simulated({ quantization }: AwareNetwork, model: LayersModel, images: Float32Array) {
  const graph = await inferenceGraph(model, infoFor(model), { softmax: 'drop' });
  const running = openSimulated(graph, await quantization(graph));
  const output = (await running.run(images)).get(graph.output);
  running.dispose();
  return output ?? new Float32Array();
}

async function logits(model: LayersModel, images: Float32Array): Promise<Float32Array> {
  const { inputShape, apply } = networkOf(model);
  const size = inputShape.reduce((a, b) => a * b, 1);
  const output = tf.tidy(() => apply(tf.tensor4d(images, [images.length / size, ...inputShape]), false));
  const values = Float32Array.from(await output.data());
  output.dispose();
  return values;
}

test('it computes as the integers will, for every kind of node', async () => {
  const { model, info, images } = prepared();
  for (const options of [
    {},
    { granularity: 'per-tensor' },
    { weightBits: 4 },
    { keepFloat: ['narrow', 'gate'] },
  ] as const) {
    const aware = await quantizeAware(model, info, { calibration: [images], ...options });
    const received = await logits(aware.model, images);
    const away = distance(await simulated(aware, model, images), received);
    // A weight that lies between two of few integers may fall on either side: folding here is in single precision.
    assert.ok(away < ('weightBits' in options ? 0.03 : 0.01), `${JSON.stringify(options)}: ${away} of the range`);
    assert.ok(distance(await predicted(model, images), received) > 1e-4, 'it is not the float network');
    aware.dispose();
  }
});

test('ResNet18 in both conventions and both stems, too', async () => {
  for (const [stem, convention] of [
    ['cifar', 'torchvision'],
    ['imagenet', 'keras'],
  ] as const) {
    const size = stem === 'cifar' ? 8 : 32;
    const model = pretendTrained(resnet18({ inputShape: [size, size, 3], classes: 3, width: 4, stem, convention }));
    const info = infoFor(model);
    const { normalised } = picturesFor(info, 6);
    const aware = await quantizeAware(model, info, { calibration: [normalised] });
    const away = distance(await simulated(aware, model, normalised), await logits(aware.model, normalised));
    assert.ok(away < 0.02, `${stem}, ${convention}: ${away} of the range`);
    model.dispose();
  }
});

test('without rounding it trains as the network itself: values, gradients and moving averages', async () => {
  const { model, info, images } = prepared();
  const twin = prepared().model;
  const names = (await inferenceGraph(model, info)).nodes.map(({ name }) => name);
  const aware = await quantizeAware(model, info, { calibration: [images], keepFloat: names });
  // Frozen here, for the reference: a norm that is folded into what follows keeps its averages.
  twin.getLayer('before').trainable = false;
  const received = gradientsOf(aware.model, images);
  const dropout = twin.layers.find((layer) => layer.getClassName() === 'Dropout');
  (dropout as unknown as { rate: number }).rate = 0;
  const expected = gradientsOf(twin, images);
  for (const [name, gradient] of expected) {
    // A bias before a norm moves nothing.
    if (name === 'biased/bias') continue;
    const away = distance(gradient, received.get(name) ?? []);
    assert.ok(away < 2e-4, `${name}: ${away}`);
  }
  assert.ok([...received.keys()].includes('before/gamma'));
  for (const name of ['alone', 'behind', 'wide', 'last', 'before']) {
    const averages = (of: LayersModel) =>
      of
        .getLayer(name)
        .getWeights()
        .slice(-2)
        .flatMap((one) => [...one.dataSync()]);
    assert.ok(distance(averages(twin), averages(model)) < 1e-5, name);
  }
});

test('gradients on the compiling backend are those of the cpu backend, with rounding', async () => {
  await tf.setBackend('cpu');
  const { model, info, images } = prepared(8);
  const aware = await quantizeAware(model, info, { calibration: [images] });
  const state = aware.model.getWeights().map((weight) => weight.clone());
  const onCpu = gradientsOf(aware.model, images);
  const after = await Promise.all(aware.model.getWeights().map((weight) => weight.data()));
  aware.model.setWeights(state);
  await tf.setBackend('jit');
  const onJit = gradientsOf(aware.model, images);
  for (const [name, gradient] of onCpu) {
    if (name === 'biased/bias') continue; // a bias before a norm moves nothing
    const other = onJit.get(name) ?? new Float32Array();
    const away = Math.hypot(...gradient.map((value, i) => value - (other[i] ?? 0))) / Math.hypot(...gradient);
    // One number that lies between two integers may fall on either side.
    assert.ok(away < 5e-3, `${name}: ${away}`);
  }
  aware.model.getWeights().forEach((weight, i) => {
    assert.ok(distance(after[i] ?? [], weight.dataSync()) < 1e-4 || weight.size === 1, aware.model.weights[i]?.name);
  });
});

test('along a gradient the rounded network changes by as much as the gradient says', async () => {
  const { model, info, images } = prepared(64);
  const aware = await quantizeAware(model, info, { calibration: [images], keepFloat: ['classifier', 'softmax'] });
  aware.frozen = true;
  const gradients = gradientsOf(aware.model, images);
  for (const name of ['classifier/kernel', 'open/kernel', 'narrow/kernel', 'last/gamma', 'last/beta']) {
    const weight = aware.model.weights.find(({ originalName }) => originalName === name);
    const gradient = gradients.get(name);
    if (!weight || !gradient) throw new Error(name);
    const [values, shape] = [weight.read().dataSync().slice(), weight.shape as number[]];
    const norm = Math.hypot(...gradient);
    const step = 0.05 * Math.hypot(...values);
    const at = (by: number) => {
      weight.write(
        tf.tensor(
          values.map((value, i) => value + (by * (gradient[i] ?? 0)) / norm),
          shape,
        ),
      );
      return lossOf(aware.model, images);
    };
    const slope = (at(step) - at(-step)) / (2 * step);
    weight.write(tf.tensor(values, shape));
    // Exact for what is not rounded; else rounding is noise on both sides of the difference, and ReLUs bend.
    const tolerance = name === 'classifier/kernel' ? 0.001 : 0.1;
    assert.ok(Math.abs(slope - norm) <= tolerance * norm, `${name}: ${slope}, the gradient says ${norm}`);
  }
});
