import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accuracyOf, confusionCounts } from './confusion.ts';

test("the example of scikit-learn's confusion_matrix", () => {
  const counts = confusionCounts([2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2], 3);
  assert.deepEqual([...counts], [2, 0, 0, 0, 0, 1, 1, 0, 2]);
  assert.equal(accuracyOf(counts, 3), 4 / 6);
  assert.ok(Number.isNaN(accuracyOf(new Int32Array(9), 3)));
});
