import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stratifiedSplit } from './split.ts';

const labels = Int32Array.from({ length: 300 }, (_, i) => (i < 200 ? 0 : i < 290 ? 1 : 2));

test('each class gives its share, and every sample is on one side', () => {
  const { kept, held } = stratifiedSplit(labels, 0.2, 1);
  const perClass = [0, 0, 0];
  for (const i of held) perClass[labels[i]]++;
  assert.deepEqual(perClass, [40, 18, 2]);
  assert.deepEqual(
    [...kept, ...held].sort((a, b) => a - b),
    [...labels.keys()],
  );
  assert.deepEqual(held, held.slice().sort());
  assert.deepEqual(kept, kept.slice().sort());
});

test('the seed decides, and nothing else', () => {
  assert.deepEqual(stratifiedSplit(labels, 0.2, 1), stratifiedSplit([...labels], 0.2, 1));
  assert.notDeepEqual(stratifiedSplit(labels, 0.2, 1).held, stratifiedSplit(labels, 0.2, 2).held);
});

test('held-out samples are not the first of their class', () => {
  const { held } = stratifiedSplit(labels, 0.2, 1);
  assert.ok(held.some((i) => i > 100 && i < 200));
});

test('a small class gives one sample, a single sample stays, and nobody gives all', () => {
  const { held } = stratifiedSplit([0, 1, 1, 2, 2, 2], 0.01, 1);
  assert.deepEqual(
    [...held].map((i) => [0, 1, 1, 2, 2, 2][i]),
    [1, 2],
  );
  const most = stratifiedSplit([0, 0, 0], 0.99, 1);
  assert.equal(most.kept.length, 1);
});

test('a fraction of 0 holds nothing out, and 1 is refused', () => {
  assert.equal(stratifiedSplit(labels, 0, 1).held.length, 0);
  for (const fraction of [1, -0.1, Number.NaN]) {
    assert.throws(() => stratifiedSplit(labels, fraction, 1), { name: 'DataError', message: /less than 1, received/ });
  }
});

test('copies of a picture stay on one side, across classes too', () => {
  const groups = Int32Array.from(labels, (_, i) => (i >= 150 && i < 250 ? i - (i % 2) : i));
  groups[299] = 0; // a copy of sample 0 under another label
  for (let seed = 0; seed < 20; seed++) {
    const { kept, held } = stratifiedSplit(labels, 0.3, seed, groups);
    const sides = new Set([...kept].map((i) => groups[i]));
    assert.ok([...held].every((i) => !sides.has(groups[i])));
    assert.ok(Math.abs(held.length - 90) <= 3, `${held.length}`);
  }
});
