import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { graphLayers } from './graph-layers.ts';
import { loadWeights } from './load.ts';
import { memorySiblings } from './reader.ts';
import { bytesSource } from './source.ts';
import { outputsFor, pictures, relativeError } from './testing/pictures.ts';
import { readTfjs } from './tfjs/tfjs.ts';

const folder = join(import.meta.dirname, 'tfjs', 'fixtures', 'graph');

async function graphFiles(): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (const name of await readdir(folder)) files[name] = Uint8Array.from(await readFile(join(folder, name)));
  return files;
}

const open = async (files: Record<string, Uint8Array>) =>
  readTfjs(bytesSource(files['model.json'] ?? new Uint8Array(), 'model.json'), memorySiblings(files));

test('a graph model with folded batch normalisation, loaded into layers, predicts as the graph does', async () => {
  await tf.setBackend('cpu');
  const files = await graphFiles();
  const json = JSON.parse(new TextDecoder().decode(files['model.json']));
  const [group] = json.weightsManifest as tf.io.WeightsManifestConfig;
  const weightData = Uint8Array.from(
    Buffer.concat((group?.paths ?? []).map((path) => files[path] ?? new Uint8Array())),
  );
  const artifacts = {
    modelTopology: json.modelTopology,
    weightSpecs: group?.weights ?? [],
    weightData: weightData.buffer,
  };
  const graph = await loadGraphModel({ load: async () => artifacts });
  const images = tf.tensor(pictures(2, [8, 8, 3]), [2, 8, 8, 3]);
  const expected = (graph.predict(images) as tf.Tensor2D).arraySync();

  const model = tfl.sequential({
    layers: [
      tfl.layers.conv2d({ inputShape: [8, 8, 3], filters: 4, kernelSize: 3, useBias: false, name: 'conv1' }),
      tfl.layers.batchNormalization({ name: 'bn1' }),
      tfl.layers.globalAveragePooling2d({ name: 'pool' }),
      tfl.layers.dense({ units: 3, name: 'fc' }),
    ],
  });
  const report = await loadWeights(model, await open(files));
  assert.deepEqual([report.map, report.missing], ['layers', []]);
  assert.ok(relativeError(outputsFor(model, 2), expected) < 1e-5);
});

test('unfolded nodes, biases by themselves, turned kernels and Identities are understood, in the order of the data', async () => {
  const shapes = { k: [3, 3, 1, 2], b: [2], g: [2], e: [2], m: [2], v: [2], d: [3, 2], c: [3] };
  const names: Record<string, string> = { k: 'n/conv/Conv2D/ReadVariableOp', d: 'n/fc/MatMul/ReadVariableOp' };
  const weights = Object.entries(shapes).map(([key, shape]) => ({ name: names[key] ?? key, shape, dtype: 'float32' }));
  const constants = weights.map(({ name }) => ({ name, op: 'Const' }));
  const node = [
    { name: 'out', op: 'BiasAdd', input: ['n/fc/MatMul', 'c'] },
    {
      name: 'n/fc/MatMul',
      op: 'MatMul',
      input: ['n/bn/FusedBatchNormV3:0', names.d],
      attr: { transpose_b: { b: true } },
    },
    {
      name: 'n/bn/FusedBatchNormV3',
      op: 'FusedBatchNormV3',
      input: ['add', 'g', 'e', 'm', 'v'],
      attr: { epsilon: { f: 0.01 } },
    },
    { name: 'add', op: 'AddV2', input: ['n/conv/Conv2D', 'b', '^out'] },
    { name: 'n/conv/Conv2D', op: 'Conv2D', input: ['x', 'copy'] },
    { name: 'copy', op: 'Identity', input: [names.k] },
    { name: 'x', op: 'Placeholder' },
    ...constants,
  ];
  const total = Object.values(shapes).reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const manifest = [{ paths: ['w'], weights }];
  const json = JSON.stringify({ modelTopology: { node }, weightsManifest: manifest });
  const numbers = Float32Array.from({ length: total }, (_, i) => i);
  const layers = graphLayers(
    await open({ 'model.json': new TextEncoder().encode(json), w: new Uint8Array(numbers.buffer) }),
  );
  assert.deepEqual(
    layers.map(({ name, kind, tensors, epsilon }) => [name, kind, [...tensors.keys()], epsilon]),
    [
      ['conv', 'conv', ['kernel', 'bias'], undefined],
      ['bn', 'norm', ['gamma', 'beta', 'moving_mean', 'moving_variance'], 0.01],
      ['fc', 'dense', ['kernel', 'bias'], undefined],
    ],
  );
  const kernel = layers[2]?.tensors.get('kernel');
  assert.deepEqual(
    [kernel?.shape, [...((await kernel?.read()) ?? [])]],
    [
      [2, 3],
      [28, 30, 32, 29, 31, 33],
    ],
  );
});
