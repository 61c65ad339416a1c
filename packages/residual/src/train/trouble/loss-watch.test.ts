import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chanceOf, LossWatch } from './loss-watch.ts';

const chance = { accuracy: 0.1, loss: Math.log(10) };

/** The first step at which something is wrong, and what. */
function watch(losses: readonly number[], correct = 16): readonly [step: number, wrong: string] | undefined {
  const watcher = new LossWatch(chance);
  for (const [i, loss] of losses.entries()) {
    const wrong = watcher.see(i + 1, loss, correct, 32);
    if (wrong !== undefined) return [i + 1, wrong];
  }
  return undefined;
}

test('a loss that is not finite is seen at once', () => {
  assert.deepEqual(watch([2.3, Number.NaN]), [2, 'the loss is NaN at step 2']);
  assert.deepEqual(watch([2.3, Number.POSITIVE_INFINITY]), [2, 'the loss is Infinity at step 2']);
});

test('an explosion is told from a bad batch, a rough start and a slow rise', () => {
  const calm = Array.from({ length: 40 }, (_, i) => 2.3 - 0.04 * i);
  assert.equal(watch([...calm, 9, 0.7, 0.6, 12, 0.7]), undefined);
  assert.equal(watch([2.5, 6, 8, 7, 5, 4, 3, 2.5, 2.3, 2.2, 2.1]), undefined);
  assert.equal(watch(Array.from({ length: 200 }, (_, i) => 0.01 + 0.002 * i)), undefined);
  assert.equal(watch([...calm, 5, 9, 20, 40, 80])?.[0], 44);
  assert.match(watch([...calm, 5, 9, 20, 40, 80])?.[1] ?? '', /explodes: 9 at step 44, where 1.5\d was usual/);
  assert.equal(watch([...calm, 900])?.[0], 41);
  // A loss near zero may rise tenfold: it is still far better than guessing.
  assert.equal(watch([...Array(30).fill(0.01), ...Array(10).fill(0.2)]), undefined);
});

test('fifty steps at chance ask for a look at the activations, once in fifty steps', () => {
  const watcher = new LossWatch(chance);
  const asked: number[] = [];
  for (let step = 1; step <= 120; step++) {
    if (watcher.state.probeBefore === step) {
      asked.push(step);
      watcher.probedBefore(step);
    }
    watcher.see(step, 2.31, 3, 32);
  }
  assert.deepEqual(asked, [52, 104]);
  assert.ok(watcher.isStuck);
  const learning = new LossWatch(chance);
  for (let step = 1; step <= 60; step++) learning.see(step, 2.2, 8, 32);
  assert.equal(learning.state.probeBefore, undefined);
});

test('its memory goes through JSON', () => {
  const [a, b] = [new LossWatch(chance), new LossWatch(chance)];
  for (let step = 1; step <= 70; step++) {
    const loss = 2.3 + 0.1 * Math.sin(step);
    b.state = JSON.parse(JSON.stringify(b.state));
    assert.equal(a.see(step, loss, 3, 32), b.see(step, loss, 3, 32));
  }
  assert.deepEqual(a.state, b.state);
});

test('chance follows the shares of the classes', () => {
  const { accuracy, loss } = chanceOf(Int32Array.of(0, 0, 0, 1), 3);
  assert.equal(accuracy, 0.75);
  assert.ok(Math.abs(loss - (0.75 * Math.log(4 / 3) + 0.25 * Math.log(4))) < 1e-12);
});
