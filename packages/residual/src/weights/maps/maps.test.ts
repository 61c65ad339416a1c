/** Every map against names written down from its origin's sources, and as a whole: a network stored under the origin's
 *  names loads bit for bit. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { resnet } from '../../models/resnet.ts';
import { assign, viewOf } from '../assign.ts';
import { needsOf } from '../layers.ts';
import { loadWeights } from '../load.ts';
import { kerasFile, memoryFile, randomize, torchFile } from '../testing/memory-file.ts';
import { weightMaps } from './index.ts';
import type { PartsMap } from './map.ts';
import { partNames } from './parts.ts';

await tf.setBackend('cpu');

const options = { inputShape: [64, 64, 3], classes: 5, width: 2 } as const;
const basic = resnet('resnet18', { ...options, seed: 1 });
const bottleneck = resnet('resnet50', { ...options, seed: 1 });
randomize(basic, 7);
randomize(bottleneck, 8);

/** [map, network, our weight, its name there], from the sources that the maps' files name. */
const written: readonly (readonly [string, LayersModel, string, string])[] = [
  ['torchvision', basic, 'layer2.0.downsample.1/moving_variance', 'layer2.0.downsample.1.running_var'],
  ['huggingface', basic, 'conv1/kernel', 'resnet.embedder.embedder.convolution.weight'],
  ['huggingface', basic, 'layer1.0.conv1/kernel', 'resnet.encoder.stages.0.layers.0.layer.0.convolution.weight'],
  ['huggingface', bottleneck, 'layer4.2.bn3/gamma', 'resnet.encoder.stages.3.layers.2.layer.2.normalization.weight'],
  [
    'huggingface',
    basic,
    'layer2.0.downsample.0/kernel',
    'resnet.encoder.stages.1.layers.0.shortcut.convolution.weight',
  ],
  ['huggingface', basic, 'fc/bias', 'classifier.1.bias'],
  ['pytorch-cifar', basic, 'layer3.0.downsample.1/beta', 'layer3.0.shortcut.1.bias'],
  ['pytorch-cifar', basic, 'fc/kernel', 'linear.weight'],
  ['openmmlab', basic, 'layer4.1.conv2/kernel', 'backbone.layer4.1.conv2.weight'],
  ['openmmlab', basic, 'fc/kernel', 'head.fc.weight'],
  ['gluon', basic, 'bn1/moving_mean', 'batchnorm0_running_mean'],
  ['gluon', basic, 'layer1.1.conv2/kernel', 'stage1_conv3_weight'],
  ['gluon', basic, 'layer2.0.downsample.0/kernel', 'stage2_conv2_weight'],
  ['gluon', basic, 'layer2.1.bn1/gamma', 'stage2_batchnorm3_gamma'],
  ['gluon', bottleneck, 'layer1.0.downsample.0/kernel', 'stage1_conv3_weight'],
  ['gluon', basic, 'fc/bias', 'dense0_bias'],
  ['gluon-structure', basic, 'layer1.0.conv2/kernel', 'features.4.0.body.3.weight'],
  ['gluon-structure', basic, 'layer4.0.downsample.1/gamma', 'features.7.0.downsample.1.gamma'],
  ['gluon-structure', basic, 'layer1.0.bn2/beta', 'features.4.0.body.4.beta'],
  ['gluoncv', basic, 'layer2.1.conv1/kernel', 'layers2_conv2_weight'],
  ['gluoncv', basic, 'layer2.0.downsample.1/moving_mean', 'down2_batchnorm0_running_mean'],
  ['gluoncv-structure', basic, 'layer3.1.bn2/gamma', 'layer3.1.bn2.gamma'],
  ['keras-applications', bottleneck, 'conv1/kernel', 'conv1_conv/kernel'],
  ['keras-applications', bottleneck, 'layer1.0.downsample.0/kernel', 'conv2_block1_0_conv/kernel'],
  ['keras-applications', bottleneck, 'layer4.2.bn3/moving_mean', 'conv5_block3_3_bn/moving_mean'],
  ['keras-applications', bottleneck, 'fc/kernel', 'predictions/kernel'],
];

for (const [name, model, ours, theirs] of written) {
  test(`${name} calls ${ours} of ${model.name} ${theirs}`, () => {
    const map = weightMaps.find((one) => one.name === name);
    assert.ok(map);
    const needs = needsOf(model);
    const assignment = assign(map, viewOf(memoryFile(map.formats?.[0] ?? 'pytorch', [])), needs);
    const [layerName, role = ''] = ours.split('/');
    const layer = needs.layers.find((one) => one.name === layerName);
    assert.ok(layer && assignment);
    assert.equal(assignment.nameOf(layer, role), theirs);
  });
}

const partsMaps = weightMaps.filter((map): map is typeof map & PartsMap => map.by === 'parts');

for (const model of [basic, bottleneck]) {
  for (const map of partsMaps) {
    test(`${model.name} under the names of ${map.name} loads bit for bit, behind a prefix too`, async () => {
      const parts = needsOf(model).layers.map(({ part }) => part ?? '');
      const names = partNames(map.parts, parts);
      const nameOf = (prefix: string) => (layer: string, role: string) =>
        `${prefix}${names.get(layer)}${(map.weights as unknown as Record<string, string>)[role]}`;
      const keras = map.formats?.includes('keras') ?? false;
      for (const prefix of keras ? [''] : ['', 'net0_']) {
        const file = keras ? kerasFile(model, nameOf(prefix)) : torchFile(model, nameOf(prefix));
        assert.equal(new Set(file.tensors.map(({ name }) => name)).size, file.tensors.length);
        // The origin's own ε, so that nothing needs to be made up for.
        const epsilon = map.epsilon === 'model' ? 1e-5 : map.epsilon;
        const other = resnet(model.name as 'resnet18', { ...options, seed: 2 });
        for (const layer of other.layers) if ('epsilon' in layer) Object.assign(layer, { epsilon });
        const report = await loadWeights(other, file);
        assert.equal(report.map, map.name);
        assert.equal(report.prefix, prefix);
        assert.deepEqual([report.leftOver, report.missing, report.adjusted], [[], [], []]);
        assert.deepEqual(await bits(other), await bits(model));
        assert.equal(report.cautions.length, map.caution !== undefined && model === bottleneck ? 1 : 0);
        other.dispose();
      }
    });
  }
}

async function bits(model: LayersModel): Promise<number[][]> {
  return Promise.all(model.getWeights().map(async (weight) => [...(await weight.data())]));
}
