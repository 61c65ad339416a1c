import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { GraphNode, InferenceGraph } from '../export/graph/graph.ts';
import { openGraph } from '../export/graph/index.ts';
import { quantizePostTraining } from './post-training.ts';
import { openQuantized } from './simulate.ts';
import { conv, dense, depthwise, graphOf, imagesFor } from './testing.ts';

before(() => tf.setBackend('cpu'));

/** The mean of a value for each of its channels. */
async function channelMeans(running: ReturnType<typeof openGraph>, value: string, images: Float32Array) {
  const numbers = (await running.run(images, [value])).get(value) ?? new Float32Array();
  running.dispose();
  const channels = running.graph.nodes.find(({ output }) => output === value)?.shape.at(-1) ?? 1;
  const means = new Float64Array(channels);
  numbers.forEach((number, i) => {
    means[i % channels] += number / (numbers.length / channels);
  });
  return means;
}

/** The largest shift of a channel's mean by weights of 4 bits. */
async function shift(graph: InferenceGraph, value: string, images: Float32Array, biasCorrection: boolean) {
  const { quantization } = await quantizePostTraining(
    graph,
    [images.subarray(0, images.length / 2), images.subarray(images.length / 2)],
    { bits: 4, biasCorrection },
  );
  const before = await channelMeans(openGraph(graph), value, images);
  const after = await channelMeans(openQuantized(graph, quantization), value, images);
  return before.reduce((most, mean, c) => Math.max(most, Math.abs(mean - after[c])), 0);
}

test('on the calibration images the mean of every channel is what it was, at padded borders and with strides too', async () => {
  const images = imagesFor(16);
  const strided = { ...conv('first', 'input', [3, 8], 'none'), strides: [2, 2], shape: [3, 3, 8] } as GraphNode;
  const flat: GraphNode = { op: 'reshape', name: 'flat', inputs: ['first'], output: 'flat', shape: [72] };
  const graph = graphOf([strided, flat, dense('classifier', 'flat', [72, 5])]);
  const [plain, corrected] = [await shift(graph, 'first', images, false), await shift(graph, 'first', images, true)];
  // What is left is the rounding of input and output to 8 bits.
  assert.ok(plain > 0.01 && corrected < plain / 10, `${corrected} beside ${plain}`);
});

test('each channel of a depthwise layer is corrected by its own mean, and the whole network drifts less', async () => {
  const images = imagesFor(16, 8);
  const alone = graphOf([
    { ...depthwise('depthwise', 'input', 3), activation: 'none' } as GraphNode,
    { op: 'globalAveragePool', name: 'mean', inputs: ['depthwise'], output: 'mean', shape: [3] },
    dense('classifier', 'mean', [3, 5]),
  ]);
  const without = await shift(alone, 'depthwise', images, false);
  assert.ok((await shift(alone, 'depthwise', images, true)) < without / 10);
  const graph = graphOf([
    conv('wide', 'input', [3, 4], 'relu'),
    depthwise('depthwise', 'wide', 4),
    conv('narrow', 'depthwise', [4, 4], 'relu'),
    { op: 'globalAveragePool', name: 'mean', inputs: ['narrow'], output: 'mean', shape: [4] },
    dense('classifier', 'mean', [4, 5]),
  ]);
  const [plain, corrected] = [
    await shift(graph, 'classifier', images, false),
    await shift(graph, 'classifier', images, true),
  ];
  assert.ok(corrected < plain * 0.7, `${corrected} beside ${plain}`);
});
