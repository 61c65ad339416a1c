import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { Random } from '../../data/random.ts';
import { resnet18 } from '../../models/resnet.ts';
import { assignQuantization } from '../../quantize/assign.ts';
import { calibrate } from '../../quantize/calibrate.ts';
import type { Quantization } from '../../quantize/parameters.ts';
import { openQuantized } from '../../quantize/simulate.ts';
import { type InferenceGraph, inferenceGraph, openGraph, runGraph } from '../graph/index.ts';
import { distance, infoFor, picturesFor, predicted, pretendTrained } from '../graph/testing.ts';
import { openLiteRt } from './node/litert.ts';
import { everyOp } from './testing.ts';
import { type TfliteOptions, writeTflite } from './write.ts';

before(() => tf.setBackend('cpu'));

function imagesFor({ input }: InferenceGraph, count: number, seed = 5): Float32Array {
  const random = Random.at(seed);
  const length = count * input.shape.reduce((a, b) => a * b, 1);
  return Float32Array.from({ length }, () => (input.range === 'bytes' ? random.integer(256) : random.uniform(-2, 2)));
}

async function inLiteRt(graph: InferenceGraph, options: TfliteOptions, images: Float32Array | Uint8Array) {
  const model = await openLiteRt(writeTflite(graph, options));
  try {
    return await model.run(images);
  } finally {
    model.dispose();
  }
}

test('LiteRT computes what the graph computes, for every kind of node', async () => {
  const graph = everyOp();
  const images = imagesFor(graph, 4);
  const expected = await runGraph(graph, images);
  assert.ok(distance(expected, await inLiteRt(graph, {}, images)) < 1e-5);
  assert.ok(distance(expected, await inLiteRt(graph, { batch: 2 }, images)) < 1e-5);
  const half = distance(expected, await inLiteRt(graph, { quantize: 'float16' }, images));
  assert.ok(half > 1e-7 && half < 2e-3, `float16 is off by ${half}`);
  const dynamic = distance(expected, await inLiteRt(graph, { quantize: 'dynamic' }, images));
  assert.ok(dynamic > 1e-7 && dynamic < 0.02, `dynamic is off by ${dynamic}`);
});

test('in 8-bit integers, for every kind of node, with pictures as bytes too', async () => {
  for (const range of ['normalised', 'bytes'] as const) {
    const graph = everyOp(range);
    const images = imagesFor(graph, 16);
    const expected = await runGraph(graph, images);
    const quantization = assignQuantization(graph, await calibrate(graph, [imagesFor(graph, 32, 6), images]));
    const received = await inLiteRt(graph, { quantize: 'int8', quantization }, images);
    const off = distance(expected, received);
    assert.ok(off < 0.03, `${range}: off by ${off}`);
    // The runtime's integer arithmetic against the same rounding done in floats: a step or two of 1/256.
    assert.ok(distance(await simulated(graph, quantization, images), received) < 0.015, range);
    if (range === 'normalised') continue;
    const integers = await inLiteRt(graph, { quantize: 'int8', quantization, edges: 'uint8' }, Uint8Array.from(images));
    assert.deepEqual(
      [...integers],
      [...received].map((value) => Math.round(value * 256)),
    );
  }
});

async function simulated(graph: InferenceGraph, quantization: Quantization, images: Float32Array) {
  const running = openQuantized(graph, quantization);
  const values = (await running.run(images)).get(graph.output) as Float32Array;
  running.dispose();
  return values;
}

test('layers that are spared compute in floats', async () => {
  const graph = everyOp();
  const images = imagesFor(graph, 8);
  const expected = await runGraph(graph, images);
  const ranges = await calibrate(graph, [images]);
  const all = graph.nodes.map(({ name }) => name);
  const everything = assignQuantization(graph, ranges, { keepFloat: all });
  const inFloats = await inLiteRt(graph, { quantize: 'int8', quantization: everything }, images);
  assert.ok(distance(expected, inFloats) < 1e-5, 'nothing is left to quantize');
  const some = assignQuantization(graph, ranges, { keepFloat: ['conv', 'gated', 'padded', 'fc'] });
  const mixed = await inLiteRt(graph, { quantize: 'int8', quantization: some }, images);
  assert.ok(distance(expected, mixed) < 0.03);
  assert.ok(distance(await simulated(graph, some, images), mixed) < 0.015);
  assert.throws(
    () => assignQuantization(graph, ranges, { keepFloat: ['nosuch'] }),
    /no layer nosuch; layers: norm, conv/,
  );
});

for (const convention of ['torchvision', 'keras'] as const) {
  test(`a ResNet18 of ${convention} kind says the same in LiteRT`, async () => {
    const model = pretendTrained(
      resnet18({ inputShape: [32, 32, 3], classes: 10, stem: 'imagenet', convention, width: 8 }),
    );
    const info = infoFor(model);
    const { normalised, bytes } = picturesFor(info, 8);
    const graph = await inferenceGraph(model, info, { softmax: 'drop' });
    const logits = await runGraph(graph, normalised);
    assert.ok(distance(logits, await inLiteRt(graph, {}, normalised)) < 1e-5);
    assert.ok(distance(logits, await inLiteRt(graph, { quantize: 'float16' }, normalised)) < 2e-3);
    assert.ok(distance(logits, await inLiteRt(graph, { quantize: 'dynamic' }, normalised)) < 0.03);
    const whole = await inferenceGraph(model, info, { input: 'bytes' });
    const pixels = Float32Array.from(bytes);
    assert.ok(distance(await predicted(model, normalised), await inLiteRt(whole, {}, pixels)) < 1e-5);
    const quantization = assignQuantization(graph, await calibrate(graph, [picturesFor(info, 32, 9).normalised]));
    const integers = await inLiteRt(graph, { quantize: 'int8', quantization }, normalised);
    const off = distance(logits, integers);
    // Weights by chance leave many channels nearly equal, so that 8 bits move more than in a trained network.
    assert.ok(off < 0.1, `int8 is off by ${off}`);
    const step = distance(await simulated(graph, quantization, normalised), integers);
    assert.ok(step < 0.01, `int8 is off by ${step} from what its scales say`);
    model.dispose();
  });
}

test('a channel that batch normalisation switched off does not spoil its bias', async () => {
  const graph = everyOp();
  const nodes = graph.nodes.map((node) => {
    if (node.op !== 'conv2d' || node.name !== 'conv') return node;
    const values = node.filter.values.map((value, i) => (i % 8 === 3 ? value * 1e-12 : value));
    return { ...node, filter: { ...node.filter, values } };
  });
  const dead: InferenceGraph = { ...graph, nodes };
  const images = imagesFor(dead, 8);
  const running = openGraph(dead);
  const expected = (await running.run(images)).get('output') as Float32Array;
  running.dispose();
  const quantization = assignQuantization(dead, await calibrate(dead, [images]));
  const received = await inLiteRt(dead, { quantize: 'int8', quantization }, images);
  assert.ok(distance(expected, received) < 0.05);
});

test('options that contradict each other are refused in one line', () => {
  const graph = everyOp();
  assert.throws(() => writeTflite(graph, { quantize: 'int8' }), /^ModelError: tflite: quantize int8 needs the scales/);
  assert.throws(() => writeTflite(graph, { edges: 'uint8' }), /edges uint8 need quantize int8, received none/);
  assert.throws(() => writeTflite(graph, { batch: 0 }), /batch must be a positive whole number or dynamic, received 0/);
});

test('padding that TFLite has no mean for is refused, not written wrong', () => {
  const graph = everyOp();
  const nodes = graph.nodes.map((node) =>
    node.name === 'counted'
      ? { ...node, countPadding: false, size: [3, 3] as const, padding: [0, 2, 1, 1] as const }
      : node,
  );
  assert.throws(
    () => writeTflite({ ...graph, nodes } as InferenceGraph),
    /counted: TFLite has no average pooling that leaves out padding/,
  );
});
