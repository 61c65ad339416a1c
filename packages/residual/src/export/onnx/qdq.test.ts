/** Files of integers: what stands where in both profiles, what ONNX Runtime and our own engine make of them. */

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import 'tfjs-backend-jit';
import { resnet } from '../../models/resnet.ts';
import { assignQuantization } from '../../quantize/assign.ts';
import { calibrate } from '../../quantize/calibrate.ts';
import type { Quantization } from '../../quantize/parameters.ts';
import { openQuantized } from '../../quantize/simulate.ts';
import { type GraphOptions, type InferenceGraph, inferenceGraph, runGraph } from '../graph/index.ts';
import { distance, infoFor, picturesFor, pretendTrained } from '../graph/testing.ts';
import { everyOp } from '../tflite/testing.ts';
import { decodeOnnx } from './decode.ts';
import { integersOf, type OnnxModel, type OnnxNode } from './model.ts';
import { type QuantizationProfile, quantizationProfiles, schemeOf } from './placement.ts';
import { raiseOnnx } from './raise.ts';
import { openOnnx } from './runtime.ts';
import { type OnnxOptions, onnxModel, writeOnnx } from './write.ts';

before(() => tf.setBackend('jit'));

/** A network with convolutions, sums, a max-pool and a dense layer. */
async function small(convention: 'torchvision' | 'keras' = 'torchvision', options: GraphOptions = {}) {
  const shape = { inputShape: [33, 29, 3], classes: 5, width: 4, stem: 'imagenet' } as const;
  const model = pretendTrained(resnet('resnet18', { ...shape, convention, activation: 'linear' }));
  const graph = await inferenceGraph(model, infoFor(model), options);
  model.dispose();
  return graph;
}

function imagesFor({ name, classes, preprocessing, input }: InferenceGraph, count: number, seed: number): Float32Array {
  const info = { format: 'residual/1', architecture: name, classes, preprocessing } as const;
  const { bytes, normalised } = picturesFor(info, count, seed);
  return input.range === 'bytes' ? Float32Array.from(bytes) : normalised;
}

async function quantized(
  graph: InferenceGraph,
  profile: QuantizationProfile,
  keepFloat: string[] = [],
): Promise<Quantization> {
  const ranges = await calibrate(graph, [imagesFor(graph, 16, 3)]);
  return assignQuantization(graph, ranges, { scheme: schemeOf(profile), keepFloat });
}

/** ONNX Runtime beside the network in floats and beside our own engine on the same file. */
async function differences(graph: InferenceGraph, options: OnnxOptions) {
  const images = imagesFor(graph, 4, 5);
  const bytes = writeOnnx(graph, { precision: 'int8', ...options });
  const file = await openOnnx(bytes, 'test.onnx');
  const received = await file.run(images, 4);
  await file.close();
  const raised = raiseOnnx(decodeOnnx(bytes, 'test.onnx'), 'test.onnx');
  assert.ok(raised.quantization);
  const own = openQuantized(raised.graph, raised.quantization);
  const answers = (await own.run(images)).get(graph.output) ?? [];
  own.dispose();
  return {
    float: distance(await runGraph(graph, images), received),
    own: distance(answers, received),
    raised: raised.quantization,
  };
}

for (const profile of quantizationProfiles) {
  for (const convention of profile === 'tensorrt8' ? (['keras'] as const) : (['torchvision', 'keras'] as const)) {
    test(`${profile}, padding of ${convention}: ONNX Runtime, the network and our own engine agree`, async () => {
      const graph = await small(convention);
      const quantization = await quantized(graph, profile);
      const { float, own, raised } = await differences(graph, { profile, quantization });
      assert.ok(float > 1e-4 && float < 0.2, `from the network: ${float}`);
      // With integers everywhere every one is ONNX Runtime's. Floats of another order in between round a few elsewhere.
      assert.ok(own < (profile === 'cpu' ? 1e-5 : 0.02), `from our own engine: ${own}`);
      for (const [name, weights] of Object.entries(raised.weights)) {
        assert.deepEqual(weights, quantization.weights[name], name);
        assert.deepEqual(raised.biases[name], quantization.biases[name], name);
      }
      for (const [name, value] of Object.entries(raised.values)) {
        // What stands before the flattening is the graph's value after it.
        const given = quantization.values[name] ?? quantization.values[name.replace(':0', '')];
        assert.deepEqual(value, given, name);
      }
    });
  }

  if (profile === 'tensorrt8') continue;
  test(`${profile}: every operation, pictures of bytes, layers in floats`, async () => {
    for (const range of ['normalised', 'bytes'] as const) {
      const graph = everyOp(range);
      for (const keepFloat of [[], ['conv', 'excite', 'sum', 'narrow']]) {
        const quantization = await quantized(graph, profile, keepFloat);
        const type = range === 'bytes' ? 'uint8' : 'float32';
        const { float, own } = await differences(graph, { profile, quantization, type });
        assert.ok(float < 0.1, `from the network: ${float}`);
        const integers: boolean = profile === 'cpu' && keepFloat.length === 0;
        assert.ok(own < (integers ? 1e-5 : 0.03), `from our own engine: ${own}`);
      }
    }
  });
}

/** Who makes and who reads the tensors of a file. */
function wiring({ nodes, initializers }: OnnxModel) {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  return {
    maker: (name: string | undefined): OnnxNode | undefined => makers.get(name ?? ''),
    readers: (name: string | undefined) => nodes.filter(({ inputs }) => name !== undefined && inputs.includes(name)),
    tensor: (name: string | undefined) => initializers.find((tensor) => tensor.name === name),
    typed: (type: string) => nodes.filter((node) => node.type === type),
  };
}

test('cpu: each operator has a pair on all that it reads and makes, which is what ONNX Runtime fuses', async () => {
  const graph = await small();
  const model = onnxModel(graph, { precision: 'int8', quantization: await quantized(graph, 'cpu') });
  const { maker, readers, tensor, typed } = wiring(model);
  const computing = ['Conv', 'Add', 'MaxPool', 'GlobalAveragePool', 'Gemm'].flatMap(typed);
  assert.equal(computing.length, 20 + 8 + 1 + 1 + 1);
  for (const { name, inputs, outputs } of computing) {
    for (const input of inputs) assert.equal(maker(input)?.type, 'DequantizeLinear', `${name} reads ${input}`);
    const [after] = readers(outputs[0]);
    const last = after?.type === 'Relu' ? readers(after.outputs[0])[0] : after;
    if (outputs[0] !== 'output') assert.equal(last?.type, 'QuantizeLinear', `${name} makes ${outputs[0]}`);
  }
  const conv = typed('Conv')[1];
  const [pixels, weights, bias] = (conv?.inputs ?? []).map((input) => maker(input));
  assert.equal(tensor(pixels?.inputs[2])?.type, 'uint8');
  assert.deepEqual([tensor(weights?.inputs[0])?.type, tensor(weights?.inputs[1])?.dims], ['int8', [4]]);
  assert.equal(tensor(bias?.inputs[0])?.type, 'int32');
  assert.deepEqual(model.outputs, [{ name: 'output', type: 'float32', dims: ['batch', 5] }]);
  assert.deepEqual(model.inputs[0]?.dims, ['batch', 3, 33, 29]);
  assert.deepEqual([model.metadata.precision, model.metadata.profile], ['int8', 'cpu']);
});

test('tensorrt: zero points are 0, biases floats, and one input of each sum comes straight from a convolution', async () => {
  const graph = await small();
  const quantization = await quantized(graph, 'tensorrt');
  const model = onnxModel(graph, { precision: 'int8', quantization, profile: 'tensorrt' });
  const { maker, readers, tensor, typed } = wiring(model);
  for (const { name, type, inputs } of model.nodes) {
    if (type !== 'QuantizeLinear' && type !== 'DequantizeLinear') continue;
    const zeros = tensor(inputs[2]);
    assert.ok(zeros?.type === 'int8' && integersOf(zeros).every((one) => one === 0), name);
    assert.equal(tensor(inputs[1])?.dims.length, tensor(inputs[0]) ? 1 : 0, name);
  }
  for (const { name, inputs } of typed('Add')) {
    assert.deepEqual(inputs.map((input) => maker(input)?.type).sort(), ['Conv', 'DequantizeLinear'], name);
  }
  for (const { name, inputs } of [...typed('Conv'), ...typed('Gemm')]) {
    const types = inputs.map((input) => maker(input)?.type ?? tensor(input)?.type);
    assert.deepEqual(types, ['DequantizeLinear', 'DequantizeLinear', 'float32'], name);
  }
  assert.equal(readers('output').length, 0);
  assert.equal(maker('output')?.type, 'Gemm');
  const old = onnxModel(graph, { precision: 'int8', quantization, profile: 'tensorrt8' });
  const integers = old.initializers.filter(({ type }) => type !== 'float32');
  assert.ok(
    integers.every(({ name, dims }) => name.endsWith('/zero_point') && dims.length < 2),
    'no constant is int8',
  );
  const pairs = wiring(old);
  for (const { inputs } of [...pairs.typed('Conv'), ...pairs.typed('Gemm')]) {
    const quantize = pairs.maker(pairs.maker(inputs[1])?.inputs[0]);
    assert.deepEqual([quantize?.type, pairs.tensor(quantize?.inputs[0])?.type], ['QuantizeLinear', 'float32']);
  }
});

test('every opset, a quarter of the size, one scale for all channels, 7 bits', async () => {
  const graph = await small();
  const ranges = await calibrate(graph, [imagesFor(graph, 16, 3)]);
  const images = imagesFor(graph, 2, 5);
  const quantization = assignQuantization(graph, ranges);
  const answers: Float32Array[] = [];
  for (const opset of [13, 14, 15, 16, 17]) {
    const file = await openOnnx(writeOnnx(graph, { precision: 'int8', quantization, opset }), `${opset}.onnx`);
    answers.push(await file.run(images, 2));
    await file.close();
  }
  for (const one of answers) assert.deepEqual(one, answers[0]);
  const coarse = assignQuantization(graph, ranges, { granularity: 'per-tensor', bits: 7 });
  const { float, own, raised } = await differences(graph, { quantization: coarse });
  assert.ok(float < 0.4 && own < 0.02, `${float} ${own}`);
  assert.ok(raised.weights.conv1?.values.every((one) => Math.abs(one) <= 63));
  const wide = resnet('resnet18', { inputShape: [16, 16, 3], classes: 5, width: 16, stem: 'cifar' });
  const large = await inferenceGraph(pretendTrained(wide), infoFor(wide));
  wide.dispose();
  const full = writeOnnx(large).length;
  for (const profile of ['cpu', 'tensorrt'] as const) {
    const bytes = writeOnnx(large, { precision: 'int8', profile, quantization: await quantized(large, profile) });
    assert.ok(bytes.length < 0.29 * full, `${profile}: ${bytes.length} of ${full}`);
  }
});

test('what cannot be written or read is named', async () => {
  const graph = await small();
  const quantization = await quantized(graph, 'cpu');
  assert.throws(() => writeOnnx(graph, { precision: 'int8' }), /precision 'int8' needs a quantization, received none/);
  assert.throws(
    () => writeOnnx(graph, { precision: 'int8', quantization, profile: 'tensorrt' }),
    /^ModelError: onnx: the profile tensorrt needs zero points of 0 \(scheme 'symmetric'\), \S+ has -?\d+/,
  );
  const model = onnxModel(graph, { precision: 'int8', quantization });
  const initializers = model.initializers.map((tensor) =>
    tensor.name === 'conv1.weight/zero_point' ? { ...tensor, raw: tensor.raw.map(() => 3) } : tensor,
  );
  assert.throws(
    () => raiseOnnx({ ...model, initializers }, 'odd.onnx'),
    /^ModelError: odd\.onnx: node conv1\.weight\/DequantizeLinear: our own engine does not run integers with weights whose/,
  );
});
