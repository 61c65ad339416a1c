/** Channel pruning: what is tied goes together, what is left computes what it did, and nothing is asked that cannot be. */

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { createModel } from '../models/registry.ts';
import { resnet } from '../models/resnet.ts';
import { chooseChannels } from './channel-choice.ts';
import { magnitudeImportance, taylorImportance } from './channel-importance.ts';
import { channelSets, multiplyAdds } from './channel-sets.ts';
import { pruneChannels } from './channels.ts';
import { sliceModel } from './slice-model.ts';

before(() => tf.setBackend('cpu'));

const small = { inputShape: [8, 8, 1], classes: 3, width: 8, seed: 4 } as const;

/** Weights that are nowhere 0 or 1, so that a channel in the wrong place shows. */
function stir(model: tfl.LayersModel): tfl.LayersModel {
  for (const [i, weight] of model.weights.entries()) {
    const positive = weight.originalName.endsWith('variance');
    const values = tf.randomUniform(weight.shape as number[], positive ? 0.5 : -0.5, 1, 'float32', i + 1);
    if (!weight.originalName.endsWith('kernel')) weight.write(values as tf.Variable);
  }
  return model;
}

test('the sets of ResNet18: a stage is tied, the inside of each block is free, pictures and classes are fixed', () => {
  const { sets } = channelSets(resnet('resnet18', small));
  const free = sets.filter(({ fixed }) => fixed === undefined).map(({ name, channels }) => `${name} ${channels}`);
  const inside = [1, 2, 3, 4].flatMap((stage) => [0, 1].map((i) => `layer${stage}.${i}.conv1 ${4 * 2 ** stage}`));
  const stages = ['conv1 8', 'layer2.0.conv2 16', 'layer3.0.conv2 32', 'layer4.0.conv2 64'];
  assert.deepEqual(free.sort(), [...inside, ...stages].sort());
  assert.deepEqual(
    sets.filter(({ fixed }) => fixed !== undefined).map(({ name, fixed }) => [name, fixed]),
    [
      ['input', 'the channels of the pictures'],
      ['fc', 'the output of the model'],
    ],
  );
});

for (const options of [
  { name: 'resnet18' },
  { name: 'resnet18', convention: 'keras', stem: 'imagenet' },
  { name: 'resnet50', width: 4 },
  { name: 'resnet18', preactivation: true },
] as const) {
  test(`channels that are zero can go without a change of the results: ${JSON.stringify(options)}`, async () => {
    const model = stir(createModel(options.name, { ...small, ...options }));
    const analysis = channelSets(model);
    // Half of each set is silenced wherever it is made, then taken away.
    const kept = new Map(
      analysis.sets
        .filter(({ fixed }) => fixed === undefined)
        .map((set) => [set, Array.from({ length: set.channels / 2 }, (_, i) => 2 * i + 1)]),
    );
    for (const { layer, kind, outputs } of analysis.layers) {
      const stay = outputs[0] && kept.get(outputs[0]);
      if ((kind !== 'maker' && kind !== 'norm') || stay === undefined) continue;
      for (const weight of layer.weights) {
        if (kind === 'norm' && !/gamma|beta/.test(weight.originalName)) continue;
        const mask = Float32Array.from({ length: weight.shape.at(-1) ?? 0 }, (_, c) => (stay.includes(c) ? 1 : 0));
        weight.write(tf.mul(weight.read() as tf.Tensor, tf.tensor1d(mask)) as tf.Variable);
      }
    }
    const half = await sliceModel(model, analysis, kept);
    assert.ok(half.countParams() < 0.3 * model.countParams());
    const x = tf.randomUniform([2, 8, 8, 1], -1, 1, 'float32', 5);
    const [whole, sliced] = [model, half].map((one) => (one.predict(x) as tf.Tensor).dataSync());
    for (const [i, value] of whole.entries())
      assert.ok(Math.abs(value - (sliced[i] ?? 0)) < 1e-5, `${whole} ${sliced}`);
    // The registry builds the very same network from the widths alone.
    const widths = Object.fromEntries(
      half.layers
        .filter((layer) => layer.getClassName() === 'Conv2D')
        .map(({ name, outputShape }) => [name, Number(outputShape.at(-1))]),
    );
    const again = createModel(options.name, { ...small, ...options, widths });
    const shapes = ({ weights }: tfl.LayersModel) =>
      weights.map(({ originalName, shape }) => `${originalName} ${shape}`);
    assert.deepEqual(shapes(again), shapes(half));
  });
}

test('concatenation, depthwise convolution and flattening are followed', async () => {
  const input = tfl.input({ shape: [4, 4, 2], name: 'input' });
  const conv = (name: string, filters: number, x: tfl.SymbolicTensor) =>
    tfl.layers
      .conv2d({ name, filters, kernelSize: 3, padding: 'same', activation: 'relu' })
      .apply(x) as tfl.SymbolicTensor;
  const [a, b] = [conv('a', 4, input), conv('b', 6, input)];
  const both = tfl.layers.concatenate({ name: 'both' }).apply([a, b]);
  const deep = tfl.layers.depthwiseConv2d({ name: 'deep', kernelSize: 3, padding: 'same' }).apply(both);
  const flat = tfl.layers.flatten({ name: 'flat' }).apply(deep);
  const output = tfl.layers.dense({ name: 'fc', units: 3, activation: 'softmax' }).apply(flat) as tfl.SymbolicTensor;
  const model = tfl.model({ inputs: input, outputs: output });
  const analysis = channelSets(model);
  const [first, second] = analysis.sets.filter(({ fixed }) => fixed === undefined);
  assert.ok(first && second);
  assert.equal(
    multiplyAdds(analysis, ({ channels }) => channels),
    16 * 9 * 2 * 10 + 16 * 9 * 10 + 160 * 3,
  );
  const [kernel, bias] = model.getLayer('b').getWeights() as [tf.Tensor, tf.Tensor];
  const mask = tf.tensor1d([1, 0, 1, 1, 1, 1]);
  model.getLayer('b').setWeights([tf.mul(kernel, mask), tf.mul(bias, mask)]);
  model.getLayer('deep').setWeights([model.getLayer('deep').getWeights()[0] as tf.Tensor, tf.zeros([10])]);
  const sliced = await sliceModel(model, analysis, new Map([[second, [0, 2, 3, 4, 5]]]));
  assert.deepEqual(sliced.getLayer('fc').weights[0]?.shape, [16 * 9, 3]);
  const x = tf.randomUniform([2, 4, 4, 2], -1, 1, 'float32', 5);
  const difference = tf.max(tf.abs(tf.sub(model.predict(x) as tf.Tensor, sliced.predict(x) as tf.Tensor)));
  assert.ok(Number(difference.dataSync()[0]) < 1e-6);
});

test('the least important channels for their price go, in groups, until enough are gone', async () => {
  const model = resnet('resnet18', { ...small, width: 16 });
  const analysis = channelSets(model);
  const importance = new Map(
    analysis.sets
      .filter(({ fixed }) => fixed === undefined)
      .map((set) => [
        set,
        Float64Array.from({ length: set.channels }, (_, c) => (set.name === 'layer4.1.conv1' ? c / 1000 : 1e3 + c)),
      ]),
  );
  const kept = chooseChannels(analysis, importance, { sparsity: 0.05, multiple: 16 });
  for (const [{ name, channels }, stay] of kept) {
    if (name !== 'layer4.1.conv1') assert.equal(stay.length, channels);
    else
      assert.deepEqual(
        stay,
        Array.from({ length: stay.length }, (_, i) => channels - stay.length + i),
      );
    assert.equal(stay.length % (channels < 64 ? 8 : 16), 0);
  }
  assert.throws(() => chooseChannels(analysis, importance, { sparsity: 0.999 }), /99\d? % |cannot be reached/);
  assert.throws(
    () => chooseChannels(analysis, importance, { sparsity: 1 }),
    /sparsity must be more than 0 and less than 1, received 1/,
  );
});

test('both measures of importance find channels that do nothing', async () => {
  const model = stir(resnet('resnet18', { ...small, width: 4 }));
  const analysis = channelSets(model);
  const [set] = analysis.sets.filter(({ name }) => name === 'layer2.1.conv1');
  assert.ok(set);
  const norm = model.getLayer('layer2.1.bn1');
  const dead = Float32Array.from({ length: 8 }, (_, c) => (c % 5 === 0 ? 0 : 1));
  norm.setWeights(norm.getWeights().map((weight, i) => (i < 2 ? tf.mul(weight, tf.tensor1d(dead)) : weight)));
  async function* batches() {
    for (const seed of [1, 2]) {
      const images = tf.randomUniform([3, 8, 8, 1], -1, 1, 'float32', seed).dataSync() as Float32Array<ArrayBuffer>;
      yield { images, labels: Int32Array.from([0, 1, 2]), size: 3 };
    }
  }
  for (const found of [
    await magnitudeImportance(model, analysis),
    await taylorImportance(model, analysis, batches()),
  ]) {
    const values = found.get(set);
    assert.ok(values);
    for (const [c, value] of values.entries()) if (c % 5 === 0) assert.equal(value, 0);
    assert.ok(values.filter((value) => value > 0).length >= 3, `${values}`); // a ReLU may be shut for all of the pictures
  }
});

test('half of the multiply-adds go from a model that stays as it was', async () => {
  const model = resnet('resnet18', { ...small, width: 16 });
  const before = model.countParams();
  const pruned = await pruneChannels(model, { sparsity: 0.5, multiple: 4 });
  assert.equal(model.countParams(), before);
  const part = pruned.multiplyAdds.after / pruned.multiplyAdds.before;
  assert.ok(part <= 0.5 && part > 0.4, `${part}`);
  assert.ok(pruned.model.countParams() < before);
  for (const { after } of pruned.sets) assert.equal(after % 2, 0);
});

test('a layer that is used twice is refused', () => {
  const input = tfl.input({ shape: [4, 4, 2] });
  const twice = tfl.layers.conv2d({ name: 'twice', filters: 2, kernelSize: 1 });
  const x = twice.apply(twice.apply(input)) as tfl.SymbolicTensor;
  const outputs = tfl.layers.dense({ units: 2 }).apply(tfl.layers.flatten().apply(x)) as tfl.SymbolicTensor;
  assert.throws(() => channelSets(tfl.model({ inputs: input, outputs })), /layer twice is used more than once/);
});
