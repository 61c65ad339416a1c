/** Functions that are recorded once: the same bits as without, whatever changes between two calls. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import type { JitBackend } from '../backend.ts';
import { floats } from './testing/compare.ts';

let jit: JitBackend;

before(async () => {
  await tf.setBackend('jit');
  jit = tf.backend() as JitBackend;
});

const image = (seed: number, batch = 1) => floats([batch, 16, 16, 32], seed) as tf.Tensor4D;
const filter = (seed: number) => floats([3, 3, 32, 32], seed) as tf.Tensor4D;

/** A function, and how often it was called rather than replayed. */
function counted<Args extends tf.Tensor[]>(fn: (...args: Args) => tf.Tensor) {
  const count = { calls: 0 };
  const counting = (...args: Args) => {
    count.calls++;
    return fn(...args);
  };
  return { count, counting };
}

async function valuesOf(tensor: tf.Tensor): Promise<Float32Array> {
  const values = (await tensor.data()) as Float32Array;
  tensor.dispose();
  return values;
}

const network = (x: tf.Tensor4D, w: tf.Tensor4D) =>
  tf.relu(tf.add(tf.mul(tf.conv2d(x, w, 1, 'same'), 0.5), tf.scalar(0.25)));

test('a traced function is called twice for each kind of arguments, and gives the same bits', async () => {
  const w = filter(1);
  const { count, counting } = counted((x: tf.Tensor4D) => network(x, w));
  const fast = jit.traced(counting, () => [w]);
  const { numTensors } = tf.memory();
  for (const batch of [1, 3]) {
    count.calls = 0;
    for (let i = 0; i < 6; i++) {
      const x = image(i, batch);
      const expected = await valuesOf(tf.tidy(() => network(x, w)));
      assert.deepEqual(await valuesOf(fast(x)), expected);
      x.dispose();
    }
    assert.equal(count.calls, 2);
  }
  assert.equal(tf.memory().numTensors, numTensors);
  w.dispose();
});

test('a small function is replayed too, and sees what is pending', async () => {
  const { count, counting } = counted((x: tf.Tensor) => tf.mul(x, 2));
  const double = jit.traced(counting);
  for (let i = 0; i < 5; i++) {
    const x = tf.tensor1d([i, 1]);
    const y = tf.tidy(() => double(tf.add(x, 1)));
    assert.deepEqual([...(await valuesOf(y))], [2 * i + 2, 4]);
    x.dispose();
  }
  assert.equal(count.calls, 2);
});

test('variables are read as they are at each call, also while their old values live on', async () => {
  const w = tf.variable(filter(1));
  const old = w.clone();
  const { count, counting } = counted((x: tf.Tensor4D) => network(x, w as unknown as tf.Tensor4D));
  const fast = jit.traced(counting, () => [w]);
  const x = image(1);
  for (let i = 0; i < 6; i++) {
    w.assign(filter(i));
    const expected = await valuesOf(tf.tidy(() => network(x, w as unknown as tf.Tensor4D)));
    assert.deepEqual(await valuesOf(fast(x)), expected);
  }
  assert.equal(count.calls, 2);
  tf.dispose([w, old, x]);
});

test('what looks at values, is random, or reads what was not named is called each time', async () => {
  const hidden = tf.variable(tf.scalar(1));
  const impure: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
    'looks at values': (x) => (x.dataSync()[0] > 2 ? tf.neg(x) : tf.abs(x)),
    'runs on the cpu': (x) => tf.mul(x, tf.slice(tf.unique(tf.reshape(x, [-1])).values, 0, 1)),
    random: (x) => tf.add(x, tf.randomUniform([2])),
    'reads what was not named': (x) => tf.mul(x, hidden),
  };
  for (const [name, fn] of Object.entries(impure)) {
    const { count, counting } = counted(fn);
    const slow = jit.traced(counting);
    for (let i = 0; i < 7; i++) {
      const x = tf.tensor1d([i, 1]);
      hidden.assign(tf.scalar(i));
      const y = await valuesOf(slow(x));
      if (name !== 'random') assert.deepEqual(y, await valuesOf(fn(x)), name);
      x.dispose();
    }
    assert.equal(count.calls, 7, name);
  }
});

test('gradients go through a traced function', async () => {
  const square = jit.traced((x: tf.Tensor) => tf.square(x));
  const x = tf.tensor1d([1, 2, 3]);
  for (let i = 0; i < 4; i++) tf.dispose(square(x));
  const gradient = tf.grad((y: tf.Tensor) => square(y))(x);
  assert.deepEqual([...(await valuesOf(gradient))], [2, 4, 6]);
});

test('one tensor given twice is not taken for two', async () => {
  const sum = jit.traced((a: tf.Tensor, b: tf.Tensor) => tf.sub(a, tf.mul(b, 3)));
  const [a, b] = [tf.tensor1d([1, 2]), tf.tensor1d([5, 7])];
  for (let i = 0; i < 3; i++) assert.deepEqual([...(await valuesOf(sum(a, a)))], [-2, -4]);
  for (let i = 0; i < 4; i++) assert.deepEqual([...(await valuesOf(sum(a, b)))], [-14, -19]);
});

test('arguments that failed, and results that are disposed at once', async () => {
  const fast = jit.traced((x: tf.Tensor) => tf.relu(x));
  const x = tf.tensor1d([-1, 1]);
  for (let i = 0; i < 4; i++) fast(x).dispose();
  assert.deepEqual([...(await valuesOf(fast(x)))], [0, 1]);
});
