/** What is made of weights alone is kept between runs: it must follow every change of the weights, and go with them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { assertClose, floats, snapshot } from './testing/compare.ts';

const NEAR = { relative: 2e-5, ofMax: true };

/** Convolutions by Winograd and direct, batch norm, a residual sum: all that an inference fuses and keeps. */
function network(x: tf.Tensor4D, w: readonly tf.Tensor[]): tf.Tensor {
  const [stem, conv, strided, mean, variance, offset, scale] = w;
  const bn = (y: tf.Tensor4D) =>
    tf.batchNorm4d(y, mean as tf.Tensor1D, variance as tf.Tensor1D, offset as tf.Tensor1D, scale as tf.Tensor1D, 1e-3);
  const a = tf.relu(bn(tf.conv2d(x, stem as tf.Tensor4D, 1, 'same')));
  const b = tf.relu(tf.add(bn(tf.conv2d(a, conv as tf.Tensor4D, 1, 'same')), a)) as tf.Tensor4D;
  return tf.relu(bn(tf.conv2d(b, strided as tf.Tensor4D, 2, 'same')));
}

const SHAPES = [[3, 3, 3, 32], [3, 3, 32, 32], [3, 3, 32, 32], [32], [32], [32], [32]];

function weights(seed: number): tf.Tensor[] {
  return SHAPES.map((shape, i) => tf.tidy(() => tf.mul(tf.add(floats(shape, 100 * seed + i), i === 4 ? 3 : 0), 0.3)));
}

async function values(backend: 'cpu' | 'jit', run: () => tf.Tensor) {
  await tf.setBackend(backend);
  const y = tf.tidy(run);
  await y.data();
  const result = snapshot(y);
  y.dispose();
  return result;
}

/** The network on the cpu backend with the same numbers. */
async function expected(x: tf.Tensor, w: readonly tf.Tensor[]) {
  const [image, ...arrays] = await Promise.all([x, ...w].map(async (t) => [await t.data(), t.shape] as const));
  await tf.setBackend('cpu');
  const copies = [image, ...arrays].map(([data, shape]) => tf.tensor(Float32Array.from(data), shape));
  const result = await values('cpu', () => network(copies[0] as tf.Tensor4D, copies.slice(1)));
  tf.dispose(copies);
  await tf.setBackend('jit');
  return result;
}

test('runs with new images, new weights, and weights changed in place all see what is', async () => {
  await tf.setBackend('jit');
  const variables = weights(1).map((w) => tf.variable(w));
  for (let round = 0; round < 6; round++) {
    const x = floats([1, 12, 12, 3], round);
    if (round === 2) variables[1].assign(tf.tidy(() => tf.mul(variables[1], 2)));
    if (round === 3) variables[4].assign(tf.tidy(() => tf.add(variables[4], 1)));
    if (round === 4) {
      const optimizer = tf.train.sgd(0.05);
      for (let step = 0; step < 2; step++) {
        optimizer.minimize(
          () => tf.mean(network(x as tf.Tensor4D, variables)) as tf.Scalar,
          false,
          variables.slice(0, 3),
        );
      }
      optimizer.dispose();
    }
    const reference = await expected(x, variables);
    for (let again = 0; again < 2; again++) {
      const actual = await values('jit', () => network(x as tf.Tensor4D, variables));
      assertClose(actual, reference, `round ${round}`, NEAR);
    }
    x.dispose();
  }
  tf.dispose(variables);
});

test('two networks of one shape keep apart', async () => {
  await tf.setBackend('jit');
  const [a, b] = [weights(5), weights(6)];
  // They share a mean and differ in the variance: a pair is not told by its first member.
  const shared = [a[0], a[1], a[2], a[3], b[4], a[5], a[6]];
  const x = floats([1, 12, 12, 3], 9);
  for (const w of [a, b, shared, a, shared, b]) {
    const reference = await expected(x, w);
    assertClose(await values('jit', () => network(x as tf.Tensor4D, w)), reference, 'network', NEAR);
  }
  tf.dispose([...a, ...b, x]);
});

test('the memory of what is kept goes with the weights', async () => {
  await tf.setBackend('jit');
  const used = () => (tf.memory() as tf.MemoryInfo & { wasmBytes: number }).wasmBytes;
  const x = floats([1, 12, 12, 3], 9);
  const round = async () => {
    const w = weights(7);
    await values('jit', () => network(x as tf.Tensor4D, w));
    const between = used();
    tf.dispose(w);
    return between;
  };
  await round();
  const before = used();
  const during = await round();
  assert.ok(during > before, 'weights and what is kept take memory');
  assert.equal(used(), before);
  x.dispose();
});
