import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import 'tfjs-backend-jit';
import { Random } from '../../data/random.ts';
import { resnet } from '../../models/resnet.ts';
import type { ExportFile, ExportFormat, ExportRequest } from '../format.ts';
import { inferenceGraph } from '../graph/from-model.ts';
import { runGraph } from '../graph/run.ts';
import { distance, infoFor, picturesFor, predicted, pretendTrained } from '../graph/testing.ts';
import { softmaxRows } from '../measure.ts';
import { otherOperators, paddedMaximum } from '../tensorflow/testing.ts';
import { tfjsFormat } from './format.ts';
import { tfjsLayersFormat } from './layers-format.ts';
import { readTfjsGraph } from './read.ts';
import { openGraphModel } from './runtime.ts';
import { storeWeights, type WeightStorage } from './stored-weights.ts';
import { writeTfjs } from './write.ts';

before(() => tf.setBackend('jit'));

const torchvision = (activation: 'linear' | 'softmax' = 'linear') =>
  pretendTrained(resnet('resnet18', { inputShape: [33, 29, 3], classes: 5, width: 4, stem: 'imagenet', activation }));

const asked = (model: LayersModel, rest: Partial<ExportRequest> = {}): ExportRequest => ({
  ...{
    model,
    info: infoFor(model),
    precision: 'float32',
    softmax: 'keep',
    input: 'float32',
    version: '1.2.3',
    ...rest,
  },
});

/** How far TF.js is from `expected`, and our own reader from TF.js. */
async function apart(format: ExportFormat, request: ExportRequest, expected?: Float32Array) {
  const { model, info, input } = request;
  const { bytes, normalised } = picturesFor(info, 3);
  const files = await format.write(request);
  assert.ok(format.recognises(files));
  const file = await format.open(files);
  assert.deepEqual(file.info.classes, info.classes);
  assert.deepEqual(file.info.preprocessing.mean, info.preprocessing.mean);
  const images = input === 'uint8' ? Float32Array.from(bytes) : normalised;
  const three = await file.run(images, 3);
  const one = await file.run(images.subarray(0, images.length / 3), 1);
  await file.close();
  const running = await format.read?.(files);
  assert.ok(running);
  const own = (await running.run(images)).get(running.graph.output) ?? [];
  running.dispose();
  assert.deepEqual([running.graph.gives, running.graph.classes], [file.info.gives, info.classes]);
  assert.ok(distance(three.subarray(0, one.length), one) < 1e-5);
  const model3 = expected ?? (await predicted(model, normalised));
  return { runtime: distance(model3, three), own: distance(three, own), info: file.info };
}

const nets = [
  ['resnet18', { inputShape: [33, 29, 3], classes: 5, width: 4, stem: 'imagenet', convention: 'torchvision' }],
  ['resnet18', { inputShape: [33, 30, 3], classes: 5, width: 4, stem: 'imagenet', convention: 'keras' }],
  ['resnet18', { inputShape: [15, 16, 1], classes: 3, width: 4, stem: 'cifar', convention: 'keras' }],
] as const;

for (const [variant, options] of nets) {
  test(`${variant}, ${options.convention}, ${options.stem} stem: TF.js gives the model's logits`, async () => {
    const model = pretendTrained(resnet(variant, { ...options, activation: 'linear' }));
    for (const format of [tfjsFormat, tfjsLayersFormat]) {
      const { runtime, own } = await apart(format, asked(model));
      assert.ok(runtime < 1e-4 && own < 1e-4, `${format.name}: ${runtime}, ${own}`);
    }
  });
}

test('every operator, pictures of bytes, and a maximum padded with what never wins', async () => {
  for (const input of ['float32', 'uint8'] as const) {
    const { runtime, own } = await apart(tfjsFormat, asked(otherOperators(), { input }));
    assert.ok(runtime < 1e-4 && own < 1e-4, `${runtime}, ${own}`);
  }
  const graph = paddedMaximum();
  const images = Float32Array.from({ length: 72 }, (_, i) => Math.sin(i));
  const expected = await runGraph(graph, images);
  const files = writeTfjs(graph);
  const file = await openGraphModel(files);
  assert.ok(distance(expected, await file.run(images, 1)) < 1e-5);
  const raised = await readTfjsGraph(files);
  const paddings = [graph, raised].map(({ nodes }) => nodes.map((node) => 'padding' in node && node.padding));
  assert.deepEqual(paddings[1], paddings[0]);
  assert.ok(distance(expected, await runGraph(raised, images)) < 1e-5);
});

test('the softmax is kept, dropped and added, in both kinds of model', async () => {
  const plain = torchvision();
  const withSoftmax = torchvision('softmax');
  const logits = await predicted(plain, picturesFor(infoFor(plain), 3).normalised);
  const probabilities = softmaxRows(logits, 5);
  for (const format of [tfjsFormat, tfjsLayersFormat]) {
    const cases = [
      [plain, 'add', probabilities, 'probabilities'],
      [plain, 'drop', logits, 'logits'],
      [withSoftmax, 'keep', probabilities, 'probabilities'],
      [withSoftmax, 'drop', logits, 'logits'],
    ] as const;
    for (const [model, softmax, expected, gives] of cases) {
      const { runtime, own, info } = await apart(format, asked(model, { softmax }), expected);
      assert.ok(runtime < 1e-4 && own < 1e-4, `${format.name}, ${softmax}: ${runtime}, ${own}`);
      assert.equal(info.gives, gives);
    }
  }
});

test('smaller weights: half and a quarter of the bytes, near the model, and read back as TF.js reads them', async () => {
  const model = torchvision();
  const sizes: number[] = [];
  for (const format of [tfjsFormat, tfjsLayersFormat]) {
    const limits = { float32: 1e-5, float16: 5e-3, dynamic: 0.1 } as const;
    for (const [precision, limit] of Object.entries(limits) as [keyof typeof limits, number][]) {
      const { runtime, own, info } = await apart(format, asked(model, { precision }));
      assert.ok(runtime < limit && own < 1e-5, `${format.name} ${precision}: ${runtime}, ${own}`);
      assert.ok(precision === 'float32' || runtime > 1e-6, 'rounded');
      assert.equal(info.precision, precision);
      const files = await format.write(asked(model, { precision }));
      sizes.push(files.reduce((sum, { path, bytes }) => (path.endsWith('.bin') ? sum + bytes.length : sum), 0));
    }
  }
  const [full = 0, half = 0, quarter = 0] = sizes;
  assert.ok(half < 0.52 * full && quarter < 0.28 * full, `${sizes}`);
});

test('weights of one scale keep their zeros, hold every number to half a step, and are cut at 4 MB', () => {
  const random = Random.at(5);
  const values = Float32Array.from({ length: 1_200_000 }, (_, i) => (i % 3 === 0 ? 0 : random.uniform(-0.3, 0.7)));
  const weight = { name: 'w', shape: [1_200_000], values, roundable: true };
  for (const storage of ['uint8', 'uint16', 'float16', 'float32'] satisfies WeightStorage[]) {
    const { manifest, files } = storeWeights([weight], storage);
    const [group] = manifest;
    assert.ok(group);
    const lengths = files.map(({ bytes }) => bytes.length);
    assert.ok(lengths.slice(0, -1).every((length) => length === 4 * 2 ** 20));
    assert.deepEqual(
      files.map(({ path }) => path),
      group.paths,
    );
    const joined = Uint8Array.from(Buffer.concat(files.map(({ bytes }) => bytes)));
    const { w } = tf.io.decodeWeights(
      joined.buffer,
      structuredClone(group.weights) as unknown as tf.io.WeightsManifestEntry[],
    );
    const read = w?.dataSync() ?? [];
    const step = { uint8: 1 / 255, uint16: 1 / 65535, float16: 2 ** -11, float32: 0 }[storage];
    let worst = 0;
    for (let i = 0; i < values.length; i++)
      worst = Math.max(worst, Math.abs((read[i] ?? Number.NaN) - (values[i] ?? 0)));
    assert.ok(worst <= 0.501 * step + 1e-9, `${storage}: ${worst}`);
    assert.equal(read[3], 0);
    w?.dispose();
  }
  const constant = storeWeights([{ name: 'c', shape: [2], values: Float32Array.of(0, 0), roundable: true }], 'uint8');
  assert.deepEqual(constant.manifest[0]?.weights[0]?.quantization, {
    dtype: 'uint8',
    min: 0,
    scale: 1,
    original_dtype: 'float32',
  });
});

test('a graph model is the operators of an inference graph, fused, with labels and preprocessing', async () => {
  const model = resnet('resnet18', {
    inputShape: [32, 32, 3],
    classes: 5,
    width: 4,
    stem: 'imagenet',
    activation: 'linear',
  });
  const info = infoFor(model);
  const files = writeTfjs(await inferenceGraph(model, info), { version: '1.2.3' });
  const json = jsonOf(files);
  assert.equal(json.format, 'graph-model');
  assert.equal(json.generatedBy, 'residual 1.2.3');
  const counts: Record<string, number> = {};
  for (const { op } of json.modelTopology.node) if (op !== 'Const') counts[op] = (counts[op] ?? 0) + 1;
  const fused = { _FusedConv2D: 20, _FusedMatMul: 1, AddV2: 8, Relu: 8 };
  // Four strided convolutions and the max-pool pad as PyTorch does.
  assert.deepEqual(counts, { Placeholder: 1, ...fused, Pad: 5, MaxPool: 1, Mean: 1, Identity: 1 });
  const dim = (...sizes: number[]) => ({ dim: sizes.map((size) => ({ size: `${size}` })) });
  assert.deepEqual(json.signature, {
    inputs: { input: { name: 'input:0', dtype: 'DT_FLOAT', tensorShape: dim(-1, 32, 32, 3) } },
    outputs: { output: { name: 'output:0', dtype: 'DT_FLOAT', tensorShape: dim(-1, 5) } },
  });
  const { labels, preprocessing, gives, description } = json.userDefinedMetadata;
  assert.deepEqual(labels, info.classes);
  assert.deepEqual(preprocessing.mean, info.preprocessing.mean);
  assert.equal(gives, 'logits');
  assert.match(description, /^Input \[batch, 32, 32, 3\], RGB: a picture scaled to cover/);
});

test('what cannot be is named, and damage is an error of one line', async () => {
  const model = torchvision();
  const graph = await inferenceGraph(model, infoFor(model));
  assert.throws(
    () => writeTfjs(graph, { type: 'int32' }),
    /needs a graph whose input is 'bytes', received 'normalised'/,
  );
  await assert.rejects(
    tfjsLayersFormat.write(asked(model, { input: 'uint8' })),
    /^ModelError: TF\.js layers model: input must be float32, received uint8$/,
  );
  await assert.rejects(
    tfjsFormat.write(asked(model, { precision: 'int8' })),
    /^ModelError: TF\.js graph model: precision must be float32 or float16 or dynamic, received int8$/,
  );
  const files = await tfjsFormat.write(asked(model));
  const changed = (change: (json: ModelText) => void) => {
    const json = jsonOf(files);
    change(json);
    const bytes = new TextEncoder().encode(JSON.stringify(json));
    return files.map((file) => (file.path.endsWith('model.json') ? { ...file, bytes } : file));
  };
  const conv = (json: ModelText): { op: string; input: string[] } =>
    json.modelTopology.node.find((node: { op: string }) => node.op === '_FusedConv2D');
  const refusals: [readonly ExportFile[], RegExp][] = [
    [files.slice(1), /group1-shard1of1\.bin/],
    [changed((json) => delete json.userDefinedMetadata), /model\.json: does not say its labels and preprocessing/],
    [changed((json) => Object.assign(conv(json), { op: 'Conv3D' })), /node \S+: the operator "Conv3D" is not run/],
    [changed((json) => conv(json).input.splice(0, 1, 'nowhere')), /node \S+: nothing makes its input "nowhere"/],
    [
      changed((json) => conv(json).input.splice(1, 1, 'input')),
      /does not run _FusedConv2D with an input that is computed/,
    ],
    [changed((json) => delete json.signature), /signature must have one input and one output/],
  ];
  for (const [bad, message] of refusals) await assert.rejects(async () => tfjsFormat.read?.(bad), message);
  assert.equal(tfjsFormat.recognises([{ path: 'model.json', bytes: new Uint8Array([60]) }]), false);
  const missing = files.filter(({ path }) => !path.endsWith('.bin'));
  await assert.rejects(tfjsFormat.open(missing), /"group1-shard1of1\.bin" is missing/);
});

// biome-ignore lint/suspicious/noExplicitAny: JSON that a test looks into and damages
type ModelText = any;

function jsonOf(files: readonly ExportFile[]): ModelText {
  return JSON.parse(new TextDecoder().decode(files.find(({ path }) => path.endsWith('model.json'))?.bytes));
}
