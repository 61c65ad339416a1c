import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rankOfTruth, topKAccuracy } from './top-k.ts';

test("the example of scikit-learn's top_k_accuracy_score", () => {
  const scores = [0.5, 0.2, 0.2, 0.3, 0.4, 0.2, 0.2, 0.4, 0.3, 0.7, 0.2, 0.1];
  assert.equal(topKAccuracy(scores, [0, 1, 2, 2], 3, 2), 0.75);
  assert.equal(topKAccuracy(scores, [0, 1, 2, 2], 3, 3), 1);
  assert.equal(topKAccuracy(scores, [0, 1, 2, 2], 3, 1), 0.5);
});

test('of equals the first class leads', () => {
  assert.deepEqual(
    [0, 1, 2].map((actual) => rankOfTruth([0.4, 0.4, 0.2], actual)),
    [0, 1, 2],
  );
});
