/** Clustering: few values, near the weights, that learn, survive a resume bit for bit, and keep a pruned kernel's zeros. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { Random } from '../data/random.ts';
import { loadModel } from '../models/saved-model.ts';
import { maskOf } from '../prune/masks.ts';
import type { TrainOptions } from '../train/options.ts';
import { sgd } from '../train/sgd.ts';
import { halvesSplits, tinyModel, weightsOf } from '../train/testing.ts';
import { train } from '../train/train.ts';
import { centroidInits, clusterValues } from './centroids.ts';
import { type WeightClusteringOptions, weightClustering } from './weight-clustering.ts';

let folder = '';

before(async () => {
  await tf.setBackend('cpu');
  folder = await mkdtemp(join(tmpdir(), 'cluster-'));
});

after(() => rm(folder, { recursive: true }));

function normal(count: number, seed = 5): Float32Array {
  const random = Random.at(seed);
  return Float32Array.from(
    { length: count },
    () => random.uniform(-1, 1) + random.uniform(-1, 1) + random.uniform(-1, 1),
  );
}

const errorOf = (values: Float32Array, { centroids, assignment }: ReturnType<typeof clusterValues>) =>
  values.reduce((sum, value, i) => sum + (value - (centroids[assignment[i] ?? 0] ?? Number.NaN)) ** 2, 0) /
  values.length;

test('every value goes to its nearest centroid, and every centroid is the mean of its values', () => {
  const values = normal(3000);
  for (const init of centroidInits) {
    const found = clusterValues(values, 16, init, 1);
    assert.equal(found.centroids.length, 16, init);
    assert.equal(found.zero, -1);
    const [sums, counts] = [new Float64Array(16), new Float64Array(16)];
    values.forEach((value, i) => {
      const k = found.assignment[i] ?? -1;
      const distances = [...found.centroids].map((centroid) => Math.abs(centroid - value));
      assert.ok((distances[k] ?? 1) <= Math.min(...distances) + 1e-7);
      sums[k] = (sums[k] ?? 0) + value;
      counts[k] = (counts[k] ?? 0) + 1;
    });
    for (const [k, centroid] of found.centroids.entries()) {
      assert.ok(Math.abs(centroid - (sums[k] ?? 0) / (counts[k] ?? 0)) < 1e-5);
    }
    // A uniform grid of 16 over the range has this error at best.
    assert.ok(errorOf(values, found) < (6 / 16) ** 2 / 12, init);
    assert.deepEqual(clusterValues(values, 16, init, 1), found);
  }
});

test('fewer different values than centroids are kept as they are', () => {
  const values = Float32Array.from([3, -1, 3, 2, -1, 2]);
  const { centroids, assignment } = clusterValues(values, 16, 'kmeans++', 1);
  assert.deepEqual(
    [...assignment].map((k) => centroids[k]),
    [...values],
  );
});

test('the zeros of a pruned kernel are a cluster of their own, and nothing else is in it', () => {
  const values = normal(1000);
  const mask = maskOf(values, [1000], 'unstructured', 0.6);
  const pruned = values.map((value, i) => (mask[i] === 0 ? 0 : value));
  const { centroids, assignment, zero } = clusterValues(pruned, 8, 'kmeans++', 0);
  assert.equal(centroids.length, 8);
  assert.equal(centroids[zero], 0);
  for (const [i, k] of assignment.entries()) assert.equal(k === zero, pruned[i] === 0);
});

async function clustered(
  options: WeightClusteringOptions,
  own: Partial<TrainOptions> = {},
  change: (model: tfl.LayersModel) => void = () => {},
) {
  const model = tinyModel();
  change(model);
  const { optimizer, callback } = weightClustering(sgd({ learningRate: 0.05, momentum: 0.9 }), options);
  const splits = halvesSplits();
  const result = await train(model, splits, {
    epochs: 3,
    batchSize: 10,
    seed: 3,
    ...own,
    optimizer,
    callbacks: [callback],
  });
  optimizer.dispose();
  return { model, result };
}

const valuesIn = async (model: tfl.LayersModel, name: string) => new Set((await weightsOf(model))[name]).size;

test('a trained model has as many values as asked for, other ones than at first, and has learned', async () => {
  const directory = join(folder, 'file');
  const { result } = await clustered({ clusters: 6, exclude: ['conv/*'] }, { directory, epochs: 6, ema: 0.8 });
  const { model } = await loadModel(directory);
  assert.equal(await valuesIn(model, 'fc/kernel'), 6);
  assert.equal(await valuesIn(model, 'conv/kernel'), 36);
  const first = (await weightsOf(tinyModel()))['fc/kernel'] as Float32Array;
  const { centroids } = clusterValues(first, 6, 'kmeans++', 0);
  assert.ok([...((await weightsOf(model))['fc/kernel'] ?? [])].every((value) => !centroids.includes(value)));
  assert.ok((result.epochs.at(-1)?.loss ?? 9) < (result.epochs[0]?.loss ?? 0));
});

test("a centroid moves by the mean of its weights' gradients, or by their sum", async () => {
  const { optimizer, callback } = weightClustering(sgd({ learningRate: 1 }), { clusters: 2 });
  const summing = weightClustering(sgd({ learningRate: 1 }), { clusters: 2, gradients: 'sum' });
  for (const [one, expected] of [
    [{ optimizer, callback }, [-3, 4.5]],
    [summing, [-5, 4]],
  ] as const) {
    const model = tinyModel();
    const fc = model.getLayer('fc');
    fc.setWeights([
      tf.tensor2d(
        Float32Array.from({ length: 108 }, (_, i) => (i < 2 ? -1 : 5)),
        [36, 3],
      ),
      tf.zeros([3]),
    ]);
    const variable = fc.weights[0]?.read() as unknown as tf.Variable;
    await one.callback.onTrainBegin?.({ model } as never);
    const gradient = Float32Array.from({ length: 108 }, (_, i) => (i === 0 ? 3 : i === 1 ? 1 : i === 2 ? 1 : 0));
    if (one === summing) gradient[2] = 1;
    else gradient.fill(0.5, 2);
    one.optimizer.applyGradients([{ name: variable.name, tensor: tf.tensor2d(gradient, [36, 3]) }]);
    assert.deepEqual([...new Set(await variable.data())], expected);
    one.optimizer.dispose();
    model.dispose();
  }
});

test('pruned weights stay 0 while the others learn', async () => {
  const prune = (model: tfl.LayersModel) => {
    const fc = model.getLayer('fc');
    const [kernel, bias] = fc.getWeights() as [tf.Tensor, tf.Tensor];
    const values = kernel.dataSync() as Float32Array;
    const mask = maskOf(values, kernel.shape, '2:4', 0);
    fc.setWeights([
      tf.tensor(
        values.map((value, i) => (mask[i] === 0 ? 0 : value)),
        kernel.shape,
      ),
      bias,
    ]);
  };
  const { model } = await clustered({ clusters: 5 }, {}, prune);
  const fc = (await weightsOf(model))['fc/kernel'] as Float32Array;
  assert.equal(fc.filter((value) => value === 0).length, fc.length / 2);
  assert.equal(new Set(fc).size, 5);
});

test('a run that is interrupted and resumed has the same bits', async () => {
  const whole = await weightsOf((await clustered({ clusters: 4 })).model);
  for (const stopAt of [7]) {
    const directory = join(folder, `resumed-${stopAt}`);
    const controller = new AbortController();
    const onStep = ({ step }: { readonly step: number }) => {
      if (step === stopAt) controller.abort();
    };
    await clustered({ clusters: 4 }, { directory, onStep, signal: controller.signal });
    const { model } = await clustered({ clusters: 4 }, { directory, resume: true });
    assert.deepEqual(await weightsOf(model), whole, `stopped at ${stopAt}`);
  }
});

test('impossible options are refused', () => {
  assert.throws(
    () => weightClustering(sgd({ learningRate: 1 }), { clusters: 1 }),
    /clusters must be a whole number from 2/,
  );
  assert.throws(
    () => weightClustering(sgd({ learningRate: 1 }), { init: 'random' as never }),
    /init must be one of linear, density, kmeans\+\+, received random/,
  );
});
