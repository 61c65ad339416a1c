/** Files tell which network they are for, and how large it is. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { resnet, resnetVariants } from '../models/resnet.ts';
import { type Identity, identify } from './identify.ts';
import { readFixture } from './keras/testing.ts';
import { readOnnx } from './onnx/onnx.ts';
import { readSafetensors } from './safetensors.ts';
import { kerasFile, memoryFile, tensorOf, torchFile } from './testing/memory-file.ts';
import { openTorch } from './testing/torch-fixtures.ts';

await tf.setBackend('cpu');

const told = ({ fits }: Identity) => fits && { network: fits.architecture, map: fits.map, ...fits.dimensions };

test('a file of PyTorch, one of ONNX with all folded, and those of Keras', async () => {
  const imagenet = { network: 'resnet18', channels: 3, classes: 5, stem: 'imagenet' };
  const safetensors = await openTorch('resnet18.safetensors', readSafetensors);
  const torch = { ...imagenet, convention: 'torchvision' };
  assert.deepEqual(told(identify(safetensors)), { ...torch, width: 4, map: 'torchvision' });
  const folded = await openTorch('narrow-folded.onnx', readOnnx);
  assert.deepEqual(told(identify(folded)), { ...torch, width: 2, map: 'onnx' });
  for (const name of ['keras2.h5', 'keras3.weights.h5']) {
    const keras = { ...imagenet, width: 2, map: 'order', convention: 'keras' };
    assert.deepEqual(told(identify(await readFixture(name))), keras);
  }
});

test('networks of every depth are told apart', () => {
  const weights: Record<string, string> = {
    kernel: 'weight',
    gamma: 'weight',
    bias: 'bias',
    beta: 'bias',
    moving_mean: 'running_mean',
    moving_variance: 'running_var',
  };
  for (const name of Object.keys(resnetVariants) as (keyof typeof resnetVariants)[]) {
    const model = resnet(name, { inputShape: [32, 32, 1], classes: 3, width: 1 });
    const size = { network: name, width: 1, channels: 1, classes: 3, stem: 'cifar', convention: 'torchvision' };
    const torch = torchFile(model, (layer, role) => `model.${layer}.${weights[role]}`);
    assert.deepEqual(told(identify(torch)), { ...size, map: 'torchvision' });
    assert.deepEqual(told(identify(kerasFile(model, (layer, role) => `${layer}/${role}`, 'tfjs'))), {
      ...size,
      map: 'layers',
    });
    const backbone = identify({ ...torch, tensors: torch.tensors.filter(({ name }) => !name.includes('fc.')) });
    assert.equal(backbone.fits?.architecture, name);
    assert.equal(backbone.fits?.hasHead, false);
    model.dispose();
  }
});

test('what is nearest is told where nothing fits', async () => {
  const file = await openTorch('resnet18.safetensors', readSafetensors);
  const missing = { ...file, tensors: file.tensors.filter(({ name }) => name !== 'layer3.1.conv2.weight') };
  const { fits, nearest } = identify(missing);
  assert.equal(fits, undefined);
  assert.equal(nearest?.architecture, 'resnet18');
  assert.deepEqual(nearest?.mismatches, ['layer3.1.conv2.weight [16, 16, 3, 3] is not in the file']);
  const other = memoryFile('safetensors', [tensorOf('encoder.weight', [2, 2], new Float32Array(4))]);
  assert.deepEqual(identify(other), { fits: undefined, nearest: undefined, stranger: undefined });
});
