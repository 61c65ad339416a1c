/** k-NN and linear probe: against votes counted by hand, and against the optimum's own condition. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { Random } from '../data/random.ts';
import type { Features } from '../train/features/extract.ts';
import { knn } from './knn.ts';
import { minimize } from './lbfgs.ts';
import { linearProbe } from './linear-probe.ts';
import { scoresOf } from './scores.ts';

function featuresOf(rows: readonly (readonly number[])[], labels: readonly number[]): Features {
  const dims = rows[0]?.length ?? 0;
  const indices = Int32Array.from(labels.keys());
  return { values: Float32Array.from(rows.flat()), dims, indices, labels: Int32Array.from(labels) };
}

/** Three clouds around different directions, of different lengths. */
function clouds(size: number, seed: number): Features {
  const random = Random.at(seed);
  const labels = Array.from({ length: size }, (_, i) => i % 3);
  const rows = labels.map((label) => {
    const length = 1 + 9 * random.uniform();
    return Array.from({ length: 5 }, (_, d) => length * ((d === label ? 1 : 0) + 0.4 * (random.uniform() - 0.5)));
  });
  return featuresOf(rows, labels);
}

test('k-NN: votes are weighted by the cosine', async () => {
  await tf.setBackend('cpu');
  const known = featuresOf(
    [
      [1, 0],
      [0, 2],
      [3, 3],
      [-1, 0],
    ],
    [0, 1, 1, 2],
  );
  const { probabilities, labels, classes } = await knn(known, featuresOf([[5, 0.5]], [0]), { k: 3, temperature: 0.5 });
  const cosine = (x: number, y: number) => (5 * x + 0.5 * y) / Math.hypot(5, 0.5) / Math.hypot(x, y);
  const [a, b, c] = [cosine(1, 0), cosine(0, 2), cosine(3, 3)].map((value) => Math.exp(value / 0.5));
  const sum = (a ?? 0) + (b ?? 0) + (c ?? 0);
  [(a ?? 0) / sum, ((b ?? 0) + (c ?? 0)) / sum, 0].forEach((share, i) => {
    assert.ok(Math.abs((probabilities[i] ?? 9) - share) < 1e-6, `${probabilities}`);
  });
  assert.deepEqual([[...Array.from(labels)], classes], [[0], 3]);
  const one = await knn(known, featuresOf([[0.1, 5]], [1]), { k: 1 });
  assert.deepEqual(Array.from(one.probabilities), [0, 1, 0]);
});

test('k-NN and probe tell clouds apart, whatever their length; more pictures than a block', async () => {
  await tf.setBackend('cpu');
  const [known, asked] = [clouds(90, 1), clouds(300, 2)];
  assert.ok(scoresOf(await knn(known, asked)).accuracy > 0.98);
  assert.ok(scoresOf(linearProbe(known).predict(asked)).accuracy > 0.98);
  await assert.rejects(knn(known, asked, { k: 0 }), /k must be a whole number from 1 up, received 0/);
  await assert.rejects(knn(known, featuresOf([[1]], [0])), /must be of the known ones' 5 values, received 1/);
});

test('the probe is at the optimum: the mean probability of each class is its share, and no other weights are better', () => {
  const train = clouds(60, 3);
  const probe = linearProbe(train, { l2: 1e-2 });
  const { probabilities } = probe.predict(train);
  for (let c = 0; c < 3; c++) {
    const mean = train.labels.reduce((sum, _, i) => sum + (probabilities[i * 3 + c] ?? 0) / 60, 0);
    assert.ok(Math.abs(mean - 1 / 3) < 1e-4, `${mean}`);
  }
  assert.ok(Math.abs(scoresOf(probe.predict(train)).loss - probe.loss) < 1e-5);
  assert.ok(linearProbe(train, { l2: 1e-4 }).loss < probe.loss);
  assert.throws(() => linearProbe(train, { l2: -1 }), /l2 must be 0 or more, received -1/);
});

test('L-BFGS finds the end of Rosenbrock’s valley', () => {
  const found = minimize(
    (x, gradient) => {
      const [a = 0, b = 0] = x;
      gradient[0] = -400 * a * (b - a * a) - 2 * (1 - a);
      gradient[1] = 200 * (b - a * a);
      return 100 * (b - a * a) ** 2 + (1 - a) ** 2;
    },
    Float64Array.of(-1.2, 1),
    { iterations: 200, tolerance: 1e-8 },
  );
  for (const value of found) assert.ok(Math.abs(value - 1) < 1e-5, `${found}`);
});
