/** Files of Keras's kind: by the names of layers where they have names, else by order, wherever the numbers begin. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { resnet18 } from '../models/resnet.ts';
import { loadWeights } from './load.ts';
import { type GuideOptions, guideModel } from './testing/guide-model.ts';
import { kerasFile, memoryFile, randomize, tensorOf, torchFile } from './testing/memory-file.ts';
import { outputsFor, relativeError } from './testing/pictures.ts';

await tf.setBackend('cpu');

const shape: [number, number, number] = [32, 32, 3];
const ours = { inputShape: shape, classes: 5, width: 2, stem: 'imagenet', convention: 'keras' } as const;

/** `conv2d_Conv2D7` → `conv2d_41`: Keras's made-up names, numbered from `start` on. */
function kerasNames(options: GuideOptions, start: number) {
  const model = guideModel(shape, 5, 2, options);
  randomize(model, 3);
  const numbers = new Map<string, string>();
  const counts = new Map<string, number>();
  const created = [...model.layers].sort((a, b) => a.id - b.id);
  for (const layer of created) {
    const base = layer.name.replace(/_[A-Z].*$/, '');
    const count = counts.get(base) ?? start;
    counts.set(base, count + 1);
    numbers.set(layer.name, count === 0 ? base : `${base}_${count}`);
  }
  return { model, nameOf: (layer: string) => numbers.get(layer) ?? layer };
}

for (const start of [0, 7, 95]) {
  for (const shortcutFirst of [false, true]) {
    const how = `${shortcutFirst ? ', shortcuts first' : ''}, numbered from ${start}`;
    test(`the guide's network${how} loads into ours, in any order of the file`, async () => {
      const { model, nameOf } = kerasNames({ shortcutFirst }, start);
      const file = kerasFile(model, (layer, role) => `${nameOf(layer)}/${nameOf(layer)}/${role}:0`);
      const shuffled = { ...file, tensors: [...file.tensors].sort((a, b) => a.name.localeCompare(b.name)) };
      const mine = resnet18(ours);
      const report = await loadWeights(mine, shuffled);
      assert.equal(report.map, 'order');
      assert.deepEqual([report.leftOver, report.missing, report.cautions, report.adjusted], [[], [], [], []]);
      assert.ok(relativeError(outputsFor(mine, 2), outputsFor(model, 2)) < 1e-5);
    });
  }
}

test("Keras 3's counted variables are told by their ranks", async () => {
  const { model, nameOf } = kerasNames({}, 0);
  const order = ['kernel', 'bias', 'gamma', 'beta', 'moving_mean', 'moving_variance'];
  const counted = (role: string) => order.indexOf(role) - (order.indexOf(role) < 2 ? 0 : 2);
  const file = kerasFile(model, (layer, role) => `layers/${nameOf(layer)}/vars/${counted(role)}`);
  const mine = resnet18(ours);
  const report = await loadWeights(mine, file);
  assert.equal(report.leftOver.length, 0);
  assert.ok(relativeError(outputsFor(mine, 2), outputsFor(model, 2)) < 1e-5);
});

test('our own network in files of TF.js and of TensorFlow goes by its layers, whatever ε it has', async () => {
  const model = resnet18({ ...ours, convention: 'torchvision' });
  randomize(model, 4);
  for (const [format, nameOf] of [
    ['tfjs', (layer: string, role: string) => `${layer}/${role}`],
    ['tensorflow', (layer: string, role: string) => `${layer}/${role}/.ATTRIBUTES/VARIABLE_VALUE`],
    ['keras', (layer: string, role: string) => `model_weights/${layer}/${layer}/${role}:0`],
  ] as const) {
    const file = kerasFile(model, nameOf, format);
    const slots = tensorOf('optimizer/_iterations/.ATTRIBUTES/VARIABLE_VALUE', [], new Float32Array(1));
    const mine = resnet18({ ...ours, convention: 'torchvision', seed: 9 });
    const report = await loadWeights(mine, memoryFile(format, [...file.tensors, slots]));
    assert.equal(report.map, 'layers');
    assert.deepEqual(
      report.leftOver.map(({ name }) => name),
      [slots.name],
    );
    assert.deepEqual(outputsFor(mine, 1), outputsFor(model, 1));
  }
});

test("Keras's weights in a network with PyTorch's details: biases go into the means, ε into the γ, the padding is told", async () => {
  const size: [number, number, number] = [33, 33, 3];
  const model = guideModel(size, 5, 2);
  randomize(model, 5);
  const file = kerasFile(model, (layer, role) => `${layer}/${role}`);
  const mine = resnet18({ ...ours, inputShape: size, convention: 'torchvision' });
  const report = await loadWeights(mine, file);
  assert.match(report.adjusted.join(), /20 biases .* means/);
  assert.match(report.adjusted.join(), /ε is 0\.001 in the file and 0\.00001 here/);
  assert.match(report.cautions.join(), /convention: 'keras'/);
  assert.deepEqual(report.leftOver, []);
  // At odd sizes both pad alike, so that what was adjusted must give the same.
  assert.ok(relativeError(outputsFor(mine, 2), outputsFor(model, 2)) < 1e-5);
});

test("PyTorch's names load into the guide's network, whose layers have none", async () => {
  const torch = resnet18({ ...ours, inputShape: [33, 33, 3], convention: 'torchvision' });
  randomize(torch, 6);
  const names: Record<string, string> = {
    kernel: 'weight',
    gamma: 'weight',
    bias: 'bias',
    beta: 'bias',
    moving_mean: 'running_mean',
    moving_variance: 'running_var',
  };
  const file = torchFile(torch, (layer, role) => `module.${layer}.${names[role]}`);
  const guide = guideModel([33, 33, 3], 5, 2);
  const report = await loadWeights(guide, file);
  assert.equal(report.map, 'torchvision');
  assert.equal(report.prefix, 'module.');
  assert.ok(relativeError(outputsFor(guide, 2), outputsFor(torch, 2)) < 1e-5);
});

test('of two networks in one file the moving average is taken, and the other is spoken of', async () => {
  const torch = resnet18(ours);
  const names: Record<string, string> = {
    kernel: 'weight',
    gamma: 'weight',
    bias: 'bias',
    beta: 'bias',
    moving_mean: 'running_mean',
    moving_variance: 'running_var',
  };
  const part = (prefix: string) => torchFile(torch, (layer, role) => `${prefix}${layer}.${names[role]}`).tensors;
  const file = memoryFile('pytorch', [...part('state_dict.'), ...part('state_dict_ema.')]);
  const report = await loadWeights(resnet18(ours), file);
  assert.equal(report.prefix, 'state_dict_ema.');
  assert.match(report.cautions.join(), /several networks: taken is state_dict_ema\.\*, not state_dict\.\*/);
  assert.ok(report.leftOver.every(({ name }) => name.startsWith('state_dict.')));
});

test('files of networks that are none of ours are told by name', async () => {
  const vector = new Float32Array(2);
  const qubvel = memoryFile('keras', [
    tensorOf('bn_data/bn_data/beta:0', [3], new Float32Array(3)),
    tensorOf('conv0/conv0/kernel:0', [1, 1, 1, 2], vector),
    tensorOf('stage1_unit1_bn1/stage1_unit1_bn1/gamma:0', [2], vector),
  ]);
  await assert.rejects(
    loadWeights(resnet18(ours), qubvel),
    /are of no origin that is known: .*it is a pre-activation ResNet .*another network/,
  );
});
