/** Successive halving: which trial is next, to the end of a search, whatever the scores. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bestTrial, nextTask, type Plan, rungsOf, type Score } from './halving.ts';

/** Runs a search whose trials are worth what `worth` says. */
function search(plan: Plan, worth: (trial: number, rung: number) => number): Score[] {
  const scores: Score[] = [];
  for (let task = nextTask(plan, scores); task !== undefined; task = nextTask(plan, scores)) {
    assert.ok(scores.length < 1000);
    scores.push({ ...task, score: worth(task.trial, task.rung) });
  }
  return scores;
}

test('rungs multiply up to the whole run', () => {
  assert.deepEqual(rungsOf(1, 9, 3), [1, 3, 9]);
  assert.deepEqual(rungsOf(1, 10, 3), [1, 3, 9, 10]);
  assert.deepEqual(rungsOf(2, 2, 3), [2]);
  assert.deepEqual(rungsOf(5, 3, 2), [3]);
});

test('of each rung one in `keep` goes on, the good ones, and one gets to the end', () => {
  const plan = { trials: 27, keep: 3, rungs: [1, 3, 9] };
  // In no order; trial 4 is the best.
  const worth = (trial: number) => -Math.abs(((10 * trial) % 27) - 13);
  const scores = search(plan, worth);
  const count = (rung: number) => scores.filter((one) => one.rung === rung).length;
  assert.equal(count(0), 27);
  // Asynchronous: a trial that led when it was judged goes on, so more may than a third.
  assert.ok(count(1) >= 9 && count(1) <= 18, String(count(1)));
  assert.ok(count(2) >= 1 && count(2) <= 8, String(count(2)));
  assert.equal(bestTrial(scores)?.trial, 4);
  assert.equal(bestTrial(scores)?.rung, 2);
  assert.deepEqual(scores, search(plan, worth));
});

test('few trials still end with one that was trained to its end; failed ones never go on', () => {
  const two = search({ trials: 2, keep: 3, rungs: [1, 3, 9] }, (trial) => trial);
  assert.deepEqual(bestTrial(two), { trial: 1, rung: 2, score: 1 });
  const failing = search({ trials: 6, keep: 2, rungs: [1, 2] }, (trial) =>
    trial === 4 ? 0.5 : Number.NEGATIVE_INFINITY,
  );
  assert.deepEqual(
    failing.filter(({ rung }) => rung === 1).map(({ trial }) => trial),
    [4],
  );
  const all = search({ trials: 3, keep: 2, rungs: [1, 2] }, () => Number.NEGATIVE_INFINITY);
  assert.equal(all.length, 3);
  assert.deepEqual(nextTask({ trials: 1, keep: 2, rungs: [4] }, [{ trial: 0, rung: 0, score: 1 }]), undefined);
});
