/** Large inputs go straight into Wasm memory, also while a program computes: none may meet the values of another. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import '../index.ts';
import type { JitBackend } from '../backend.ts';

const SIZE = 128 * 1024;

await tf.setBackend('jit');
const backend = tf.backend() as JitBackend;
const bytesInUse = () => backend.engine.heap.used;

/** Values that tell of their batch at every place. */
const batch = (number: number, size = SIZE) => Float32Array.from({ length: size }, (_, i) => number * 1000 + (i % 997));

/** A run of some milliseconds, its result due to the input alone. */
const longRun = (x: tf.Tensor1D) =>
  tf.tidy(() => {
    const square = tf.reshape(x, [256, x.size / 256]) as tf.Tensor2D;
    let y = square;
    for (let i = 0; i < 20; i++) y = tf.add(tf.mul(y, 0.5), tf.mul(square, 0.5));
    return tf.sum(tf.matMul(tf.sub(y, square), square, true), 1);
  });

test('batches that are made while the one before is computed do not disturb it', async () => {
  const results = [];
  for (let number = 1; number <= 12; number++) {
    const values = batch(number);
    const x = tf.tensor1d(values);
    values.fill(Number.NaN); // the caller's array is the caller's again
    results.push({ number, sums: longRun(x), first: tf.sum(x) });
    x.dispose();
    if (number % 3 === 0) await Promise.resolve(); // starts what was recorded
  }
  for (const { number, sums, first } of results) {
    assert.ok(
      (await sums.data()).every((value) => value === 0),
      `batch ${number} changed while it was read`,
    );
    const expected = batch(number).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs((await first.data())[0] / expected - 1) < 1e-5, `the sum of batch ${number}`);
    tf.dispose([sums, first]);
  }
});

test('the memory of inputs is used again, and a little of it kept', async () => {
  const used: number[] = [];
  for (let number = 0; number < 30; number++) {
    const x = tf.tensor1d(batch(number));
    const y = tf.tidy(() => tf.sum(tf.square(x)));
    x.dispose();
    await y.data();
    y.dispose();
    used.push(bytesInUse());
  }
  assert.equal(used[29], used[9], 'no growth');
  for (const size of [1, 2, 3, 4, 5].map((n) => SIZE + n * 1024)) tf.tensor1d(batch(0, size)).dispose();
  assert.ok(bytesInUse() - used[29] < 4 * 4 * 1024 * 6, 'inputs of other sizes take the place of the oldest');
});

test('values come back as they were given, without a computation', async () => {
  const values = batch(7);
  values[3] = -0;
  values[4] = Number.NaN;
  const x = tf.tensor1d(values);
  assert.deepEqual(await x.data(), values);
  assert.deepEqual(x.dataSync(), values);
  assert.deepEqual(Array.from(tf.topk(x, 1).values.dataSync()), [Number.NaN]); // a kernel of the cpu backend reads it
  x.dispose();
});
