import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classScores, macroAverage, weightedAverage } from './class-scores.ts';
import { accuracyOf, confusionCounts } from './confusion.ts';

/** Two digits, as scikit-learn prints them. */
const two = (scores: object) => Object.values(scores).map((value: number) => value.toFixed(2));

test("the example of scikit-learn's classification_report", () => {
  const scores = classScores(confusionCounts([0, 1, 2, 2, 2], [0, 0, 2, 2, 1], 3), 3);
  assert.deepEqual(scores.map(two), [
    ['0.50', '1.00', '0.67', '1.00'],
    ['0.00', '0.00', '0.00', '1.00'],
    ['1.00', '0.67', '0.80', '3.00'],
  ]);
  assert.deepEqual(two(macroAverage(scores)), ['0.50', '0.56', '0.49']);
  assert.deepEqual(two(weightedAverage(scores)), ['0.70', '0.60', '0.61']);
});

test('the weighted recall is the accuracy; a class without images moves no mean', () => {
  const counts = [5, 1, 0, 2, 8, 0, 0, 0, 0];
  const scores = classScores(counts, 3);
  assert.ok(Math.abs(weightedAverage(scores).recall - accuracyOf(counts, 3)) < 1e-12);
  assert.deepEqual(macroAverage(scores), macroAverage(scores.slice(0, 2)));
  assert.deepEqual(macroAverage(classScores([0], 1)), { precision: 0, recall: 0, f1: 0 });
});
