/** What is written with torchvision's names comes back bit for bit. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { resnet } from '../models/resnet.ts';
import { WeightsError } from './errors.ts';
import { loadWeights } from './load.ts';
import { openWeights } from './open.ts';
import { safetensors } from './safetensors-writer.ts';
import { torchState } from './torch-state.ts';

await tf.setBackend('cpu');

for (const convention of ['torchvision', 'keras'] as const) {
  test(`a network of the ${convention} convention is written and read back bit for bit`, async () => {
    const options = { inputShape: [64, 64, 3], classes: 5, width: 4, stem: 'imagenet', convention } as const;
    const model = resnet('resnet50', { ...options, seed: 1 });
    // Averages and scales as training leaves them: none is 0 or 1.
    for (const layer of model.layers) {
      layer.setWeights(layer.getWeights().map((w, i) => tf.add(w, tf.randomUniform(w.shape, 0.1, 0.9, 'float32', i))));
    }
    const { tensors, metadata } = await torchState(model);
    const stem = tensors.find(({ name }) => name === 'conv1.weight');
    assert.deepEqual(stem?.shape, [4, 3, 7, 7]);
    const names = tensors.map(({ name }) => name);
    for (const name of ['bn1.running_var', 'layer1.0.downsample.0.weight', 'layer4.2.conv3.weight', 'fc.bias']) {
      assert.ok(names.includes(name), name);
    }
    const other = resnet('resnet50', { ...options, seed: 2 });
    const file = await openWeights(new Blob([...safetensors(tensors, { metadata })]));
    const report = await loadWeights(other, file);
    assert.equal(report.loaded.length, model.weights.length);
    assert.deepEqual([report.adjusted, report.cautions, report.leftOver], [[], [], []]);
    for (const [i, { originalName }] of model.weights.entries()) {
      const [a, b] = [model, other].map((m) => m.weights[i]?.read().dataSync() as Float32Array);
      assert.deepEqual(b, a, originalName);
    }
    await file.close();
  });
}

test('a layer that PyTorch has no name for is told', async () => {
  const model = tfl.sequential({ layers: [tfl.layers.prelu({ inputShape: [3], name: 'bend' })] });
  await assert.rejects(
    torchState(model),
    (error) => error instanceof WeightsError && /layer bend.*PReLU/.test(error.message),
  );
});
