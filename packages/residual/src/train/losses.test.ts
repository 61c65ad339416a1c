import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adamW } from './adamw.ts';
import { distillationRows } from './loss-distillation.ts';
import {
  balancedWeights,
  binaryCrossEntropy,
  crossEntropy,
  distillation,
  focal,
  type Loss,
  lossFromData,
} from './losses.ts';
import { tinyModel } from './testing.ts';

const LOGITS = [1.5, -2, 0.25, 3, -1, 1];
const TARGETS = [0.1, 0.2, 0.7, 0, 1, 0];
const logits = (values = LOGITS) => tf.tensor2d(values, [values.length / 3, 3]);
const targets = (values = TARGETS) => tf.tensor2d(values, [values.length / 3, 3]);

const softmax = (x: readonly number[]) => {
  const sum = x.reduce((total, value) => total + Math.exp(value), 0);
  return x.map((value) => Math.exp(value) / sum);
};
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const rowsOf = (values: readonly number[]) => [values.slice(0, 3), values.slice(3, 6)];
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** The definitions on doubles, of logits z and targets t of one row. */
const definitions: readonly (readonly [string, Loss, (z: number[], t: number[]) => number])[] = [
  ['crossEntropy', crossEntropy(), (z, t) => -sum(softmax(z).map((p, k) => (t[k] ?? 0) * Math.log(p)))],
  [
    'focal',
    focal({ gamma: 2, alpha: 0.25 }),
    (z, t) => -sum(softmax(z).map((p, k) => 0.25 * (t[k] ?? 0) * (1 - p) ** 2 * Math.log(p))),
  ],
  [
    'focal with a root and an alpha per class',
    focal({ gamma: 0.5, alpha: [1, 2, 3] }),
    (z, t) => -sum(softmax(z).map((p, k) => (k + 1) * (t[k] ?? 0) * (1 - p) ** 0.5 * Math.log(p))),
  ],
  [
    'binaryCrossEntropy',
    binaryCrossEntropy(),
    (z, t) =>
      -sum(z.map((x, k) => (t[k] ?? 0) * Math.log(sigmoid(x)) + (1 - (t[k] ?? 0)) * Math.log(1 - sigmoid(x)))) / 3,
  ],
  [
    'binaryCrossEntropy with positive weights',
    binaryCrossEntropy({ positiveWeights: [1, 4, 0.5] }),
    (z, t) =>
      -sum(
        z.map((x, k) => {
          const weight = [1, 4, 0.5][k] ?? 0;
          return weight * (t[k] ?? 0) * Math.log(sigmoid(x)) + (1 - (t[k] ?? 0)) * Math.log(1 - sigmoid(x));
        }),
      ) / 3,
  ],
];

/** Compares the gradient of a mean over rows with central differences of a function of plain numbers. */
function checkGradient(rows: (x: tf.Tensor2D) => tf.Tensor, plain: (z: number[]) => number, name: string) {
  const gradient = tf
    .grad((x) => tf.mul(3, tf.mean(rows(x as tf.Tensor2D))))(logits())
    .dataSync();
  LOGITS.forEach((_, i) => {
    const at = (by: number) => plain(LOGITS.map((value, j) => (j === i ? value + by : value)));
    const expected = (3 * (at(1e-4) - at(-1e-4))) / 2e-4;
    assert.ok(Math.abs((gradient[i] ?? 9) - expected) < 1e-5, `${name} ${i}: ${gradient[i]}, ${expected}`);
  });
}

for (const [name, loss, definition] of definitions) {
  test(`${name}: value, gradient and the function for compile agree with the definition`, () => {
    const expected = (values: readonly number[]) =>
      rowsOf(values).map((row, i) => definition(row, TARGETS.slice(3 * i, 3 * i + 3)));
    loss
      .rows(logits(), targets())
      .dataSync()
      .forEach((value, i) => {
        assert.ok(Math.abs(value - (expected(LOGITS)[i] ?? 9)) < 1e-5, `${value}, ${expected(LOGITS)}`);
      });
    checkGradient(
      (x) => loss.rows(x, targets()),
      (z) => sum(expected(z)) / 2,
      name,
    );
    const end = loss.answers === 'many' ? tf.sigmoid<tf.Tensor2D> : (x: tf.Tensor2D) => tf.softmax(x);
    loss(targets(), end(logits()))
      .dataSync()
      .forEach((value, i) => {
        assert.ok(Math.abs(value - (expected(LOGITS)[i] ?? 9)) < 1e-5, `compile: ${value}, ${expected(LOGITS)}`);
      });
  });

  test(`${name}: value and gradient stay finite and exact where probabilities cannot be told from 0 and 1`, () => {
    const far = [200, 0, -200, -90, 90, 30];
    const wrong = [0, 0, 1, 1, 0, 0];
    const { value, grad } = tf.valueAndGrad((x) => tf.sum(loss.rows(x as tf.Tensor2D, targets(wrong))))(
      logits(far),
    ) as {
      value: tf.Tensor;
      grad: tf.Tensor;
    };
    const right = tf.grad((x) => tf.sum(loss.rows(x as tf.Tensor2D, targets([1, 0, 0, 0, 1, 0]))))(logits(far));
    for (const number of [...value.dataSync(), ...grad.dataSync(), ...right.dataSync()]) {
      assert.ok(Number.isFinite(number), `${value.dataSync()} ${grad.dataSync()} ${right.dataSync()}`);
    }
    assert.ok((value.dataSync()[0] ?? 0) > 50);
  });
}

test('distillation: value and gradient agree with the definition, and no gradient flows to the teacher', () => {
  const taught = [0.5, 1, -1, 0, 2, 0.5];
  const [temperature, alpha] = [3, 0.7];
  const definition = (z: readonly number[]) =>
    rowsOf(z).map((row, i) => {
      const p = softmax(row.map((value) => value / temperature));
      const q = softmax(taught.slice(3 * i, 3 * i + 3).map((value) => value / temperature));
      const hard = -sum(softmax(row).map((value, k) => (TARGETS[3 * i + k] ?? 0) * Math.log(value)));
      const soft = temperature ** 2 * sum(q.map((value, k) => value * Math.log(value / (p[k] ?? 0))));
      return alpha * soft + (1 - alpha) * hard;
    });
  const rows = (x: tf.Tensor2D) => distillationRows(x, logits(taught), targets(), { temperature, alpha });
  rows(logits())
    .dataSync()
    .forEach((value, i) => {
      assert.ok(Math.abs(value - (definition(LOGITS)[i] ?? 9)) < 1e-5);
    });
  checkGradient(rows, (z) => sum(definition(z)) / 2, 'distillation');
  const same = distillationRows(logits(), logits(), targets(), { temperature: 5, alpha: 1 });
  assert.ok(Math.max(...same.dataSync().map(Math.abs)) < 1e-5);
});

test('smoothing and class weights act as in Keras', () => {
  const oneHot = targets([0, 0, 1, 0, 1, 0]);
  const p = tf.softmax(logits());
  const plain = (t: number[]) => -sum(Array.from(p.dataSync(), (value, i) => (t[i] ?? 0) * Math.log(value)));
  const smoothed = crossEntropy({ labelSmoothing: 0.3 })(oneHot, p).dataSync();
  assert.ok(Math.abs(sum([...smoothed]) - plain([0.1, 0.1, 0.8, 0.1, 0.8, 0.1])) < 1e-5);
  const weighted = crossEntropy({ classWeights: [1, 5, 0.5] })(oneHot, p).dataSync();
  assert.ok(Math.abs(sum([...weighted]) - plain([0, 0, 0.5, 0, 5, 0])) < 1e-5);
  const binary = binaryCrossEntropy({ labelSmoothing: 0.2, fromLogits: true })(oneHot, logits()).dataSync();
  const soft = binaryCrossEntropy({ fromLogits: true })(targets([0.1, 0.1, 0.9, 0.1, 0.9, 0.1]), logits()).dataSync();
  assert.ok(Math.abs(sum([...binary]) - sum([...soft])) < 1e-5);
  assert.deepEqual(balancedWeights([0, 0, 0, 1, 3, 3], 4), [0.5, 1.5, 0, 0.75]);
});

test('they go into model.compile and model.fit', async () => {
  const labels = [0, 1, 2, 0, 1, 2];
  const oneHot = tf.oneHot(labels, 3);
  const x = tf.add(
    tf.randomNormal([6, 8, 8, 1], 0, 0.2, 'float32', 1),
    tf.reshape(tf.tensor1d(labels, 'float32'), [6, 1, 1, 1]),
  );
  for (const loss of [crossEntropy({ labelSmoothing: 0.1 }), focal(), crossEntropy({ classWeights: [1, 2, 1] })]) {
    const model = tinyModel();
    model.compile({ optimizer: adamW({ learningRate: 0.02 }), loss, metrics: ['accuracy'] });
    const { history } = await model.fit(x, oneHot, { epochs: 12, batchSize: 6, shuffle: false });
    const [first, last] = [history.loss?.[0] as number, history.loss?.at(-1) as number];
    assert.ok(last < first, `${loss.kind}: ${first} to ${last}`);
    assert.ok(history.acc !== undefined);
    model.dispose();
  }
  const many = tfl.sequential({
    layers: [
      tfl.layers.flatten({ inputShape: [8, 8, 1] }),
      tfl.layers.dense({
        units: 3,
        activation: 'sigmoid',
        kernelInitializer: tfl.initializers.glorotUniform({ seed: 2 }),
      }),
    ],
  });
  many.compile({ optimizer: adamW({ learningRate: 0.02 }), loss: binaryCrossEntropy() });
  const { history } = await many.fit(
    x,
    tf.tensor2d([
      [1, 1, 0],
      [0, 1, 1],
      [0, 0, 0],
      [1, 1, 0],
      [0, 1, 1],
      [0, 0, 0],
    ]),
    {
      epochs: 10,
      shuffle: false,
    },
  );
  assert.ok((history.loss?.at(-1) as number) < (history.loss?.[0] as number));
  many.dispose();
});

test('losses come from their data, and mistakes end in one clear line', () => {
  const made = lossFromData({ name: 'focal', gamma: 1.5, classWeights: 'balanced' } as { name: string });
  assert.deepEqual([made.kind, made.config], ['focal', { gamma: 1.5, alpha: 0.25, classWeights: 'balanced' }]);
  assert.equal(lossFromData('binaryCrossEntropy').answers, 'many');
  assert.throws(
    () => lossFromData('mse'),
    /no loss is called 'mse'; there are crossEntropy, focal, binaryCrossEntropy/,
  );
  assert.throws(() => lossFromData('distillation'), /distillation needs its teacher/);
  assert.throws(() => focal({ gamma: -1 }), /focal: gamma must be 0 or more, received -1/);
  assert.throws(() => crossEntropy({ labelSmoothing: 1 }), /labelSmoothing must be at least 0 and less than 1/);
  const balanced = crossEntropy({ classWeights: 'balanced' });
  assert.throws(() => balanced(targets(), tf.softmax(logits())), /give balancedWeights\(labels, classes\)/);
  const taught = distillation({ teacher: tinyModel() });
  assert.throws(() => taught(targets(), logits()), /distillation: model.compile gives a loss no images/);
});
