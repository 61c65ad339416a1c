/** Batching under load: what waits runs together, within its bound, and nothing is mixed up or lost. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planBatches } from './batch-plan.ts';
import { Batcher } from './batcher.ts';
import { ServeError } from './errors.ts';
import { Servable } from './servable.ts';
import { brightness, type FakeClassifier } from './testing.ts';

const never = new AbortController().signal;
const grey = (value: number) => ({ kind: 'bytes', values: new Uint8Array(48).fill(value) }) as const;

async function setUp(classifier: FakeClassifier, { queue = 8 } = {}) {
  const servable = await Servable.start('m', 1, classifier, 4);
  classifier.batches.length = 0;
  // Not by the clock: a batch costs little more than one picture.
  Object.defineProperty(servable, 'plan', { value: planBatches(new Map([1, 2, 4].map((size) => [size, 10 + size]))) });
  const batcher = new Batcher({ queue, maxWait: 0 });
  const ask = async (value: number, signal = never) => {
    const [place] = batcher.reserve(1, 1);
    assert.ok(place);
    return Number((await batcher.classify(servable, grey(value), place, signal))[1]);
  };
  return { servable, batcher, ask };
}

test('a free engine starts at once; what comes meanwhile runs together', async () => {
  const classifier = brightness();
  const { batcher, ask } = await setUp(classifier);
  const go = classifier.hold();
  const first = ask(255);
  await new Promise(setImmediate);
  assert.equal(batcher.length, 0, 'the first is with the engine');
  const others = [0, 51, 102, 153].map((value) => ask(value));
  await new Promise(setImmediate);
  go();
  assert.equal(await first, 1);
  assert.deepEqual(await Promise.all(others), [0, 0.2, 0.4, 0.6]);
  assert.deepEqual(classifier.batches, [1, 4]);
  assert.equal(batcher.length, 0);
});

test('the queue keeps to its bound, and says when to come back', async () => {
  const classifier = brightness();
  const { batcher, ask } = await setUp(classifier, { queue: 3 });
  const go = classifier.hold();
  const running: Promise<number>[] = [];
  // The engine takes what it may have at once, then the queue fills.
  for (let i = 0; i < 40; i++) {
    if (batcher.length === 3) break;
    running.push(ask(i));
    await new Promise(setImmediate);
  }
  assert.equal(batcher.length, 3);
  assert.throws(
    () => batcher.reserve(1, 1),
    (error) => error instanceof ServeError && error.status === 503 && (error.retryAfter ?? 0) >= 1,
  );
  assert.throws(
    () => batcher.reserve(4, 1),
    (error) => error instanceof ServeError && error.status === 413,
  );
  go();
  const answers = await Promise.all(running);
  for (const [i, answer] of answers.entries()) assert.ok(Math.abs(answer - i / 255) < 1e-9);
});

test('whoever goes away leaves the queue', async () => {
  const classifier = brightness();
  const { batcher, ask } = await setUp(classifier, { queue: 20 });
  const go = classifier.hold();
  const running = Array.from({ length: 12 }, () => ask(10));
  await new Promise(setImmediate);
  const before = batcher.length;
  assert.ok(before > 0);
  const leaver = new AbortController();
  const left = ask(10, leaver.signal);
  await new Promise(setImmediate);
  assert.equal(batcher.length, before + 1);
  leaver.abort(new Error('gone'));
  await assert.rejects(left, /gone/);
  assert.equal(batcher.length, before);
  go();
  await Promise.all(running);
  assert.equal(
    classifier.batches.reduce((a, b) => a + b, 0),
    12,
  );
});

test('models are not mixed in a batch', async () => {
  const [a, b] = [brightness(), brightness({ classes: ['night', 'day'] })];
  const one = await Servable.start('a', 1, a, 4);
  const two = await Servable.start('b', 1, b, 4);
  const batcher = new Batcher({ queue: 64, maxWait: 0 });
  const go = [a.hold(), b.hold()];
  const asked = Array.from({ length: 32 }, async (_, i) => {
    const [place] = batcher.reserve(1, 1);
    assert.ok(place);
    const row = await batcher.classify(i % 2 === 0 ? one : two, grey(i), place, never);
    assert.ok(Math.abs(Number(row[1]) - i / 255) < 1e-9);
  });
  for (const open of go) open();
  await Promise.all(asked);
});

test('an engine that fails says so, and is found broken', async () => {
  const classifier = brightness();
  const { servable, batcher } = await setUp(classifier);
  Object.assign(classifier, { classify: async () => Promise.reject(new Error('trap')) });
  for (let i = 0; i < 3; i++) {
    assert.equal(batcher.broken, false);
    const [place] = batcher.reserve(1, 1);
    assert.ok(place);
    await assert.rejects(batcher.classify(servable, grey(1), place, never), /trap/);
  }
  assert.equal(batcher.broken, true);
  assert.equal(batcher.length, 0);
});
