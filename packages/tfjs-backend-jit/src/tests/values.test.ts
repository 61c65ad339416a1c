/** How values enter and leave the backend: arrays that are used again, other backends, odd types, constants, errors. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { floats } from './testing/compare.ts';

before(async () => {
  await tf.setBackend('jit');
});

const sizes = [3, 5000];

for (const size of sizes) {
  test(`an array of ${size} may be used again as soon as a tensor is made of it`, async () => {
    const buffer = new Float32Array(size);
    const tensors: tf.Tensor[] = [];
    let sum: tf.Tensor = tf.zeros([size]);
    for (let i = 1; i <= 5; i++) {
      buffer.fill(i);
      const x = tf.tensor1d(buffer);
      tensors.push(tf.mul(x, 10));
      sum = tf.add(sum, x);
    }
    buffer.fill(-1);
    tensors.forEach((tensor, i) => {
      assert.equal(tensor.dataSync()[size - 1], 10 * (i + 1));
    });
    assert.equal(sum.dataSync()[0], 15);
  });
}

test('an array may be used again while earlier runs are under way', async () => {
  const [a, buffer] = [floats([400, 400]), new Float32Array(1000)];
  const results: tf.Tensor[] = [];
  for (let i = 1; i <= 10; i++) {
    buffer.fill(i);
    results.push(tf.add(tf.tensor1d(buffer), tf.mul(tf.sum(tf.matMul(a, a)), 0)));
    await Promise.resolve();
  }
  for (const [i, result] of results.entries()) assert.equal((await result.data())[999], i + 1);
});

test('what dataSync gave stays as it is', () => {
  const x = tf.variable(tf.add(tf.tensor1d([1, 2, 3]), 1));
  const values = x.dataSync();
  x.assign(tf.mul(x, 2));
  x.dataSync();
  assert.deepEqual([...values], [2, 3, 4]);
});

test('tensors move between backends, types as they are', async () => {
  await tf.setBackend('cpu');
  const [ints, mask] = [tf.tensor1d([1, -2, 3], 'int32'), tf.tensor1d([true, false, true], 'bool')];
  const converted = tf.cast(ints, 'float32'); // the cpu backend keeps the integers' array
  const computed = tf.mul(tf.tensor1d([0.5, 1.5, 2.5]), 2);
  await tf.setBackend('jit');
  const sum = tf.add(tf.add(converted, computed), tf.cast(tf.logicalNot(mask), 'float32'));
  assert.deepEqual([...sum.dataSync()], [2, 2, 8]);
  assert.deepEqual([...tf.add(ints, 1).dataSync()], [2, -1, 4]);
  const pending = tf.neg(sum);
  await tf.setBackend('cpu');
  assert.deepEqual([...tf.add(pending, sum).dataSync()], [0, 0, 0]);
  await tf.setBackend('jit');
});

test('parts of larger arrays, and arrays of other types', () => {
  const all = Float32Array.from({ length: 3000 }, (_, i) => i);
  assert.deepEqual([...tf.add(tf.tensor1d(all.subarray(10, 13)), 1).dataSync()], [11, 12, 13]);
  assert.equal(tf.sum(tf.tensor1d(all.subarray(1000, 2000))).dataSync()[0], 1_499_500);
  assert.deepEqual([...tf.add(tf.tensor1d(Uint8Array.of(1, 255), 'int32'), 1).dataSync()], [2, 256]);
  assert.deepEqual([...tf.mul(tf.tensor1d(Int32Array.of(1, -7), 'float32'), 0.5).dataSync()], [0.5, -3.5]);
  assert.deepEqual([...tf.mul(tf.tensor1d([1, 2]), tf.tensor1d([3, 4])).dataSync()], [3, 8]);
});

test('constants that take no memory are values like others', () => {
  for (const dtype of ['float32', 'int32', 'bool'] as const) {
    const [zeros, ones] = [tf.zeros([50, 40], dtype), tf.ones([50, 40], dtype)];
    assert.ok(zeros.dataSync().every((v) => v === 0));
    assert.ok(ones.dataSync().every((v) => v === 1));
    assert.equal(tf.sum(ones).dataSync()[0], 2000);
  }
  const almost = new Float32Array(2000);
  almost[1999] = -0;
  const inverse = tf.reciprocal(tf.tensor1d(almost)).dataSync();
  assert.equal(inverse[0], Number.POSITIVE_INFINITY);
  assert.equal(inverse[1999], Number.NEGATIVE_INFINITY);
  const variable = tf.variable(tf.zeros([3000]));
  variable.assign(tf.add(variable, tf.ones([3000])));
  variable.assign(tf.add(variable, tf.ones([3000])));
  assert.ok(variable.dataSync().every((v) => v === 2));
});

test('attributes that JSON cannot tell apart make programs of their own', () => {
  const x = tf.tensor1d([1]);
  const ends = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN, -0, 0];
  for (const value of ends) assert.ok(Object.is(tf.pad1d(x, [1, 0], value).dataSync()[0], value), `${value}`);
});

test('mistakes are told as on cpu, at the call', () => {
  const [a, b] = [tf.zeros([2, 3]), tf.zeros([4, 5])];
  assert.throws(() => tf.add(a, b), /Operands could not be broadcast together with shapes 2,3 and 4,5/);
  assert.throws(() => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D), /inner shapes \(3\) and \(4\)/);
  assert.throws(() => tf.slice(a, [0, 2], [2, 2]), /begin\[1\] \+ size\[1\]/);
  assert.throws(() => tf.reshape(a, [4, 2]), /Size\(6\) must match the product of shape 4,2/);
  assert.throws(() => tf.concat([a, b], 1), /rank|Shape/);
  const gone = tf.zeros([2]);
  gone.dispose();
  assert.throws(() => gone.dataSync(), /is disposed/);
});

test('an index out of range is told where it is known, and harms nobody where it is computed', () => {
  const [x, far] = [floats([10, 3]), tf.tensor1d([0, 1_000_000_000, -5], 'int32')];
  assert.throws(() => tf.gather(x, far), /index value 1000000000 is not in \[0, 9\]/);
  const rows = tf.gather(x, tf.neg(tf.neg(far))).dataSync();
  assert.deepEqual([...rows.slice(0, 3)], [...x.dataSync().slice(0, 3)]);
  assert.ok(
    tf
      .oneHot(tf.neg(tf.neg(far)), 4)
      .dataSync()
      .every((v, i) => v === (i === 0 ? 1 : 0)),
  );
  assert.deepEqual([...tf.add(tf.tensor1d([1]), 1).dataSync()], [2]);
});
