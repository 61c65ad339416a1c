/** Programs that are started at their first operation: the right results whether the guess was right or wrong. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import type { JitBackend } from '../backend.ts';
import { floats } from './testing/compare.ts';

/** What was started early in a test, and how much of it in vain. */
const counts = { early: 0, dropped: 0 };
let jit: JitBackend;

interface Inside {
  early: unknown;
  begins(node: unknown): void;
  readonly values: { readonly device: { drop(started: unknown): void } };
}

before(async () => {
  await tf.setBackend('jit');
  jit = tf.backend() as JitBackend;
  const inside = (jit as unknown as { readonly runner: Inside }).runner;
  const { begins } = inside;
  const { device } = inside.values;
  const { drop } = device;
  inside.begins = function (node) {
    begins.call(this, node);
    if (this.early !== undefined) counts.early++;
  };
  device.drop = function (started) {
    counts.dropped++;
    drop.call(this, started);
  };
});

/** Runs `body` and tells how many early starts there were, and how many were in vain. */
async function counted(body: () => Promise<void>): Promise<{ early: number; dropped: number }> {
  Object.assign(counts, { early: 0, dropped: 0 });
  await body();
  return { ...counts };
}

const image = (seed: number) => floats([1, 16, 16, 32], seed) as tf.Tensor4D;
const filters = (seed: number) => [0, 1].map((i) => floats([3, 3, 32, 32], 10 * seed + i) as tf.Tensor4D);

/** Large enough for the pool: two convolutions and something between them. */
function network(x: tf.Tensor4D, [a, b]: readonly tf.Tensor4D[], middle: 'relu' | 'sigmoid' = 'relu'): tf.Tensor4D {
  const y = tf.conv2d(x, a, 1, 'same');
  return tf.conv2d(middle === 'relu' ? tf.relu(y) : tf.sigmoid(y), b, 1, 'same');
}

/** Each run's values, one run awaited after the other. */
async function run(x: tf.Tensor4D, w: readonly tf.Tensor4D[], middle?: 'relu' | 'sigmoid'): Promise<Float32Array> {
  const y = tf.tidy(() => network(x, w, middle));
  const values = (await y.data()) as Float32Array;
  y.dispose();
  return values;
}

async function runOnce(seed: number, w: readonly tf.Tensor4D[]): Promise<void> {
  const x = image(seed);
  await run(x, w);
  x.dispose();
}

/** The same without any memory of what came before: in the middle of a longer recording. */
async function unguessed(
  x: tf.Tensor4D,
  w: readonly tf.Tensor4D[],
  middle?: 'relu' | 'sigmoid',
): Promise<Float32Array> {
  const [before, y] = tf.tidy(() => [tf.neg(x), network(x, w, middle)]);
  const values = (await y.data()) as Float32Array;
  tf.dispose([before, y]);
  return values;
}

test('image after image is started early, with the same bits', async () => {
  const w = filters(1);
  const { early, dropped } = await counted(async () => {
    for (let i = 0; i < 8; i++) {
      const x = image(i);
      assert.deepEqual(await run(x, w), await unguessed(x, w));
      x.dispose();
    }
  });
  assert.ok(early >= 5, `${early} of 8 were started early`);
  assert.equal(dropped, 0);
  tf.dispose(w);
});

test('another network that begins alike, other weights, and weights that change give what they should', async () => {
  const w = filters(2);
  const others = [w[0], floats([3, 3, 32, 32], 99) as tf.Tensor4D];
  const warm = async () => {
    for (let i = 0; i < 12; i++) await runOnce(i, w);
  };
  const x = image(50);
  const { early, dropped } = await counted(async () => {
    await warm();
    assert.deepEqual(await run(x, w, 'sigmoid'), await unguessed(x, w, 'sigmoid'));
    await warm();
    assert.deepEqual(await run(x, others), await unguessed(x, others));
    await warm();
    const variable = tf.variable(w[1]);
    assert.deepEqual(await run(x, [w[0], variable as tf.Tensor4D]), await unguessed(x, w));
    variable.assign(others[1]);
    assert.deepEqual(await run(x, [w[0], variable as tf.Tensor4D]), await unguessed(x, others));
    variable.dispose();
  });
  assert.ok(dropped >= 2, `${dropped} wrong guesses`);
  assert.ok(early > dropped);
  tf.dispose([x, ...w, others[1]]);
});

test('a recording that ends early, and one whose weights are gone, are no guess', async () => {
  const w = filters(3);
  for (let i = 0; i < 12; i++) await runOnce(i, w);
  const x = image(60);
  const first = tf.conv2d(x, w[0], 1, 'same');
  const values = await first.data();
  const again = tf.tidy(() => tf.conv2d(tf.neg(tf.neg(x)), w[0], 1, 'same'));
  assert.deepEqual(values, await again.data());
  tf.dispose([first, again, ...w]);
  const { early } = await counted(async () => {
    const fresh = filters(3);
    await run(x, fresh);
    tf.dispose(fresh);
  });
  assert.equal(early, 0);
  x.dispose();
});

test('wrong guesses leave nothing behind', async () => {
  const w = filters(4);
  const use = async () => {
    for (let i = 0; i < 20; i++) {
      const x = image(i);
      await run(x, w, i % 5 === 4 ? 'sigmoid' : 'relu');
      x.dispose();
    }
  };
  await use();
  const before = { ids: jit.numDataIds(), bytes: jit.memory().wasmBytes };
  const { dropped } = await counted(async () => {
    await use();
    await use();
  });
  assert.deepEqual({ ids: jit.numDataIds(), bytes: jit.memory().wasmBytes }, before);
  assert.ok(dropped <= 8, `${dropped} wrong guesses: fewer with each`);
  tf.dispose(w);
});
