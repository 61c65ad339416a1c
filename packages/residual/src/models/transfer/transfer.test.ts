/** Parts, new heads and freezing, on our own networks and on those that a tutorial writes with plain `tf.layers`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import 'tfjs-backend-jit';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ModelError } from '../errors.ts';
import { resnet18, resnet50 } from '../resnet.ts';
import { freeze, parameterCounts, unfreeze, whyFeaturesChange } from './freeze.ts';
import { features, replaceHead } from './head.ts';
import { partsOf } from './parts.ts';

const tiny = { inputShape: [8, 8, 1], classes: 3, width: 2 } as const;

/** As a tutorial writes it: stock layers without names, and batch normalisation of TF.js's own. */
function handMade(): tfl.LayersModel {
  const apply = (layer: tfl.layers.Layer, x: tfl.SymbolicTensor | tfl.SymbolicTensor[]) =>
    layer.apply(x) as tfl.SymbolicTensor;
  const input = tfl.input({ shape: [8, 8, 1] });
  const conv = (x: tfl.SymbolicTensor, filters: number, strides = 1) =>
    apply(
      tfl.layers.batchNormalization(),
      apply(tfl.layers.conv2d({ filters, kernelSize: 3, strides, padding: 'same' }), x),
    );
  let x = apply(tfl.layers.reLU(), conv(input, 2));
  for (const filters of [2, 4]) {
    const main = conv(apply(tfl.layers.reLU(), conv(x, filters, filters / 2)), filters);
    const shortcut = filters === 2 ? x : conv(x, filters, 2);
    x = apply(tfl.layers.reLU(), apply(tfl.layers.add(), [main, shortcut]));
  }
  const pooled = apply(tfl.layers.globalAveragePooling2d({}), x);
  return tfl.model({ inputs: input, outputs: apply(tfl.layers.dense({ units: 3, activation: 'softmax' }), pooled) });
}

const valuesOf = (model: tfl.LayersModel) =>
  model.layers.map((layer) => layer.getWeights().map((w) => Array.from(w.dataSync())));
const picture = (size: number, seed = 1) => tf.randomNormal([size, 8, 8, 1], 0.5, 1, 'float32', seed);

test('the parts of a network are found by its structure', async () => {
  await tf.setBackend('cpu');
  const ours = partsOf(resnet18({ ...tiny, stem: 'imagenet', inputShape: [32, 32, 1] }));
  assert.deepEqual(
    ours.blocks.map(({ name }) => name),
    ['layer1.0', 'layer1.1', 'layer2.0', 'layer2.1', 'layer3.0', 'layer3.1', 'layer4.0', 'layer4.1'],
  );
  const weighted = ({ layers }: (typeof ours)['stem']) =>
    layers.filter(({ weights }) => weights.length > 0).map(({ name }) => name);
  assert.deepEqual(weighted(ours.stem), ['conv1', 'bn1']);
  assert.deepEqual(weighted(ours.head), ['fc']);
  for (const block of ours.blocks)
    for (const name of weighted(block)) assert.ok(name.startsWith(`${block.name}.`), name);
  assert.equal(partsOf(resnet50(tiny)).blocks.length, 16);

  const model = handMade();
  const { stem, blocks, head } = partsOf(model);
  assert.deepEqual(
    [stem, ...blocks, head].map((part) => weighted(part).length),
    [2, 4, 6, 1],
  );
  const all = [stem, ...blocks, head].flatMap(({ layers }) => layers);
  assert.equal(new Set(all).size, model.layers.length);
  assert.equal(all.length, model.layers.length);
});

test('a plain network has a block for each layer with weights', () => {
  const conv = (filters: number) => tfl.layers.conv2d({ filters, kernelSize: 3, name: `conv${filters}` });
  const model = tfl.sequential({
    layers: [
      tfl.layers.conv2d({ filters: 2, kernelSize: 3, inputShape: [9, 9, 1], name: 'conv2' }),
      tfl.layers.batchNormalization(),
      conv(3),
      conv(4),
      tfl.layers.flatten(),
      tfl.layers.dropout({ rate: 0.5 }),
      tfl.layers.dense({ units: 2 }),
    ],
  });
  const { blocks, head } = partsOf(model);
  assert.equal(blocks.length, 3);
  assert.deepEqual(
    blocks[0]?.layers.map((layer) => layer.getClassName()),
    ['Conv2D', 'BatchNormalization'],
  );
  assert.deepEqual(
    head.layers.map((layer) => layer.getClassName()),
    ['Dropout', 'Dense'],
  );
  assert.deepEqual(features(model).outputs[0]?.shape, [null, 36]);
});

test('a new head has the old name, starts by the model’s convention, and is the same for the same seed', async () => {
  await tf.setBackend('cpu');
  for (const convention of ['torchvision', 'keras'] as const) {
    const base = resnet18({ ...tiny, convention, width: 4 });
    const heads = [1, 1, 2].map((seed) => replaceHead(base, { classes: 5, seed }));
    const [a, b, c] = heads.map((model) =>
      model
        .getLayer('fc')
        .getWeights()
        .map((w) => Array.from(w.dataSync())),
    );
    assert.deepEqual(a, b);
    assert.notDeepEqual(a, c);
    // What resnet18 itself would start with.
    const whole = resnet18({ ...tiny, convention, width: 4, classes: 5, seed: 1 });
    assert.deepEqual(
      a,
      whole
        .getLayer('fc')
        .getWeights()
        .map((w) => Array.from(w.dataSync())),
    );
    assert.deepEqual(heads[0]?.outputs[0]?.shape, [null, 5]);
    assert.equal(heads[0]?.getLayer('layer1.0.conv1'), base.getLayer('layer1.0.conv1'));
  }
});

test('models that share a trunk are disposed of one by one', () => {
  const base = resnet18(tiny);
  const replaced = replaceHead(base, { classes: 2, dropout: 0.2 });
  const trunk = features(base);
  const x = picture(2);
  const before = (trunk.predict(x) as tf.Tensor).dataSync();
  base.dispose();
  assert.deepEqual((trunk.predict(x) as tf.Tensor).dataSync(), before);
  trunk.dispose();
  assert.deepEqual((replaced.predict(x) as tf.Tensor).shape, [2, 2]);
  assert.ok(replaced.dispose().numDisposedVariables > 60);
});

test('what the guide does by hand works on our models', async () => {
  await tf.setBackend('cpu');
  const base = resnet18({ ...tiny, convention: 'keras' });
  for (const layer of base.layers) layer.trainable = false;
  const x = base.layers.at(-2)?.output as tfl.SymbolicTensor;
  const model = tfl.model({
    inputs: base.inputs,
    outputs: tfl.layers.dense({ units: 10, activation: 'softmax' }).apply(x) as tfl.SymbolicTensor,
  });
  assert.equal(parameterCounts(model).trainable, 16 * 10 + 10);
  assert.deepEqual((model.predict(picture(1)) as tf.Tensor).shape, [1, 10]);
});

test('parameters are counted as the layers are frozen', () => {
  const model = resnet18({ inputShape: [32, 32, 3], classes: 10, width: 4 });
  const whole = parameterCounts(model);
  assert.equal(whole.total, model.countParams());
  freeze(model);
  assert.deepEqual(parameterCounts(model), { trainable: 330, frozen: whole.total - 330, total: whole.total });
  freeze(model, { lastBlocks: 1 });
  const block = 2 * 3 * 3 * 32 * 32 + 4 * 32;
  assert.equal(parameterCounts(model).trainable, 330 + block);
  freeze(model, { lastBlocks: 1 }, { batchNorm: 'frozen' });
  assert.equal(parameterCounts(model).trainable, 330 + block - 4 * 32);
  unfreeze(model);
  assert.deepEqual(parameterCounts(model), whole);
  freeze(model, { lastBlocks: 8 });
  assert.equal(parameterCounts(model).trainable, whole.trainable - (27 * 4 + 8));
  assert.throws(() => freeze(model, { lastBlocks: 9 }), /from 0 to 8, the blocks of resnet18, received 9/);
  assert.throws(() => freeze(model, 'all' as never), ModelError);
});

for (const backend of ['cpu', 'jit']) {
  test(`all layers but a new head frozen by hand: model.fit leaves their bits alone (${backend})`, async () => {
    await tf.setBackend(backend);
    for (const base of [resnet18({ ...tiny, convention: 'keras' }), handMade()]) {
      for (const when of ['before', 'after'] as const) {
        const freezeAll = () => {
          for (const layer of base.layers) layer.trainable = false;
        };
        unfreeze(base);
        if (when === 'before') freezeAll();
        const head = tfl.layers.dense({ units: 2, activation: 'softmax' });
        const outputs = head.apply(base.layers.at(-2)?.output as tfl.SymbolicTensor) as tfl.SymbolicTensor;
        const model = tfl.model({ inputs: base.inputs, outputs });
        model.compile({ optimizer: tf.train.momentum(0.1, 0.9), loss: 'categoricalCrossentropy' });
        if (when === 'after') freezeAll();
        const [trunk, first] = [valuesOf(base), valuesOf(model).at(-1)];
        await model.fit(picture(6), tf.oneHot(tf.tensor1d([0, 1, 0, 1, 0, 1], 'int32'), 2), {
          epochs: 3,
          batchSize: 3,
        });
        assert.deepEqual(valuesOf(base), trunk, when);
        assert.notDeepEqual(valuesOf(model).at(-1), first);
      }
    }
  });
}

test('a frozen batch normalisation may go on with each batch’s statistics', async () => {
  await tf.setBackend('cpu');
  for (const model of [resnet18(tiny), handMade()]) {
    const x = picture(4, 3);
    freeze(model, 'backbone', { batchNorm: 'statistics' });
    assert.match(whyFeaturesChange(model) ?? '', /follows each batch's statistics/);
    const before = valuesOf(model);
    model.apply(x, { training: true });
    assert.notDeepEqual(valuesOf(model), before);
    freeze(model, 'backbone');
    assert.equal(whyFeaturesChange(model), undefined);
    const frozen = valuesOf(model);
    model.apply(x, { training: true });
    assert.deepEqual(valuesOf(model), frozen);
    freeze(model, 'backbone', { batchNorm: 'train' });
    assert.match(whyFeaturesChange(model) ?? '', /learns/);
  }
});
