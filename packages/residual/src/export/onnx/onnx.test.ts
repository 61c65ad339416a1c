import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import 'tfjs-backend-jit';
import { batchNormalization } from '../../models/batch-normalization.ts';
import { resnet } from '../../models/resnet.ts';
import { type GraphOptions, inferenceGraph, runGraph } from '../graph/index.ts';
import { distance, infoFor, picturesFor, predicted, pretendTrained } from '../graph/testing.ts';
import { decodeOnnx } from './decode.ts';
import { raiseOnnx } from './raise.ts';
import { openOnnx } from './runtime.ts';
import { type OnnxOptions, onnxModel, writeOnnx } from './write.ts';

before(() => tf.setBackend('jit'));

/** How far ONNX Runtime is from the model, relative to the range of its outputs, in batches of 3 and of 1. */
async function parity(model: tfl.LayersModel, graphOptions: GraphOptions, options: OnnxOptions): Promise<number> {
  const info = infoFor(model);
  const { bytes, normalised } = picturesFor(info, 3);
  const expected = await predicted(model, normalised);
  const graph = await inferenceGraph(model, info, graphOptions);
  const file = await openOnnx(writeOnnx(graph, options), 'test.onnx');
  const images = graph.input.range === 'bytes' ? Float32Array.from(bytes) : normalised;
  const three = await file.run(images, 3);
  const one = await file.run(images.subarray(0, images.length / 3), 1);
  await file.close();
  // And back again: our own engine runs the file as well.
  const own = await runGraph(raiseOnnx(decodeOnnx(writeOnnx(graph, options), 'test.onnx'), 'test.onnx').graph, images);
  const limit = options.precision === 'float16' ? 1e-2 : 1e-4;
  assert.ok(distance(expected, own) < limit, `read back: ${distance(expected, own)}`);
  return Math.max(distance(expected, three), distance(three.subarray(0, one.length), one));
}

const torchvision = () =>
  pretendTrained(
    resnet('resnet18', { inputShape: [33, 29, 3], classes: 5, width: 4, stem: 'imagenet', activation: 'linear' }),
  );

const nets = [
  ['resnet18', { inputShape: [33, 29, 3], classes: 5, width: 4, stem: 'imagenet', convention: 'torchvision' }],
  ['resnet18', { inputShape: [33, 30, 3], classes: 5, width: 4, stem: 'imagenet', convention: 'keras' }],
  ['resnet18', { inputShape: [15, 16, 1], classes: 3, width: 4, stem: 'cifar', convention: 'keras' }],
  ['resnet50', { inputShape: [35, 31, 3], classes: 4, width: 2, stem: 'imagenet', convention: 'torchvision' }],
] as const;

for (const [variant, options] of nets) {
  test(`${variant}, ${options.convention}, ${options.stem} stem: ONNX Runtime gives the model's logits`, async () => {
    const model = pretendTrained(resnet(variant, { ...options, activation: 'linear' }));
    assert.ok((await parity(model, {}, {})) < 1e-4);
  });
}

test('every opset, both layouts, and pictures of bytes', async () => {
  const model = torchvision();
  for (const opset of [13, 14, 15, 16, 17]) assert.ok((await parity(model, {}, { opset })) < 1e-4, `opset ${opset}`);
  assert.ok((await parity(model, {}, { layout: 'NHWC' })) < 1e-4);
  assert.ok((await parity(model, { input: 'bytes' }, { type: 'uint8' })) < 1e-4);
  assert.ok((await parity(model, { input: 'bytes' }, { type: 'uint8', layout: 'NCHW' })) < 1e-4);
  assert.ok((await parity(model, { input: 'bytes' }, { type: 'float32' })) < 1e-4);
  assert.ok((await parity(model, { input: 'bytes' }, { type: 'picture', opset: 13 })) < 1e-4);
});

test('half precision, with edges of either type', async () => {
  const model = torchvision();
  const distances = [
    await parity(model, {}, { precision: 'float16' }),
    await parity(model, {}, { precision: 'float16', edges: 'float16' }),
    await parity(model, { input: 'bytes' }, { precision: 'float16', type: 'uint8' }),
  ];
  for (const one of distances) assert.ok(one > 1e-6 && one < 1e-2, String(distances));
  const graph = await inferenceGraph(model, infoFor(model));
  const [full, half] = [writeOnnx(graph), writeOnnx(graph, { precision: 'float16' })];
  const weights = model.countParams() * 4;
  assert.ok(full.length - half.length > 0.4 * weights, `${full.length} ${half.length}`);
});

test('the operators of other families', async () => {
  const L = tfl.layers;
  const apply = (layer: tfl.layers.Layer, ...inputs: unknown[]) =>
    layer.apply((inputs.length === 1 ? inputs[0] : inputs) as tfl.SymbolicTensor) as tfl.SymbolicTensor;
  const input = tfl.input({ shape: [11, 10, 4] });
  let x = apply(batchNormalization(), input);
  x = apply(L.depthwiseConv2d({ kernelSize: 3, strides: [2, 2], depthMultiplier: 2, padding: 'same' }), x);
  x = apply(L.activation({ activation: 'swish' }), x);
  let gate = apply(
    L.reshape({ targetShape: [1, 1, 8] }),
    apply(L.globalAveragePooling2d({ dataFormat: 'channelsLast' }), x),
  );
  gate = apply(L.conv2d({ filters: 8, kernelSize: 1, activation: 'sigmoid' }), gate);
  x = apply(L.multiply(), gate, x);
  const left = apply(L.conv2d({ filters: 3, kernelSize: 3, dilationRate: 2, padding: 'same', activation: 'relu6' }), x);
  const right = apply(L.averagePooling2d({ poolSize: 3, strides: 1, padding: 'same' }), x);
  x = apply(L.zeroPadding2d({ padding: 1 }), apply(L.concatenate(), left, right));
  x = apply(L.averagePooling2d({ poolSize: 3, strides: 2 }), x);
  x = apply(
    L.zeroPadding2d({
      padding: [
        [1, 0],
        [0, 1],
      ],
    }),
    x,
  );
  x = apply(L.maxPooling2d({ poolSize: 2, strides: 1 }), x);
  // Channels last decides in which order a map is flattened and folded up again.
  x = apply(L.reshape({ targetShape: [1, 3, 33] }), x);
  x = apply(L.conv2d({ filters: 5, kernelSize: [1, 2] }), x);
  x = apply(L.dense({ units: 6 }), apply(L.flatten(), x));
  x = apply(L.reLU({ maxValue: 6 }), apply(batchNormalization(), apply(L.reLU(), x)));
  x = apply(L.dense({ units: 3, activation: 'softmax' }), x);
  const model = pretendTrained(tfl.model({ inputs: input, outputs: x }));
  const ops = new Set((await inferenceGraph(model, infoFor(model))).nodes.map(({ op }) => op));
  assert.equal(ops.size, 13, [...ops].join());
  assert.ok((await parity(model, {}, {})) < 1e-4);
});

test('a ResNet18 is the graph that torchvision exports, with labels and preprocessing', async () => {
  const model = torchvision();
  const info = infoFor(model);
  const graph = await inferenceGraph(model, info);
  const bytes = writeOnnx(graph, { producer: { name: 'residual', version: '1.2.3' } });
  assert.deepEqual(bytes, writeOnnx(graph, { producer: { name: 'residual', version: '1.2.3' } }));
  const read = decodeOnnx(bytes, 'test.onnx');
  const counts: Record<string, number> = {};
  for (const { type } of read.nodes) counts[type] = (counts[type] ?? 0) + 1;
  const torch = { Conv: 20, Relu: 17, MaxPool: 1, Add: 8, GlobalAveragePool: 1, Flatten: 1, Gemm: 1 };
  assert.deepEqual(counts, torch);
  assert.deepEqual(read.inputs, [{ name: 'input', type: 'float32', dims: ['batch', 3, 33, 29] }]);
  assert.deepEqual(read.outputs, [{ name: 'output', type: 'float32', dims: ['batch', 5] }]);
  assert.deepEqual(read.producer, { name: 'residual', version: '1.2.3' });
  assert.deepEqual(JSON.parse(read.metadata.labels ?? ''), info.classes);
  const { inputShape, resize, mean, std } = info.preprocessing;
  assert.deepEqual(JSON.parse(read.metadata.preprocessing ?? ''), {
    ...{ inputShape, resize, mean, std, channels: 'RGB', layout: 'NCHW', range: 'normalised' },
  });
  assert.deepEqual(read, { ...onnxModel(graph), producer: read.producer });
});

test('impossible options and numbers are named', async () => {
  const model = torchvision();
  const graph = await inferenceGraph(model, infoFor(model));
  assert.throws(() => writeOnnx(graph, { opset: 12 }), /opset must be 13, 14, 15, 16, 17, received 12/);
  assert.throws(
    () => writeOnnx(graph, { type: 'uint8' }),
    /needs a graph whose input is 'bytes', received 'normalised'/,
  );
  const bytes = await inferenceGraph(model, infoFor(model), { input: 'bytes' });
  assert.throws(
    () => writeOnnx(bytes, { type: 'picture', precision: 'float16' }),
    /an input of pictures is NHWC and not float16, received NHWC, float16/,
  );
  const kernel = model.getLayer('fc').weights[0];
  kernel?.write(tf.fill([32, 5], 1e5) as tf.Variable);
  const large = await inferenceGraph(model, infoFor(model));
  assert.throws(
    () => writeOnnx(large, { precision: 'float16' }),
    /^ModelError: fc\.weight: float16 holds numbers up to 65504/,
  );
  await assert.rejects(openOnnx(new Uint8Array([8, 1]), 'odd.onnx'), /odd\.onnx: is no ONNX model/);
});
