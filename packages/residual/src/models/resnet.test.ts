import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { ModelError } from './errors.ts';
import { createModel } from './registry.ts';
import { type ResNetOptions, resnet18, stemFor } from './resnet.ts';

const count = (weights: readonly { readonly shape: readonly (number | null)[] }[]) =>
  weights.reduce((sum, { shape }) => sum + shape.reduce<number>((size, n) => size * (n ?? 0), 1), 0);

/** Builds, looks, and frees: these models are large. */
function withModel<T>(model: LayersModel, look: (model: LayersModel) => T): T {
  try {
    return look(model);
  } finally {
    model.dispose();
  }
}

const imagenet: ResNetOptions = { inputShape: [224, 224, 3], classes: 1000 };

test('parameter counts are those that torchvision publishes', () => {
  for (const [name, expected] of [
    ['resnet18', 11_689_512],
    ['resnet34', 21_797_672],
    ['resnet50', 25_557_032],
  ] as const) {
    const trainable = withModel(createModel(name, imagenet), (model) => count(model.trainableWeights));
    assert.equal(trainable, expected, name);
  }
});

test('the keras convention has the parameters of the code it copies, counted by hand', () => {
  const conv = (kernel: number, from: number, to: number) => kernel * kernel * from * to + to;
  const norm = (channels: number) => 2 * channels;
  const block = (from: number, to: number) =>
    conv(3, from, to) + norm(to) + conv(3, to, to) + norm(to) + (from === to ? 0 : conv(1, from, to) + norm(to));
  const stages = [64, 128, 256, 512].map((to, i) => block(i === 0 ? 64 : to / 2, to) + block(to, to));
  const stem = conv(7, 3, 64) + norm(64);
  const expected = stem + stages.reduce((a, b) => a + b) + 512 * 1000 + 1000;
  assert.equal(expected, 11_694_312);
  withModel(resnet18({ ...imagenet, convention: 'keras' }), (model) => {
    assert.equal(count(model.trainableWeights), expected);
    // Keras counts the moving averages too: a mean and a variance for each of 4,800 channels.
    assert.equal(model.countParams(), expected + 9_600);
  });
});

test('both conventions shrink a picture alike, odd sizes included', () => {
  for (const convention of ['torchvision', 'keras'] as const) {
    for (const [size, last] of [
      [224, 7],
      [225, 8],
      [33, 2],
    ] as const) {
      const options = { inputShape: [size, size, 1], classes: 2, width: 2, stem: 'imagenet', convention } as const;
      const shape = withModel(resnet18(options), (model) => model.getLayer('layer4.1.relu2').outputShape);
      assert.deepEqual(shape, [null, last, last, 16], `${convention} ${size}`);
    }
  }
});

test('the stem follows the size of the pictures unless it is named', () => {
  assert.equal(stemFor([64, 64, 3]), 'cifar');
  assert.equal(stemFor([32, 65, 3]), 'imagenet');
  const names = (options: ResNetOptions) =>
    withModel(resnet18(options), (model) => model.layers.map(({ name }) => name));
  const small = { inputShape: [28, 28, 1], classes: 10, width: 4 } as const;
  assert.ok(!names(small).includes('maxpool'));
  assert.ok(names({ ...small, stem: 'imagenet' }).includes('maxpool'));
});

test('layers carry the names of torchvision', () => {
  withModel(resnet18({ inputShape: [8, 8, 3], classes: 2, width: 2 }), (model) => {
    const withWeights = model.layers.filter(({ weights }) => weights.length > 0).map(({ name }) => name);
    assert.equal(withWeights.length, 20 + 20 + 1);
    for (const name of ['conv1', 'bn1', 'layer2.0.conv1', 'layer2.0.bn2', 'layer4.0.downsample.1', 'fc']) {
      assert.ok(withWeights.includes(name), name);
    }
  });
});

test('the same seed gives the same weights, another seed others', async () => {
  const read = async (seed: number) => {
    const model = resnet18({ inputShape: [8, 8, 3], classes: 2, width: 4, seed });
    const values = await Promise.all(model.getWeights().map((weight) => weight.data()));
    model.dispose();
    return values;
  };
  const [a, b, c] = [await read(7), await read(7), await read(8)];
  assert.deepEqual(a, b);
  assert.notDeepEqual(a, c);
});

test('convolutions start with the spread of He by fan-out, and by fan-in in the keras convention', () => {
  for (const [convention, fan] of [
    ['torchvision', 9 * 64],
    ['keras', 9 * 32],
  ] as const) {
    withModel(resnet18({ inputShape: [8, 8, 3], classes: 2, width: 32, convention }), (model) => {
      const kernel = model.getLayer('layer2.0.conv1').getWeights()[0];
      assert.deepEqual(kernel?.shape, [3, 3, 32, 64]);
      const { mean, variance } = tf.moments(kernel);
      const expected = 2 / fan;
      assert.ok(Math.abs(variance.arraySync() as number) / expected < 1.05);
      assert.ok(Math.abs(variance.arraySync() as number) / expected > 0.95);
      assert.ok(Math.abs(mean.arraySync() as number) < 0.05 * Math.sqrt(expected));
    });
  }
});

test('with zero-initialised residuals each block begins as the identity', () => {
  const options = { inputShape: [8, 8, 3], classes: 2, width: 4, zeroInitResidual: true } as const;
  withModel(resnet18(options), (model) => {
    const gamma = (name: string) => Array.from(model.getLayer(name).getWeights()[0]?.dataSync() ?? []);
    assert.deepEqual(gamma('layer1.0.bn1'), [1, 1, 1, 1]);
    assert.deepEqual(gamma('layer1.0.bn2'), [0, 0, 0, 0]);
  });
});

test('the network as a whole: every gradient of a small one agrees with finite differences', () => {
  const model = resnet18({ inputShape: [16, 16, 1], classes: 3, width: 4, stem: 'imagenet', seed: 3 });
  const x = tf.randomNormal([8, 16, 16, 1], 0, 1, 'float32', 5);
  const direction = tf.randomNormal([8, 3], 0, 1, 'float32', 6);
  // The softmax's probabilities weighted at random; the moving averages are left to drift, nothing here reads them.
  const loss = () =>
    tf.tidy(() => tf.sum(tf.mul(model.apply(x, { training: true }) as tf.Tensor, direction)) as tf.Scalar);
  const variables = model.trainableWeights.map((weight) => weight.read() as unknown as tf.Variable);
  const { grads } = tf.variableGrads(loss, variables);
  let checked = 0;
  for (const variable of variables) {
    const gradient = grads[variable.name];
    assert.ok(gradient, variable.name);
    // A step along the gradient must change the loss by step · |gradient|².
    const squared = tf.tidy(() => tf.sum(tf.square(gradient)).dataSync()[0] ?? 0);
    if (squared < 1e-6) continue;
    checked++;
    const step = 2e-4 / Math.sqrt(squared);
    const start = variable.clone();
    const at = (size: number) =>
      tf.tidy(() => {
        variable.assign(tf.add(start, tf.mul(gradient, size)));
        return loss().dataSync()[0] ?? 0;
      });
    const slope = (at(step) - at(-step)) / (2 * step);
    variable.assign(start);
    assert.ok(Math.abs(slope / squared - 1) < 0.1, `${variable.name}: ${slope} for ${squared}`);
  }
  assert.ok(checked > 0.9 * variables.length, `${checked} of ${variables.length}`);
  model.dispose();
});

test('impossible options end in one clear line', () => {
  const options: ResNetOptions = { inputShape: [8, 8, 3], classes: 2 };
  const fails = (make: () => unknown, message: RegExp) =>
    assert.throws(make, (error) => error instanceof ModelError && message.test(error.message));
  fails(() => createModel('resnet19', options), /no model is called 'resnet19'; there are resnet18, resnet34/);
  fails(() => resnet18({ ...options, classes: 0 }), /classes must be a whole number from 1 up, received 0/);
  fails(() => resnet18({ ...options, inputShape: [8, 8] as never }), /inputShape must be .* received \[8,8\]/);
  fails(() => resnet18({ ...options, stem: 'vgg' as never }), /stem must be 'imagenet' or 'cifar', received "vgg"/);
});
