import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../data/random.ts';
import { calibrationOf } from './calibration.ts';
import { fitTemperature, withTemperature } from './temperature.ts';

const classes = 5;

function softmax(logits: readonly number[]): number[] {
  const exponentials = logits.map(Math.exp);
  return exponentials.map((value) => value / exponentials.reduce((a, b) => a + b));
}

/** Labels drawn from the true probabilities; the network says softmax(`sharpness` × the true logits). */
function made(sharpness: number, seed: number, size = 4000) {
  const random = Random.at(seed);
  const probabilities: number[] = [];
  const labels: number[] = [];
  for (let i = 0; i < size; i++) {
    const logits = Array.from({ length: classes }, () => 3 * random.uniform(-1, 1));
    let u = random.uniform();
    labels.push(softmax(logits).findIndex((p, k) => (u -= p) < 0 || k === classes - 1));
    probabilities.push(...softmax(logits.map((z) => z * sharpness)));
  }
  return { probabilities, labels };
}

test('finds by how much the logits were too large', () => {
  for (const sharpness of [0.5, 1, 3]) {
    const { probabilities, labels } = made(sharpness, 5);
    const { temperature, lossBefore, lossAfter } = fitTemperature(probabilities, labels, classes);
    assert.ok(Math.abs(temperature / sharpness - 1) < 0.08, `${temperature} for ${sharpness}`);
    assert.ok(lossAfter <= lossBefore);
  }
});

test('no other temperature has a smaller loss', () => {
  const { probabilities, labels } = made(2, 8, 500);
  const { temperature, lossAfter } = fitTemperature(probabilities, labels, classes);
  const lossAt = (t: number) => {
    const scaled = withTemperature(probabilities, classes, t);
    return labels.reduce((sum, label, i) => sum - Math.log(scaled[i * classes + label]), 0) / labels.length;
  };
  assert.ok(Math.abs(lossAt(temperature) - lossAfter) < 1e-9);
  for (let t = 0.1; t < 10; t *= 1.05) assert.ok(lossAt(t) >= lossAfter - 1e-9, `at ${t}`);
});

test('calibrates other images than it was fitted on', () => {
  const { temperature } = fitTemperature(made(3, 1).probabilities, made(3, 1).labels, classes);
  const { probabilities, labels } = made(3, 2);
  const before = calibrationOf(probabilities, labels, classes);
  const after = calibrationOf(withTemperature(probabilities, classes, temperature), labels, classes);
  assert.ok(before.ece > 0.1 && after.ece < 0.03, `${before.ece} ${after.ece}`);
  assert.ok(before.overconfidence > 0.1 && after.brier < before.brier);
});

test('it is what softmax(logits / T) gives, and stays finite for certain and impossible classes', () => {
  const logits = [2, -1, 0.5, 0, 1];
  const expected = softmax(logits.map((z) => z / 1.7));
  withTemperature(softmax(logits), classes, 1.7).forEach((p, k) => {
    assert.ok(Math.abs(p - expected[k]) < 1e-12);
  });
  const certain = [1, 0, 0, 0, 0, 0, 1, 0, 0, 0];
  for (const labels of [
    [0, 1],
    [0, 0],
  ]) {
    const { temperature } = fitTemperature(certain, labels, classes);
    assert.ok(temperature >= 0.0499 && temperature <= 20.001, String(temperature));
    assert.ok(withTemperature(certain, classes, temperature).every(Number.isFinite));
  }
});
