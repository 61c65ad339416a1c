import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { Random } from '../../data/random.ts';
import { ModelError } from '../../models/errors.ts';
import { assignQuantization } from '../../quantize/assign.ts';
import { calibrate } from '../../quantize/calibrate.ts';
import type { Quantization } from '../../quantize/parameters.ts';
import { openQuantized } from '../../quantize/simulate.ts';
import { WeightsError } from '../../weights/errors.ts';
import type { InferenceGraph } from '../graph/graph.ts';
import { openGraph } from '../graph/index.ts';
import { distance } from '../graph/testing.ts';
import { readTflite } from './import.ts';
import { everyOp } from './testing.ts';
import { writeTflite } from './write.ts';

before(() => tf.setBackend('cpu'));

const graph = everyOp();
const random = Random.at(4);
const images = Float32Array.from({ length: 4 * 13 * 11 * 3 }, () => random.uniform(-2, 2));

async function run(one: InferenceGraph, quantization?: Quantization): Promise<Float32Array> {
  const running = quantization ? openQuantized(one, quantization) : openGraph(one);
  const values = (await running.run(images)).get(one.output) as Float32Array;
  running.dispose();
  return values;
}

test('a file of floats gives the same network again', async () => {
  const expected = await run(graph);
  for (const [quantize, limit] of [
    ['none', 1e-6],
    ['float16', 2e-3],
    ['dynamic', 0.02],
  ] as const) {
    const { graph: again, quantization } = readTflite(writeTflite(graph, { quantize }), 'x.tflite');
    assert.equal(quantization, undefined);
    assert.deepEqual(again.classes, graph.classes);
    assert.deepEqual(again.preprocessing, graph.preprocessing);
    const off = distance(expected, await run(again));
    assert.ok(off < limit, `${quantize}: off by ${off}`);
  }
});

test('a file of integers gives its integers and scales again', async () => {
  const written = assignQuantization(graph, await calibrate(graph, [images]), { keepFloat: ['narrow'] });
  for (const edges of ['float', 'int8'] as const) {
    const file = writeTflite(graph, { quantize: 'int8', quantization: written, edges });
    const { graph: again, quantization } = readTflite(file, 'x.tflite');
    assert.ok(quantization);
    for (const name of ['norm', 'conv', 'depthwise', 'excite', 'fc']) {
      assert.deepEqual(quantization.weights[name], written.weights[name], name);
      assert.deepEqual(quantization.biases[name], written.biases[name], name);
    }
    assert.ok(quantization.float.has('narrow') && !quantization.float.has('conv'));
    for (const [name, parameters] of Object.entries(quantization.values)) {
      if (written.values[name]) assert.deepEqual(parameters, written.values[name], name);
    }
    const off = distance(await run(graph, written), await run(again, quantization));
    assert.ok(off < 0.015, `off by ${off}`);
  }
});

test('damaged files are refused in one line', () => {
  const file = writeTflite(graph);
  assert.throws(() => readTflite(Uint8Array.of(1, 2, 3), 'x.tflite'), /^ModelError: x.tflite: does not say/);
  let refused = 0;
  for (let i = 0; i < 300; i++) {
    const damaged = file.slice();
    for (let n = 0; n < 20; n++) damaged[random.integer(3000)] = random.integer(256);
    try {
      readTflite(damaged, 'x.tflite');
    } catch (error) {
      assert.ok(error instanceof WeightsError || error instanceof ModelError, String(error));
      refused++;
    }
  }
  assert.ok(refused > 100, `${refused} of 300 were refused`);
});
