import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { batchNormalization } from '../../models/batch-normalization.ts';
import { ModelError } from '../../models/errors.ts';
import { resnet } from '../../models/resnet.ts';
import { inferenceGraph, openGraph, printGraph, runGraph } from './index.ts';
import { distance, infoFor, picturesFor, predicted, pretendTrained } from './testing.ts';
import 'tfjs-backend-jit';

before(() => tf.setBackend('jit'));

const cases = [
  ['resnet18', { inputShape: [33, 29, 3], classes: 5, width: 4, stem: 'imagenet', convention: 'torchvision' }],
  ['resnet18', { inputShape: [33, 30, 3], classes: 5, width: 4, stem: 'imagenet', convention: 'keras' }],
  ['resnet18', { inputShape: [15, 16, 1], classes: 3, width: 4, stem: 'cifar', convention: 'torchvision' }],
  ['resnet18', { inputShape: [15, 16, 1], classes: 3, width: 4, stem: 'cifar', convention: 'keras' }],
  ['resnet50', { inputShape: [35, 31, 3], classes: 4, width: 2, stem: 'imagenet', convention: 'torchvision' }],
  ['resnet50', { inputShape: [17, 17, 3], classes: 4, width: 2, stem: 'cifar', convention: 'keras' }],
] as const;

for (const [variant, options] of cases) {
  test(`${variant}, ${options.convention}, ${options.stem} stem: the graph gives what the model gives`, async () => {
    const model = pretendTrained(resnet(variant, { ...options, activation: 'linear' }));
    const info = infoFor(model);
    const { bytes, normalised } = picturesFor(info, 3);
    const expected = await predicted(model, normalised);
    const graph = await inferenceGraph(model, info);
    assert.equal(graph.gives, 'logits');
    assert.ok(distance(expected, await runGraph(graph, normalised)) < 1e-5);
    const withBytes = await inferenceGraph(model, info, { input: 'bytes' });
    assert.ok(distance(expected, await runGraph(withBytes, bytes)) < 1e-4);
  });
}

test('a ResNet18 is 20 convolutions, 8 sums, a pool, a mean and a dense layer', async () => {
  const model = pretendTrained(resnet('resnet18', { inputShape: [64, 64, 3], classes: 5, width: 4, stem: 'imagenet' }));
  const graph = await inferenceGraph(model, infoFor(model), { softmax: 'drop' });
  const counts: Record<string, number> = {};
  for (const { op } of graph.nodes) counts[op] = (counts[op] ?? 0) + 1;
  assert.deepEqual(counts, { conv2d: 20, add: 8, maxPool: 1, globalAveragePool: 1, dense: 1 });
  const relus = graph.nodes.filter((node) => 'activation' in node && node.activation === 'relu');
  assert.equal(relus.length, 17);
  const lines = printGraph(graph).split('\n');
  assert.equal(
    lines[2],
    'relu [32,32,4] = conv2d conv1 (input) weight [7,7,3,4] bias [4] strides 2x2 padding 3,3,3,3 relu',
  );
  assert.equal(lines[3], 'maxpool [16,16,4] = maxPool maxpool (relu) size 3x3 strides 2x2 padding 1,1,1,1');
  assert.equal(lines.at(-1), 'gives output: logits of 5 classes');
});

test('the softmax is kept, dropped or added', async () => {
  const options = { inputShape: [8, 8, 3], classes: 4, width: 2 } as const;
  const model = pretendTrained(resnet('resnet18', options));
  const info = infoFor(model);
  const { normalised } = picturesFor(info, 2);
  const probabilities = await predicted(model, normalised);
  const kept = await inferenceGraph(model, info);
  assert.equal(kept.gives, 'probabilities');
  assert.ok(distance(probabilities, await runGraph(kept, normalised)) < 1e-5);
  const dropped = await inferenceGraph(model, info, { softmax: 'drop' });
  assert.equal(dropped.gives, 'logits');
  const logits = await runGraph(dropped, normalised);
  const sums = tf.softmax(tf.tensor(logits, [2, 4])).dataSync();
  assert.ok(distance(probabilities, sums) < 1e-5);
  const linear = pretendTrained(resnet('resnet18', { ...options, activation: 'linear' }));
  const added = await inferenceGraph(linear, info, { softmax: 'add' });
  assert.deepEqual([added.gives, added.nodes.at(-1)?.op], ['probabilities', 'softmax']);
  assert.ok(distance(probabilities, await runGraph(added, normalised)) < 1e-5);
});

test('normalisation of bytes goes into a convolution that pads nothing, and stands alone before one that pads', async () => {
  const build = (padding: 'same' | 'valid') => {
    const input = tfl.input({ shape: [9, 9, 3] });
    const x = tfl.layers.conv2d({ filters: 4, kernelSize: 3, padding, strides: 2, activation: 'relu' }).apply(input);
    const pooled = tfl.layers.globalAveragePooling2d({ dataFormat: 'channelsLast' }).apply(x);
    const outputs = tfl.layers.dense({ units: 2 }).apply(pooled) as tfl.SymbolicTensor;
    return pretendTrained(tfl.model({ inputs: input, outputs }));
  };
  for (const padding of ['same', 'valid'] as const) {
    const model = build(padding);
    const info = infoFor(model);
    const { bytes, normalised } = picturesFor(info, 2);
    const graph = await inferenceGraph(model, info, { input: 'bytes' });
    assert.equal(graph.nodes[0]?.op, padding === 'same' ? 'affine' : 'conv2d');
    assert.ok(distance(await predicted(model, normalised), await runGraph(graph, bytes)) < 1e-5);
  }
});

test('layers of other families: depthwise, squeeze and excite, concatenation, pools, norms without a convolution', async () => {
  const input = tfl.input({ shape: [11, 10, 4] });
  const apply = (layer: tfl.layers.Layer, ...inputs: unknown[]) =>
    layer.apply((inputs.length === 1 ? inputs[0] : inputs) as tfl.SymbolicTensor) as tfl.SymbolicTensor;
  const L = tfl.layers;
  let x = apply(batchNormalization(), input);
  x = apply(
    L.zeroPadding2d({
      padding: [
        [0, 1],
        [2, 1],
      ],
    }),
    x,
  );
  x = apply(
    L.depthwiseConv2d({ kernelSize: 3, strides: [2, 2], depthMultiplier: 2, padding: 'same', useBias: false }),
    x,
  );
  x = apply(batchNormalization({ scale: false }), x);
  x = apply(L.activation({ activation: 'swish' }), x);
  const squeezed = apply(L.globalAveragePooling2d({ dataFormat: 'channelsLast' }), x);
  let gate = apply(L.reshape({ targetShape: [1, 1, 8] }), squeezed);
  gate = apply(L.conv2d({ filters: 8, kernelSize: 1, activation: 'sigmoid' }), gate);
  x = apply(L.multiply(), gate, x);
  const left = apply(L.conv2d({ filters: 3, kernelSize: 3, dilationRate: 2, padding: 'same', activation: 'relu6' }), x);
  const right = apply(L.averagePooling2d({ poolSize: 3, strides: 1, padding: 'same' }), x);
  x = apply(L.concatenate(), left, right);
  x = apply(L.dropout({ rate: 0.5 }), x);
  x = apply(L.zeroPadding2d({ padding: 1 }), x);
  x = apply(L.averagePooling2d({ poolSize: 3, strides: 2 }), x);
  // No ReLU before it: these zeros can win, and the padding must stay.
  x = apply(L.zeroPadding2d({ padding: 1 }), x);
  x = apply(L.maxPooling2d({ poolSize: 2, strides: 1 }), x);
  x = apply(L.flatten(), x);
  x = apply(L.dense({ units: 6, useBias: false }), x);
  x = apply(batchNormalization({ center: false }), x);
  x = apply(L.reLU({ maxValue: 6 }), x);
  x = apply(L.dense({ units: 3 }), x);
  const model = pretendTrained(tfl.model({ inputs: input, outputs: x }));
  const info = infoFor(model);
  const { normalised } = picturesFor(info, 3);
  const graph = await inferenceGraph(model, info);
  assert.deepEqual(
    graph.nodes.map(({ op }) => op),
    [
      'affine',
      'depthwiseConv2d',
      'sigmoid',
      'mul',
      'globalAveragePool',
      'reshape',
      'conv2d',
      'sigmoid',
      'mul',
      'conv2d',
    ].concat(['averagePool', 'concat', 'averagePool', 'pad', 'maxPool', 'reshape', 'dense', 'dense']),
  );
  assert.ok(distance(await predicted(model, normalised), await runGraph(graph, normalised)) < 1e-5);
});

test('a model inside a model, and one that is used twice', async () => {
  const inner = tfl.sequential({
    layers: [
      tfl.layers.conv2d({ inputShape: [6, 6, 3], filters: 3, kernelSize: 3, padding: 'same' }),
      batchNormalization(),
      tfl.layers.reLU(),
    ],
  });
  pretendTrained(inner);
  const input = tfl.input({ shape: [6, 6, 3] });
  const once = inner.apply(input) as tfl.SymbolicTensor;
  const twice = inner.apply(once) as tfl.SymbolicTensor;
  const sum = tfl.layers.add().apply([once, twice]);
  const flat = tfl.layers.flatten().apply(sum);
  const outputs = tfl.layers.dense({ units: 2 }).apply(flat) as tfl.SymbolicTensor;
  const model = tfl.model({ inputs: input, outputs });
  const info = infoFor(model);
  const { normalised } = picturesFor(info, 2);
  const graph = await inferenceGraph(model, info);
  assert.deepEqual(
    graph.nodes.map(({ op }) => op),
    ['conv2d', 'conv2d', 'add', 'reshape', 'dense'],
  );
  assert.ok(distance(await predicted(model, normalised), await runGraph(graph, normalised)) < 1e-5);
});

test('every value on the way can be seen', async () => {
  const model = pretendTrained(resnet('resnet18', { inputShape: [8, 8, 1], classes: 2, width: 2 }));
  const info = infoFor(model);
  const { normalised } = picturesFor(info, 2);
  const graph = await inferenceGraph(model, info);
  const running = openGraph(graph);
  const wanted = [graph.input.name, 'relu', 'layer1.0.relu2', graph.output];
  const before = tf.memory().numTensors;
  const values = await running.run(normalised, wanted);
  assert.equal(tf.memory().numTensors, before);
  assert.deepEqual([...values.keys()], wanted);
  assert.deepEqual(values.get(graph.input.name), normalised);
  const trunk = tfl.model({
    inputs: model.inputs,
    outputs: model.getLayer('layer1.0.relu2').output as tfl.SymbolicTensor,
  });
  assert.ok(distance(await predicted(trunk, normalised), values.get('layer1.0.relu2') ?? []) < 1e-5);
  await assert.rejects(running.run(normalised, ['nowhere']), /has no value nowhere/);
  running.dispose();
});

test('what cannot be exported is named, with what can', async () => {
  const refused = async (layer: tfl.layers.Layer, message: RegExp) => {
    const input = tfl.input({ shape: [8, 8, 3] });
    const flat = tfl.layers.flatten().apply(layer.apply(input));
    const outputs = tfl.layers.dense({ units: 2 }).apply(flat) as tfl.SymbolicTensor;
    const model = tfl.model({ inputs: input, outputs });
    await assert.rejects(inferenceGraph(model, infoFor(model)), (error) => {
      assert.ok(error instanceof ModelError);
      assert.match(error.message, message);
      return true;
    });
  };
  await refused(
    tfl.layers.upSampling2d({ name: 'up' }),
    /^layer up: a UpSampling2D cannot be exported; those that can are Conv2D, /,
  );
  await refused(
    tfl.layers.activation({ name: 'act', activation: 'tanh' }),
    /^layer act: .*activation must be linear, relu, .* is tanh$/,
  );
  await refused(batchNormalization({ name: 'bn', axis: 1 }), /^layer bn: .*axis must be the last one, is 1$/);
  const model = resnet('resnet18', { inputShape: [8, 8, 1], classes: 2, width: 2 });
  const info = { ...infoFor(model), classes: ['a', 'b', 'c'] };
  await assert.rejects(inferenceGraph(model, info), /must give one number for each of 3 classes, gives \[2\]/);
});
