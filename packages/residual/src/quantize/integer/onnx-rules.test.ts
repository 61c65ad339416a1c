/** Files of integers as our exporter writes them, read back and run on integer kernels: node by node what floats between
 *  QuantizeLinear and DequantizeLinear give. */

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import { type InferenceGraph, inferenceGraph, shapesOf } from '../../export/graph/index.ts';
import { distance, infoFor, picturesFor, pretendTrained } from '../../export/graph/testing.ts';
import { decodeOnnx } from '../../export/onnx/decode.ts';
import { onnxFormat } from '../../export/onnx/format.ts';
import { type QuantizationProfile, schemeOf } from '../../export/onnx/placement.ts';
import { raiseOnnx } from '../../export/onnx/raise.ts';
import { writeOnnx } from '../../export/onnx/write.ts';
import { everyOp } from '../../export/tflite/testing.ts';
import { resnet18 } from '../../models/resnet.ts';
import { type AssignOptions, assignQuantization, movesOnly } from '../assign.ts';
import { calibrate } from '../calibrate.ts';
import { type Quantization, quantizeValues } from '../parameters.ts';
import { openSimulated } from '../simulate.ts';
import { openIntegers } from './open.ts';
import { computeBetweenPairs, quantizeLinear } from './testing/onnx-reference.ts';
import { computeNode, type Image } from './testing/reference.ts';

before(() => tf.setBackend('jit'));

const IMAGES = 3;

function imagesFor({ name, classes, preprocessing, input }: InferenceGraph, seed: number, count = IMAGES) {
  const info = { format: 'residual/1', architecture: name, classes, preprocessing } as const;
  const { bytes, normalised } = picturesFor(info, count, seed);
  return input.range === 'bytes' ? Float32Array.from(bytes) : normalised;
}

interface FileOptions extends AssignOptions {
  readonly profile?: QuantizationProfile;
}

/** The file, and what is read of it. */
async function written(graph: InferenceGraph, { profile = 'cpu', ...options }: FileOptions = {}) {
  const ranges = await calibrate(graph, [imagesFor(graph, 3, 16)]);
  const quantization = assignQuantization(graph, ranges, { scheme: schemeOf(profile), ...options });
  const type = graph.input.range === 'bytes' ? 'uint8' : 'float32';
  const bytes = writeOnnx(graph, { precision: 'int8', profile, quantization, type });
  const raised = raiseOnnx(decodeOnnx(bytes, 'test.onnx'), 'test.onnx');
  assert.ok(raised.quantization);
  return { bytes, graph: raised.graph, quantization: raised.quantization };
}

/**
 * How near to a half a number lies, in steps of the scale, where single precision may round it to the other side. The
 * most is lost by means of nine numbers: eight sums of up to 9 · 255 steps, each off by 2⁻¹³, over nine.
 */
const NEARLY_HALF = 2 ** -12;

/** Holds every value that is integers against the reference. @returns operations that were looked at, and how many integers of which node differ, by 1 */
async function checkNodes(graph: InferenceGraph, quantization: Quantization) {
  const running = openIntegers(graph, quantization);
  assert.ok(running, 'the kernels can compute it');
  const given = imagesFor(graph, 5);
  const names = [graph.input.name, ...graph.nodes.map(({ output }) => output)];
  const values = await running.run(given, names);
  running.dispose();
  const shapes = shapesOf(graph);
  const imageOf = (name: string, image: number): Image => {
    const all = values.get(name) as Float32Array;
    const length = all.length / IMAGES;
    const floats = all.subarray(image * length, (image + 1) * length);
    return { shape: shapes.get(name) ?? [], values: quantizeValues(floats, quantization.values[name]) };
  };
  const seen = new Set<string>();
  const differing = new Map<string, number>();
  const near = (received: Int8Array, { values: expected, fromHalf }: ReturnType<typeof quantizeLinear>, of: string) => {
    expected.forEach((value, i) => {
      if (received[i] === value) return;
      differing.set(of, (differing.get(of) ?? 0) + 1);
      assert.equal(Math.abs(received[i] - value), 1, of);
      assert.ok(fromHalf[i] < NEARLY_HALF, `${of}: ${received[i]} for ${value}, ${fromHalf[i]} from a half`);
    });
  };
  for (let image = 0; image < IMAGES; image++) {
    const { name } = graph.input;
    if (quantization.values[name]) {
      const length = given.length / IMAGES;
      const own = Float64Array.from(given.subarray(image * length, (image + 1) * length));
      near(imageOf(name, image).values, quantizeLinear(own, quantization.values[name]), name);
    }
    for (const node of graph.nodes) {
      if (quantization.float.has(node.name)) continue;
      seen.add(node.op);
      const inputs = node.inputs.map((one) => imageOf(one, image));
      const received = imageOf(node.output, image).values;
      const exact = movesOnly(node) && node.op !== 'averagePool';
      if (exact) assert.deepEqual(received, computeNode(node, inputs, quantization), node.name);
      else near(received, computeBetweenPairs(node, inputs, quantization), node.name);
    }
  }
  return { seen, differing };
}

for (const range of ['normalised', 'bytes'] as const) {
  for (const options of [{}, { granularity: 'per-tensor', bits: 7 }] as const) {
    test(`every operation: ${range}, ${JSON.stringify(options)}`, async () => {
      const { graph, quantization } = await written(everyOp(range), options);
      const { seen, differing } = await checkNodes(graph, quantization);
      const all = ['conv2d', 'depthwiseConv2d', 'dense', 'add', 'mul', 'maxPool', 'averagePool', 'globalAveragePool'];
      assert.deepEqual(
        [...all, 'sigmoid', 'relu', 'relu6', 'pad', 'reshape', 'concat'].filter((op) => !seen.has(op)),
        [],
      );
      // Means of few integers are often just a half: what sums in single precision make of it is ONNX Runtime's answer too.
      differing.delete('uncounted');
      assert.deepEqual([...differing], []);
    });
  }
}

test('a ResNet18, for ONNX Runtime and for TensorRT', async () => {
  const model = pretendTrained(resnet18({ inputShape: [33, 29, 3], classes: 5, stem: 'imagenet', width: 8 }));
  const plain = await inferenceGraph(model, infoFor(model), { softmax: 'drop' });
  model.dispose();
  for (const profile of ['cpu', 'tensorrt'] as const) {
    const { bytes, graph, quantization } = await written(plain, { profile });
    const { differing } = await checkNodes(graph, quantization);
    assert.deepEqual([...differing], []);
    const images = imagesFor(graph, 6);
    const own = await onnxFormat.read?.([{ path: 'test.onnx', bytes }]);
    assert.ok(own);
    const simulated = openSimulated(graph, quantization);
    const [a, b] = await Promise.all(
      [own, simulated].map(async (running) => (await running.run(images)).get('output') as Float32Array),
    );
    // A number that is rounded to the other side changes those after it.
    assert.ok(distance(b, a) < 0.02, `${profile}: ${distance(b, a)}`);
    const integers = openIntegers(graph, quantization);
    assert.deepEqual((await integers?.run(images))?.get('output'), a, 'the format opens integers');
    for (const one of [own, simulated, integers]) one?.dispose();
  }
});

test('a value is rounded where the file says so, also between layers in floats', async () => {
  const { graph, quantization } = await written(everyOp());
  // The last layer gives floats, and the map before it is computed in floats.
  assert.ok(['flatNorm', 'fc'].every((name) => quantization.float.has(name)));
  const value = graph.nodes.find(({ name }) => name === 'fc')?.inputs[0] ?? '';
  const { scale } = quantization.values[value];
  for (const running of [openIntegers(graph, quantization), openSimulated(graph, quantization)]) {
    const floats = (await running?.run(imagesFor(graph, 5), [value]))?.get(value) ?? [];
    running?.dispose();
    assert.ok(floats.length > 0);
    for (const one of floats) assert.ok(Math.abs(one / scale - Math.round(one / scale)) < 1e-3, `${one / scale}`);
  }
});

test('what integer kernels do not know is left to floats that are rounded', async () => {
  const { graph, quantization } = await written(everyOp());
  const { joined } = quantization.values;
  const values = { ...quantization.values, joined: { ...joined, scale: joined.scale * 1.5 } };
  assert.equal(openIntegers(graph, { ...quantization, values }), undefined, 'joined values of two scales');
  const large = { ...quantization.values, depthwise: { ...quantization.values.depthwise, scale: 1e-12 } };
  assert.equal(openIntegers(graph, { ...quantization, values: large }), undefined, 'sums beyond 32 bits');
});
