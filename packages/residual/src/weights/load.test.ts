/** Loading weights: files of other frameworks give their logits, and whatever does not fit is said. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { preprocessingOf } from '../models/preprocessing.ts';
import { resnet, resnet18 } from '../models/resnet.ts';
import { WeightsError } from './errors.ts';
import { loadWeights } from './load.ts';
import { readOnnx } from './onnx/onnx.ts';
import { readPyTorch } from './pytorch/index.ts';
import { reportLines } from './report.ts';
import { readSafetensors } from './safetensors.ts';
import type { WeightFile } from './tensor.ts';
import { kerasFile, torchFile } from './testing/memory-file.ts';
import { outputsFor, relativeError } from './testing/pictures.ts';
import { openTorch, torchExpected } from './testing/torch-fixtures.ts';

await tf.setBackend('cpu');

const { classes, networks } = torchExpected;

function torchModel(size: number, width: number) {
  return resnet18({ inputShape: [size, size, 3], classes, width, stem: 'imagenet', activation: 'linear', seed: 3 });
}

for (const size of [32, 64]) {
  test(`a safetensors file of PyTorch gives its logits at ${size} pixels, and every tensor is accounted for`, async () => {
    const { width, logits } = networks.resnet18;
    const file = await openTorch('resnet18.safetensors', readSafetensors);
    const model = torchModel(size, width);
    const report = await loadWeights(model, file);
    assert.ok(relativeError(outputsFor(model, 2), logits[size] ?? []) < 1e-5);
    assert.equal(report.map, 'torchvision');
    assert.equal(report.loaded.length, model.weights.length);
    assert.deepEqual(
      [report.missing, report.leftOver, report.cautions, report.adjusted, report.made],
      [[], [], [], [], []],
    );
    assert.equal(report.loaded.length + report.ignored.length, file.tensors.length);
    assert.ok(report.ignored.every(({ name }) => name.endsWith('num_batches_tracked')));
  });
}

test('a .pth file of PyTorch gives its logits', async () => {
  const { width, logits } = networks.resnet18;
  const file = await openTorch('resnet18.pth', readPyTorch);
  for (const size of [32, 64]) {
    const model = torchModel(size, width);
    const report = await loadWeights(model, file);
    assert.ok(relativeError(outputsFor(model, 2), logits[size] ?? []) < 1e-5);
    assert.deepEqual(report.leftOver, []);
  }
});

test("a bottleneck network within a training checkpoint gives PyTorch's logits", async () => {
  const { width, logits } = networks.cifar50;
  const file = await openTorch('cifar50.pth', readPyTorch);
  const options = { inputShape: [32, 32, 3], classes, width, activation: 'linear' } as const;
  const model = resnet('resnet50', options);
  const report = await loadWeights(model, file);
  assert.ok(relativeError(outputsFor(model, 2), logits[32] ?? []) < 1e-5);
  assert.deepEqual(report.leftOver, []);
});

for (const kind of ['folded', 'plain']) {
  test(`an ONNX file with batch normalisation ${kind} gives PyTorch's logits`, async () => {
    const { width, logits } = networks.narrow;
    const file = await openTorch(`narrow-${kind}.onnx`, readOnnx);
    const model = torchModel(64, width);
    const report = await loadWeights(model, file);
    assert.ok(relativeError(outputsFor(model, 2), logits[64] ?? []) < 1e-5);
    assert.equal(report.map, kind === 'folded' ? 'onnx' : 'torchvision');
    assert.deepEqual(report.leftOver, []);
    assert.equal(report.made.length, kind === 'folded' ? 1 : 0);
  });
}

test('in a network with biases and another ε, the biases are 0, the ε is made up for, and the padding is cautioned of', async () => {
  const { width, logits } = networks.resnet18;
  const file = await openTorch('resnet18.safetensors', readSafetensors);
  // At odd sizes SAME pads alike on both sides, so that the result must be PyTorch's in this convention too.
  const options = { classes, width, stem: 'imagenet', activation: 'linear' } as const;
  const torch = resnet18({ inputShape: [33, 33, 3], ...options });
  const keras = resnet18({ inputShape: [33, 33, 3], ...options, convention: 'keras' });
  await loadWeights(torch, file);
  const report = await loadWeights(keras, file);
  assert.ok(relativeError(outputsFor(keras, 2), outputsFor(torch, 2)) < 1e-5);
  assert.match(report.made.join(), /^20 biases of convolutions/);
  assert.match(report.adjusted.join(), /made up for in 20 batch normalisations/);
  const even = resnet18({ inputShape: [64, 64, 3], ...options, convention: 'keras' });
  const { cautions } = await loadWeights(even, file);
  assert.match(cautions.join(), /SAME.*convention: 'torchvision'/);
  assert.ok(relativeError(outputsFor(even, 2), logits[64] ?? []) > 1e-3);
});

test("other classes keep the model's own classifier, which is said; require refuses", async () => {
  const { width } = networks.resnet18;
  const file = await openTorch('resnet18.safetensors', readSafetensors);
  const model = resnet18({ inputShape: [32, 32, 3], classes: 7, width, stem: 'imagenet' });
  const before = model.getLayer('fc').getWeights()[0]?.arraySync();
  const report = await loadWeights(model, file);
  assert.deepEqual(model.getLayer('fc').getWeights()[0]?.arraySync(), before);
  assert.deepEqual(
    report.missing.map(({ layer, role }) => `${layer}/${role}`),
    ['fc/kernel', 'fc/bias'],
  );
  assert.deepEqual(report.leftOver.map(({ name }) => name).sort(), ['fc.bias', 'fc.weight']);
  assert.match(
    reportLines(report).join('\n'),
    /fc\/kernel keeps its own start \(fc\.weight must be \[7, 32\], is \[5, 32\]\)/,
  );
  await assert.rejects(
    loadWeights(model, file, { head: 'require' }),
    /fc\.weight must be \[7, 32\], is \[5, 32\].*head: 'keep'/,
  );
  const same = resnet18({ inputShape: [32, 32, 3], classes, width, stem: 'imagenet' });
  assert.equal((await loadWeights(same, file, { head: 'keep' })).missing.length, 2);
});

test('what does not fit is answered with the nearest map, the first mismatches, and what helps', async () => {
  const file = await openTorch('resnet18.safetensors', readSafetensors);
  const width = 4;
  const rejects = (options: Parameters<typeof resnet18>[0], pattern: RegExp) =>
    assert.rejects(loadWeights(resnet18(options), file), (error: Error) => {
      assert.ok(error instanceof WeightsError);
      assert.match(error.message, pattern);
      assert.ok(!error.message.includes('\n'));
      return true;
    });
  await rejects(
    { inputShape: [32, 32, 3], classes, width: 8, stem: 'imagenet' },
    /^resnet18\.safetensors: does not fit resnet18: nearest are the names of torchvision.*: conv1\.weight must be \[8, 3, 7, 7\], is \[4, 3, 7, 7\], bn1\.weight must be .*and \d+ more$/,
  );
  await rejects({ inputShape: [32, 32, 3], classes, width }, /is \[4, 3, 7, 7\]; .*stem: 'imagenet'$/);
  await rejects({ inputShape: [32, 32, 1], classes, width, stem: 'imagenet' }, /channels: 'adapt'/);
  // In Keras's layout too, where a kernel's shape begins with its size.
  const keras = kerasFile(
    resnet18({ inputShape: [64, 64, 3], classes, width: 7 }),
    (layer, role) => `${layer}/${role}`,
  );
  const seven = resnet18({ inputShape: [64, 64, 3], classes, width: 7, stem: 'imagenet' });
  await assert.rejects(loadWeights(seven, keras), /first convolution is 3×3: .*stem: 'cifar'$/);
  const names = renamed(file, (name) => `x_${name.length}_${name}`.replaceAll('.', '-'));
  await assert.rejects(loadWeights(torchModel(32, width), names), /are of no origin that is known/);
});

test('a file of a deeper network is refused, though it has all that is needed', async () => {
  const deep = resnet('resnet34', { inputShape: [32, 32, 3], classes, width: 2 });
  const names: Record<string, string> = {
    kernel: 'weight',
    gamma: 'weight',
    beta: 'bias',
    moving_mean: 'running_mean',
    moving_variance: 'running_var',
  };
  const torch = torchFile(deep, (layer, role) => `${layer}.${names[role] ?? role}`);
  const small = resnet18({ inputShape: [32, 32, 3], classes, width: 2 });
  await assert.rejects(
    loadWeights(small, torch),
    /is of a deeper network than resnet18: 16 .* layer1\.2\.conv1\.weight$/,
  );
});

test('a grey picture gives what it gave in three channels', async () => {
  const { width } = networks.resnet18;
  const file = await openTorch('resnet18.safetensors', readSafetensors);
  const grey = resnet18({ inputShape: [32, 32, 1], classes, width, stem: 'imagenet', activation: 'linear' });
  const colour = torchModel(32, width);
  const { adjusted } = await loadWeights(grey, file, { channels: 'adapt' });
  await loadWeights(colour, file);
  assert.match(adjusted.join(), /sum of its 3 channels/);
  const images = tf.randomUniform([2, 32, 32, 1], 0, 1, 'float32', 5);
  const [one, three] = [grey.predict(images), colour.predict(tf.tile(images, [1, 1, 1, 3]))] as tf.Tensor2D[];
  assert.ok(relativeError(one?.arraySync() ?? [], three?.arraySync() ?? []) < 1e-5);
});

test('the normalisation that a file speaks of travels with the model', async () => {
  const file = await openTorch('resnet18.safetensors', readSafetensors);
  const model = torchModel(32, 4);
  await loadWeights(model, file);
  assert.equal(preprocessingOf(model), undefined);
  const preprocessing = { inputShape: [32, 32, 3], resize: 'cover', mean: [0.1, 0.2, 0.3], std: [1, 2, 3] };
  await loadWeights(model, { ...file, metadata: { residual: JSON.stringify({ preprocessing }) } });
  assert.deepEqual(preprocessingOf(model), { mean: [0.1, 0.2, 0.3], std: [1, 2, 3], resize: 'cover' });
  assert.match(JSON.stringify(model.getUserDefinedMetadata()), /0\.2/);
});

test('a file that breaks while it is read is a WeightsError', async () => {
  const file = await openTorch('resnet18.safetensors', readSafetensors);
  const tensors = file.tensors.map((tensor) => ({ ...tensor, read: async () => new Float32Array(3) }));
  await assert.rejects(loadWeights(torchModel(32, 4), { ...file, tensors }), /must have \d+ values .* has 3$/);
});

function renamed(file: WeightFile, rename: (name: string) => string): WeightFile {
  return { ...file, tensors: file.tensors.map((tensor) => ({ ...tensor, name: rename(tensor.name) })) };
}
