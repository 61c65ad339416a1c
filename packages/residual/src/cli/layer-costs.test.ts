/** The costs of a network against figures that are published, or can be worked out by hand. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { createModel } from '../models/registry.ts';
import { layerCosts, memoryEstimate } from './layer-costs.ts';

test('a small network, by hand', async () => {
  await tf.setBackend('cpu');
  const model = tfl.sequential({
    layers: [
      tfl.layers.conv2d({ inputShape: [8, 8, 3], filters: 4, kernelSize: 3, strides: 2, padding: 'same' }),
      tfl.layers.depthwiseConv2d({ kernelSize: 3, padding: 'same' }),
      tfl.layers.flatten(),
      tfl.layers.dense({ units: 10 }),
    ],
  });
  const costs = layerCosts(model);
  assert.deepEqual(
    costs.map(({ macs }) => macs),
    [3 * 3 * 3 * 4 * 16, 3 * 3 * 4 * 16, 0, 64 * 10],
  );
  assert.deepEqual(costs[0]?.output, [4, 4, 4]);
  const parameters = 112 + 40 + 650;
  const memory = memoryEstimate(costs, 2);
  assert.equal(memory.weights, 4 * parameters);
  assert.equal(memory.training, 4 * (3 * parameters + 2 * (64 + 64 + 10)));
});

test('ResNet-18 of 224 pixels takes 1.81 G multiply-adds', async () => {
  await tf.setBackend('cpu');
  const costs = layerCosts(createModel('resnet18', { inputShape: [224, 224, 3], classes: 1000 }));
  const macs = costs.reduce((sum, cost) => sum + cost.macs, 0);
  assert.ok(Math.abs(macs / 1.814e9 - 1) < 1e-3, String(macs));
  assert.equal(
    costs.reduce((sum, cost) => sum + cost.trainable, 0),
    11_689_512,
  );
});
