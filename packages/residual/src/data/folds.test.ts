import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldParts, stratifiedFolds } from './folds.ts';

const labels = Int32Array.from({ length: 103 }, (_, i) => (i < 60 ? 0 : i < 100 ? 1 : 2));

test('each class is dealt out evenly, and every sample is held out once', () => {
  const foldOf = stratifiedFolds(labels, 4, 9);
  for (const [label, from, to] of [
    [0, 0, 60],
    [1, 60, 100],
    [2, 100, 103],
  ]) {
    const sizes = [0, 1, 2, 3].map((fold) => foldOf.subarray(from, to).filter((one) => one === fold).length);
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `class ${label}: ${sizes}`);
  }
  const parts = [0, 1, 2, 3].map((fold) => foldParts(foldOf, fold));
  assert.deepEqual(
    parts.flatMap(({ held }) => [...held]).sort((a, b) => a - b),
    [...labels.keys()],
  );
  for (const { rest, held } of parts) assert.equal(rest.length + held.length, labels.length);
});

test('the seed alone decides, and copies stay together', () => {
  assert.deepEqual(stratifiedFolds(labels, 4, 9), stratifiedFolds(labels, 4, 9));
  assert.notDeepEqual(stratifiedFolds(labels, 4, 9), stratifiedFolds(labels, 4, 10));
  const groups = Int32Array.from(labels, (_, i) => i >> 1);
  const foldOf = stratifiedFolds(labels, 4, 9, groups);
  for (let i = 0; i + 1 < labels.length; i += 2) assert.equal(foldOf[i], foldOf[i + 1]);
});

test('an impossible number of folds is refused', () => {
  for (const folds of [1, 2.5, 104])
    assert.throws(() => stratifiedFolds(labels, folds, 0), /folds must be a whole number/);
});
