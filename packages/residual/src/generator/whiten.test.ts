import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { Random } from '../data/random.ts';
import { imageDataGenerator } from './image-data-generator.ts';
import { whiteningOf } from './whiten.ts';

await tf.setBackend('cpu');

/** Rows of values that depend on each other. */
function mixed(n: number, size: number, seed = 1): Float32Array {
  const random = Random.at(seed);
  const mix = Array.from({ length: size * size }, () => random.uniform(-1, 1));
  const rows = Array.from({ length: n }, () => Array.from({ length: size }, () => random.uniform(-1, 1)));
  return Float32Array.from(
    rows.flatMap((row) => row.map((_, j) => row.reduce((sum, value, k) => sum + value * mix[k * size + j], 0))),
  );
}

function times(rows: ArrayLike<number>, matrix: ArrayLike<number>, size: number): number[] {
  return Array.from(rows, (_, at) => {
    const [i, j] = [Math.floor(at / size), at % size];
    let sum = 0;
    for (let k = 0; k < size; k++) sum += rows[i * size + k] * matrix[k * size + j];
    return sum;
  });
}

/** XᵀX / n */
function secondMoments(rows: ArrayLike<number>, size: number): number[][] {
  const n = rows.length / size;
  const entry = (i: number, j: number) => {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += rows[k * size + i] * rows[k * size + j];
    return sum / n;
  };
  return Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => entry(i, j)));
}

test('whitened values are uncorrelated and of variance 1', () => {
  const rows = mixed(500, 8);
  const { matrix } = whiteningOf(rows, 8, 0);
  secondMoments(times(rows, matrix, 8), 8).forEach((row, i) => {
    row.forEach((value, j) => {
      assert.ok(Math.abs(value - (i === j ? 1 : 0)) < 1e-4, `${i}, ${j}: ${value}`);
    });
  });
});

test('of all whitenings it is the symmetric one, whose result is nearest to the picture', () => {
  const { matrix } = whiteningOf(mixed(500, 8), 8, 1e-6);
  for (let i = 0; i < 8; i++) for (let j = 0; j < 8; j++) assert.equal(matrix[i * 8 + j], matrix[j * 8 + i]);
});

test('by hand: axes of variance 4 and ¼ are halved and doubled', () => {
  const rows = Float32Array.of(2, 0.5, -2, 0.5, 2, -0.5, -2, -0.5);
  const { matrix } = whiteningOf(rows, 2, 0);
  [0.5, 0, 0, 2].forEach((wanted, i) => {
    assert.ok(Math.abs(matrix[i] - wanted) < 1e-6, `${matrix}`);
  });
});

test('epsilon is added to the singular values', () => {
  const rows = Float32Array.of(2, 0.5, -2, 0.5, 2, -0.5, -2, -0.5);
  // Four rows: singular values are √4 times the deviations, so 4 and 1.
  const { matrix } = whiteningOf(rows, 2, 1);
  assert.ok(Math.abs(matrix[0] - 2 / 5) < 1e-6 && Math.abs(matrix[3] - 2 / 2) < 1e-6, `${matrix}`);
});

test('fewer pictures than values: what they span is whitened, the rest is nothing', () => {
  const rows = mixed(5, 12);
  const { matrix } = whiteningOf(rows, 12, 0);
  const white = times(rows, matrix, 12);
  // The Gram matrix of n whitened pictures that span their space is n times the identity.
  for (let i = 0; i < 5; i++) {
    for (let j = 0; j < 5; j++) {
      const product = Array.from({ length: 12 }, (_, k) => white[i * 12 + k] * white[j * 12 + k]).reduce(
        (a, b) => a + b,
      );
      assert.ok(Math.abs(product - (i === j ? 5 : 0)) < 1e-3, `${i}, ${j}: ${product}`);
    }
  }
});

test('a direction without variance stays without', () => {
  const rows = Float32Array.of(1, 1, -1, -1, 3, 3, -3, -3);
  const { matrix } = whiteningOf(rows, 2, 1e-6);
  const [a, b] = times([1, -1], matrix, 2);
  assert.ok(Math.abs(a) < 1e-4 && Math.abs(b) < 1e-4, `${matrix}`);
});

test('zcaWhitening through fit and flow', async () => {
  const data = mixed(300, 6).map((value) => 100 + 20 * value);
  const x = { data, shape: [300, 2, 3, 1] } as const;
  const datagen = imageDataGenerator({ zcaWhitening: true, rescale: 1 / 255, featurewiseStdNormalization: true });
  await datagen.fit(x);
  const flow = await datagen.flow(x, undefined, { batchSize: 300, shuffle: false });
  for await (const { xs } of flow) {
    assert.deepEqual(xs.shape, [300, 2, 3, 1]);
    secondMoments(xs.dataSync(), 6).forEach((row, i) => {
      row.forEach((value, j) => {
        assert.ok(Math.abs(value - (i === j ? 1 : 0)) < 1e-2, `${i}, ${j}: ${value}`);
      });
    });
    xs.dispose();
  }
  await flow.close();
  assert.equal(tf.memory().numTensors, 0);
});
