/** Which batches run follows from what each size was measured to take. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchSizes, planBatches } from './batch-plan.ts';

test('sizes are powers of two and the largest', () => {
  assert.deepEqual(batchSizes(1), [1]);
  assert.deepEqual(batchSizes(16), [1, 2, 4, 8, 16]);
  assert.deepEqual(batchSizes(12), [1, 2, 4, 8, 12]);
});

test('where every picture costs the same, nothing is filled up', () => {
  const plan = planBatches(
    new Map([
      [1, 10],
      [2, 20],
      [4, 40],
      [8, 80],
    ]),
  );
  assert.deepEqual([1, 2, 3, 4, 5, 8, 30].map(plan.next), [1, 2, 2, 4, 4, 8, 8]);
  assert.equal(plan.efficient, 1);
  assert.equal(plan.perPicture, 10);
});

test('where a batch costs the same whatever its size, it is filled up', () => {
  const plan = planBatches(
    new Map([
      [1, 10],
      [2, 10],
      [4, 10],
      [8, 10],
    ]),
  );
  assert.deepEqual([1, 2, 3, 5, 8, 9].map(plan.next), [8, 8, 8, 8, 8, 8]);
  assert.equal(plan.efficient, 8);
});

test('what lies between is decided by the whole time', () => {
  const plan = planBatches(
    new Map([
      [1, 10],
      [2, 12],
      [4, 20],
    ]),
  );
  // Three: 4 at once take 20, 2 and 1 take 22.
  assert.deepEqual([1, 2, 3, 4].map(plan.next), [1, 2, 4, 4]);
});
