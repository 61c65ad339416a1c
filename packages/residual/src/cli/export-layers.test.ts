/** What export says of a file's layers: that they agree, what they cost, and what would mend a file that is refused. */

import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { inferenceGraph, openGraph } from '../export/graph/index.ts';
import { infoFor, pretendTrained } from '../export/graph/testing.ts';
import type { ModelInfo } from '../models/info.ts';
import { resnet18 } from '../models/resnet.ts';
import { saveModel } from '../models/saved-model.ts';
import { makePhotos, residual, temporaryFolder } from './testing.ts';

let folder = '';

before(async () => {
  await tf.setBackend('cpu');
  folder = await temporaryFolder();
  await makePhotos(join(folder, 'photos'), 4);
  const model = pretendTrained(resnet18({ inputShape: [8, 8, 3], classes: 3, width: 4 }));
  const info = { ...infoFor(model), classes: ['blue', 'green & co', 'red'] };
  await tellColours(model, info);
  await saveModel(model, info, join(folder, 'plain'));
  await saveModel(unequal(model), info, join(folder, 'unequal'));
  model.dispose();
});

after(() => rm(folder, { recursive: true }));

/** Gives the network a classifier by the nearest of three colours: a network by chance would call nothing for certain. */
async function tellColours(model: LayersModel, info: ModelInfo): Promise<void> {
  const { mean, std } = info.preprocessing;
  const colours = [30, 60, 230, 40, 220, 60, 240, 40, 30];
  const pixels = 8 * 8;
  const images = Float32Array.from({ length: 3 * pixels * 3 }, (_, i) => {
    const byte = colours[Math.floor(i / (pixels * 3)) * 3 + (i % 3)] ?? 0;
    return (byte / 255 - (mean[i % 3] ?? 0)) / (std[i % 3] ?? 1);
  });
  const graph = await inferenceGraph(model, info);
  const pooled = graph.nodes.find(({ op }) => op === 'globalAveragePool')?.output ?? '';
  const running = openGraph(graph);
  const features = (await running.run(images, [pooled])).get(pooled) ?? new Float32Array();
  running.dispose();
  const each = tf.tensor2d(features, [3, features.length / 3]);
  const head = model.layers.find((layer) => layer.getClassName() === 'Dense');
  head?.setWeights([tf.transpose(each), tf.mul(tf.sum(tf.square(each), 1), -0.5)]);
}

/** The same network, in which one of the channels between the convolutions of a block drowns the others. */
function unequal(model: LayersModel): LayersModel {
  for (const { name } of model.layers) {
    const block = /^(layer\d\.\d)\.bn1$/.exec(name)?.[1];
    if (block === undefined) continue;
    const norm = model.getLayer(name);
    const next = model.getLayer(`${block}.conv2`);
    const [gamma, beta, ...moving] = norm.getWeights();
    const [kernel] = next.getWeights();
    if (!gamma || !beta || !kernel) throw new Error('internal: a block without weights');
    const channels = gamma.size;
    const factors = tf.tensor1d(Array.from({ length: channels }, (_, c) => (c === 0 ? 3e4 : 1)));
    norm.setWeights([tf.mul(gamma, factors), tf.mul(beta, factors), ...moving]);
    next.setWeights([tf.div(kernel, tf.reshape(factors, [channels, 1]))]);
  }
  return model;
}

const int8 = ['--data', 'photos', '--format', 'tflite', '--quantize', 'int8', '--softmax', 'drop', '--backend', 'cpu'];

interface Row {
  readonly layer: string;
  readonly sqnr: number | null;
}

test('tables of layers, in the runtime and simulated, and a layer that is spared', async () => {
  const asked = ['--layers', '--sensitivity', '--keep-float', 'conv1', '--observer', 'mse', '--bias-correction'];
  const { code, stdout, stderr } = await residual(['export', 'plain', ...int8, ...asked, '--json'], {
    cwd: folder,
  });
  assert.equal(code, 0, stderr + stdout);
  const [file] = JSON.parse(stdout).files;
  assert.match(file.layers.runtime, /^LiteRT \d/);
  const layers = file.layers.rows.map(({ layer }: Row) => layer);
  for (const name of ['conv1', 'layer1.0.conv1', 'layer4.1.add', 'fc']) assert.ok(layers.includes(name), name);
  for (const { layer, sqnr } of file.layers.rows as Row[]) assert.ok(sqnr === null || sqnr > 15, `${layer}: ${sqnr}`);
  const costs = file.sensitivity.rows.map(({ layer }: Row) => layer);
  assert.ok(costs.includes('layer1.0.conv1') && !costs.includes('conv1'));
});

test('a file that is refused comes with what each layer costs and what to spare; equalisation mends this one', async () => {
  const args = ['export', 'unequal', ...int8];
  const refused = await residual(args, { cwd: folder });
  assert.equal(refused.code, 1, refused.stdout + refused.stderr);
  assert.match(
    refused.stdout,
    /\nmodel-int8\.tflite: what each layer costs if it alone is in integers \(simulated, 12 images\)\n/,
  );
  assert.match(refused.stdout, /\nlayer +op +points lost +same class +SQNR\nlayer/);
  assert.match(
    refused.stdout,
    /\n(try --keep-float \S+: -?\d+\.\d points lost, \d.* same class \(simulated\)|sparing a third)/,
  );
  assert.match(refused.stdout, /\nrefused model-int8\.tflite: it/);
  assert.ok(!(await readdir(join(folder, 'unequal'))).includes('export'));
  const equal = await residual([...args, '--equalize'], { cwd: folder });
  assert.equal(equal.code, 0, equal.stdout + equal.stderr);
  const verify = ['verify', 'unequal/export/model-int8.tflite', 'photos', '--against', 'unequal', '--layers'];
  const { code, stdout } = await residual([...verify, '--backend', 'cpu'], { cwd: folder });
  assert.equal(code, 0, stdout);
  assert.match(stdout, /\nmodel-int8\.tflite: each layer beside the model's, in LiteRT \S+ \(12 images\)\n/);
  // Held against the equalised network, though nobody said so.
  const layers = [...stdout.matchAll(/\n(\S+) +\S+ +(\S+) dB +\d\.\d+/g)];
  assert.ok(layers.length > 25);
  for (const [, layer, sqnr] of layers) assert.ok(Number(sqnr) > 15, `${layer}: ${sqnr}`);
});

test('mistakes are named before anything is calibrated', async () => {
  const fails = async (args: readonly string[], message: RegExp) => {
    const { code, stderr } = await residual(['export', 'plain', '--backend', 'cpu', ...args], { cwd: folder });
    assert.equal(code, 2);
    assert.match(stderr, message);
  };
  const quantize = ['--format', 'tflite', '--quantize', 'int8'];
  await fails(
    [...quantize, '--keep-float', 'conv1,layer1.0.cnv2'],
    /--keep-float: resnet18 has no layer layer1\.0\.cnv2\ndid you mean layer1\.0\.conv2\?/,
  );
  await fails(['--format', 'tflite', '--observer', 'mse'], /--observer is for files of integers\nadd --quantize int8/);
  await fails([...quantize, '--layers', '--no-proof'], /--layers runs the files on images, which --no-proof forbids/);
});
