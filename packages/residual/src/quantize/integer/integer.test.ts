import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import { Random } from '../../data/random.ts';
import { type InferenceGraph, inferenceGraph, openGraph, shapesOf } from '../../export/graph/index.ts';
import { distance, infoFor, picturesFor, pretendTrained } from '../../export/graph/testing.ts';
import { everyOp } from '../../export/tflite/testing.ts';
import { resnet18 } from '../../models/resnet.ts';
import { type AssignOptions, assignQuantization } from '../assign.ts';
import { calibrate } from '../calibrate.ts';
import { type Quantization, quantizeValues } from '../parameters.ts';
import { openQuantized, openSimulated } from '../simulate.ts';
import { fixedMultiplier } from './fixed-point.ts';
import { openIntegers } from './open.ts';
import { computeNode } from './testing/reference.ts';

before(() => tf.setBackend('jit'));

const IMAGES = 3;

function imagesOf(graph: InferenceGraph, count: number, seed: number): Float32Array {
  const random = Random.at(seed);
  const length = count * graph.input.shape.reduce((a, b) => a * b, 1);
  const draw = graph.input.range === 'bytes' ? () => random.integer(256) : () => random.uniform(-2, 2);
  return Float32Array.from({ length }, draw);
}

async function quantized(graph: InferenceGraph, options?: AssignOptions): Promise<Quantization> {
  return assignQuantization(graph, await calibrate(graph, [imagesOf(graph, 8, 1)]), options);
}

/** Every value of every image, as integers, and how they follow from those before them. */
async function checkEveryNode(graph: InferenceGraph, quantization: Quantization): Promise<void> {
  const running = openIntegers(graph, quantization);
  assert.ok(running, 'the kernels can compute it');
  const names = [graph.input.name, ...graph.nodes.map(({ output }) => output)];
  const floats = await running.run(imagesOf(graph, IMAGES, 2), names);
  running.dispose();
  const shapes = shapesOf(graph);
  const integers = new Map(
    names.map((name) => [name, quantizeValues(floats.get(name) as Float32Array, quantization.values[name])]),
  );
  const imageOf = (name: string, image: number) => {
    const values = integers.get(name) as Int8Array;
    const length = values.length / IMAGES;
    return { shape: shapes.get(name) ?? [], values: values.subarray(image * length, (image + 1) * length) };
  };
  for (const node of graph.nodes) {
    for (let image = 0; image < IMAGES; image++) {
      const inputs = node.inputs.map((name) => imageOf(name, image));
      const received = imageOf(node.output, image).values;
      const expected = computeNode(node, inputs, quantization);
      if (expected) assert.deepEqual(received, expected, node.name);
      else {
        const { scale, zeroPoint } = quantization.values[node.inputs[0]];
        const powers = [...inputs[0].values].map((q) => Math.exp((q - zeroPoint) * scale));
        const sum = powers.reduce((a, b) => a + b, 0);
        powers.forEach((power, i) => {
          const real = node.op === 'softmax' ? power / sum : power / (1 + power);
          const off = Math.abs(received[i] + 128 - Math.min(real * 256, 255));
          assert.ok(off < 0.6, `${node.name}: ${received[i]} for ${real}`);
        });
      }
    }
  }
}

for (const range of ['normalised', 'bytes'] as const) {
  for (const granularity of ['per-channel', 'per-tensor'] as const) {
    test(`every operation is that of plain loops, bit by bit: ${range}, ${granularity}`, async () => {
      const graph = everyOp(range);
      await checkEveryNode(graph, await quantized(graph, { granularity }));
    });
  }
}

test('symmetric scales, as TensorRT wants them, are computed as exactly', async () => {
  const graph = everyOp();
  const nodes = graph.nodes.slice(0, 6);
  const part = { ...graph, nodes, output: nodes[5].output };
  await checkEveryNode(part, await quantized(part, { scheme: 'symmetric' }));
});

test('a ResNet18 is that of plain loops, in 1 and in 2 threads, and close to its rounded floats', async () => {
  const model = pretendTrained(resnet18({ inputShape: [24, 20, 3], classes: 10, stem: 'imagenet', width: 8 }));
  const graph = await inferenceGraph(model, infoFor(model), { softmax: 'drop' });
  model.dispose();
  const quantization = await quantized(graph);
  await checkEveryNode(graph, quantization);
  const images = imagesOf(graph, 6, 3);
  const [a, b] = await Promise.all(
    [openQuantized(graph, quantization), openSimulated(graph, quantization)].map(async (running) => {
      const logits = (await running.run(images)).get(graph.output) as Float32Array;
      // A run that is not recorded again must say the same.
      for (let again = 0; again < 4; again++) {
        assert.deepEqual((await running.run(images)).get(graph.output), logits);
      }
      running.dispose();
      return logits;
    }),
  );
  assert.ok(distance(b, a) < 0.03, `integers are off by ${distance(b, a)} from rounded floats`);
  const child = async (JIT_THREADS: string) => {
    const file = join(import.meta.dirname, 'testing', 'threads.ts');
    const options = { env: { ...process.env, JIT_THREADS }, timeout: 120_000 };
    return (await promisify(execFile)(process.execPath, [file], options)).stdout.trim();
  };
  const [one, two] = await Promise.all(['1', '2'].map(child));
  assert.match(one, /^[0-9a-f]{64}$/);
  assert.equal(two, one);
});

test('layers that are spared compute in floats, between integers', async () => {
  const graph = everyOp();
  const images = imagesOf(graph, 4, 4);
  const quantization = await quantized(graph, { keepFloat: ['conv', 'gated', 'padded', 'fc'] });
  const results = [openIntegers(graph, quantization), openSimulated(graph, quantization)].map(async (running) => {
    assert.ok(running);
    const values = await running.run(images, ['conv', 'output']);
    running.dispose();
    return values;
  });
  const [integers, simulated] = await Promise.all(results);
  const output = (of: Map<string, Float32Array>) => of.get('output') as Float32Array;
  assert.ok(distance(output(simulated), output(integers)) < 0.02);
  const { scale } = quantization.values.conv;
  const between = (integers.get('conv') as Float32Array).filter(
    (v) => Math.abs(v / scale - Math.round(v / scale)) > 0.1,
  );
  assert.ok(between.length > 100, 'a value that only a layer in floats made is not rounded');
});

test('where integers cannot say it exactly, or the backend has none, floats that are rounded do', async () => {
  const graph = everyOp();
  const quantization = await quantized(graph);
  const { joined } = quantization.values;
  const apart = {
    ...quantization,
    values: { ...quantization.values, joined: { ...joined, scale: joined.scale * 1.5 } },
  };
  assert.equal(openIntegers(graph, apart), undefined, 'joined values of two scales');
  const huge = { ...quantization, biases: { ...quantization.biases, fc: new Int32Array(5).fill(2 ** 31 - 1) } };
  assert.equal(openIntegers(graph, huge), undefined, 'a sum that leaves 32 bits');
  await tf.setBackend('cpu');
  assert.equal(openIntegers(graph, quantization), undefined, 'the cpu backend');
  const running = openQuantized(graph, quantization);
  assert.equal((await running.run(imagesOf(graph, 2, 5))).get('output')?.length, 10);
  running.dispose();
  await tf.setBackend('jit');
});

test('weights stay 8 bits in memory', async () => {
  const model = pretendTrained(resnet18({ inputShape: [32, 32, 3], classes: 10, stem: 'cifar', width: 32 }));
  const info = infoFor(model);
  const graph = await inferenceGraph(model, info);
  model.dispose();
  const ranges = new Map(
    [graph.input.name, ...graph.nodes.map(({ output }) => output)].map((n) => [n, { min: -4, max: 4 }]),
  );
  const quantization = assignQuantization(graph, ranges);
  const { normalised } = picturesFor(info, 1);
  const bytes = () => (tf.memory() as unknown as { wasmBytes: number }).wasmBytes;
  const growth = [];
  for (const open of [openGraph, (one: InferenceGraph) => openIntegers(one, quantization)]) {
    const start = bytes();
    const running = open(graph);
    await running?.run(normalised);
    growth.push(bytes() - start);
    running?.dispose();
  }
  const weights = Object.values(quantization.weights).reduce((sum, { values }) => sum + values.length, 0);
  assert.ok(growth[0] >= weights * 4);
  assert.ok(growth[1] < weights * 1.1 + 300_000, `${growth[1]} bytes for ${weights} weights`);
});

test('real factors become fractions of 31 bits', () => {
  assert.deepEqual(fixedMultiplier(0.5), { multiplier: 2 ** 30, shift: 0 });
  assert.deepEqual(fixedMultiplier(1), { multiplier: 2 ** 30, shift: 1 });
  assert.deepEqual(fixedMultiplier(3), { multiplier: 3 * 2 ** 29, shift: 2 });
  assert.deepEqual(fixedMultiplier(1 - 2 ** -40), { multiplier: 2 ** 30, shift: 1 });
  assert.deepEqual(fixedMultiplier(2 ** -40), { multiplier: 0, shift: 0 });
  assert.deepEqual(fixedMultiplier(0), { multiplier: 0, shift: 0 });
});
