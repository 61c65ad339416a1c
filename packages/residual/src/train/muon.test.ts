import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients
import { muon } from './muon.ts';
import { orthogonalize } from './newton-schulz.ts';
import { sgd } from './sgd.ts';

test('a matrix becomes nearly orthogonal and keeps its singular vectors', () => {
  for (const [rows, columns] of [
    [6, 4],
    [4, 6],
    [5, 5],
  ] as const) {
    // U and V with orthonormal columns, and singular values that lie far apart.
    const rank = Math.min(rows, columns);
    const orthonormal = (n: number, seed: number) => tf.linalg.qr(tf.randomNormal([n, rank], 0, 1, 'float32', seed))[0];
    const [u, v] = [orthonormal(rows, 1), orthonormal(columns, 2)];
    const values = tf.tensor1d(Array.from({ length: rank }, (_, i) => 10 / 3 ** i));
    const matrix = tf.matMul<tf.Tensor2D>(tf.mul(u, values), v, false, true);
    const result = orthogonalize(matrix, 10);
    // In the basis of the singular vectors it is diagonal, with all values near 1.
    const diagonal = tf.matMul(tf.matMul(u, result, true), v).arraySync() as number[][];
    diagonal.forEach((row, i) => {
      row.forEach((value, j) => {
        if (i === j) assert.ok(value > 0.6 && value < 1.3, `${value}`);
        else assert.ok(Math.abs(value) < 1e-3, `${value}`);
      });
    });
  }
});

/** The formula on plain numbers: out, the matrix of a kernel, row-major. */
function newtonSchulz(matrix: number[][], steps: number): number[][] {
  const product = (a: number[][], b: number[][]) =>
    a.map((row) => (b[0] ?? []).map((_, j) => row.reduce((sum, x, k) => sum + x * (b[k]?.[j] ?? 0), 0)));
  const transpose = (a: number[][]) => (a[0] ?? []).map((_, j) => a.map((row) => row[j] ?? 0));
  const norm = Math.hypot(...matrix.flat());
  let x = matrix.map((row) => row.map((value) => value / (norm + 1e-7)));
  for (let i = 0; i < steps; i++) {
    const gram = product(x, transpose(x));
    const square = product(gram, gram);
    const mix = gram.map((row, r) => row.map((value, c) => -4.775 * value + 2.0315 * (square[r]?.[c] ?? 0)));
    const mixed = product(mix, x);
    x = x.map((row, r) => row.map((value, c) => 3.4445 * value + (mixed[r]?.[c] ?? 0)));
  }
  return x;
}

test('convolutions get orthogonal steps with Nesterov momentum and decay, all else goes to the others', () => {
  const kernel = tf.variable(tf.randomNormal([1, 2, 1, 3], 0, 1, 'float32', 3), true, 'c/kernel');
  const bias = tf.variable(tf.tensor1d([1, 2, 3]), true, 'c/bias');
  const fc = tf.variable(tf.tensor2d([[1, 2]]), true, 'f/kernel');
  const optimizer = muon({
    learningRate: 0.1,
    momentum: 0.9,
    weightDecay: 0.2,
    others: sgd({ learningRate: 0.5 }),
    learningRateFactors: { 'c/*': 0.5 },
  });
  const target = tf.randomNormal([1, 2, 1, 3], 0, 1, 'float32', 4);
  const loss = () =>
    tf.addN([tf.sum(tf.square(tf.sub(kernel, target))), tf.sum(bias), tf.sum(tf.square(fc))]) as tf.Scalar;
  const [goal, first] = [Array.from(target.dataSync()), Array.from(kernel.dataSync())];
  let [w, v] = [first, first.map(() => 0)];
  for (let step = 0; step < 3; step++) {
    optimizer.minimize(loss, false, [kernel, bias, fc]);
    const g = w.map((value, i) => 2 * (value - (goal[i] ?? 0)));
    v = v.map((value, i) => 0.9 * value + (g[i] ?? 0));
    const u = g.map((value, i) => value + 0.9 * (v[i] ?? 0));
    const o = newtonSchulz([u.slice(0, 3), u.slice(3)], 5).flat();
    w = w.map((value, i) => value - value * 0.2 * 0.05 - 0.05 * Math.sqrt(3 / 2) * (o[i] ?? 0));
    kernel.dataSync().forEach((value, i) => {
      assert.ok(Math.abs(value - (w[i] ?? 0)) < 1e-5, `${step}: ${value}, ${w[i]}`);
    });
  }
  assert.deepEqual(Array.from(bias.dataSync()), [-0.5, 0.5, 1.5]);
  assert.deepEqual(Array.from(fc.dataSync()), [0, 0]);
  for (const variable of [kernel, bias, fc]) variable.dispose();
  optimizer.dispose();
});

test('impossible options end in one clear line', () => {
  assert.throws(() => muon({ momentum: -0.1 }), /muon: momentum must be at least 0 and less than 1, received -0.1/);
  assert.throws(() => muon({ steps: 0 }), /muon: steps must be a whole number from 1 up, received 0/);
});
