import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { adamW } from './adamw.ts';
import { learningRateRange } from './learning-rate-range.ts';
import { focal } from './losses.ts';
import type { Schedule } from './schedule.ts';
import { halves, tinyModel, weightsOf } from './testing.ts';

test('the rate climbs until the loss explodes, and the model is put back bit for bit', async () => {
  const model = tinyModel();
  const before = await weightsOf(model);
  const data = halves(60, 1);
  const count = tf.memory().numTensors;
  const seen: number[] = [];
  const onStep = ({ learningRate }: { learningRate: number }) => void seen.push(learningRate);
  const range = await learningRateRange(model, data, {
    low: 1e-4,
    high: 1e5,
    steps: 60,
    batchSize: 12,
    seed: 2,
    onStep,
  });
  assert.equal(tf.memory().numTensors, count);
  assert.deepEqual(await weightsOf(model), before);
  const { points, exploded, suggested = Number.NaN } = range;
  assert.ok(exploded && points.length < 60 && points.length > 20, `${points.length}`);
  assert.deepEqual(
    seen,
    points.map(({ learningRate }) => learningRate),
  );
  points.forEach(({ learningRate, loss, smoothed }, i) => {
    assert.ok(Math.abs(learningRate / (1e-4 * 1e9 ** (i / 59)) - 1) < 1e-9);
    const weights = points.slice(0, i + 1).map((_, j) => 0.95 ** (i - j));
    const mean = points.slice(0, i + 1).reduce((sum, point, j) => sum + point.loss * (weights[j] ?? 0), 0);
    assert.ok(Math.abs(smoothed - mean / weights.reduce((a, b) => a + b, 0)) < 1e-9 * Math.max(1, loss));
  });
  const means = points.map(({ smoothed }) => smoothed);
  const [first, lowest] = [means[0] ?? 0, Math.min(...means)];
  const there = points[means.findIndex((mean) => mean <= lowest + 0.05 * (first - lowest))];
  assert.equal(suggested, (there?.learningRate ?? 0) / 10);
  assert.ok(suggested > 1e-3 && suggested < (points.at(-1)?.learningRate ?? 0) / 10, `${suggested}`);
  const limit = 1.25 * Math.max(...means.slice(0, 6));
  assert.ok((means.at(-1) ?? 0) > limit && (means.at(-2) ?? 9) <= limit);
  const again = await learningRateRange(model, data, { low: 1e-4, high: 1e5, steps: 60, batchSize: 12, seed: 2 });
  assert.deepEqual(again, range);
});

test('it takes other optimizers and losses, tells of a range that was too low, and puts back what a signal ends', async () => {
  const model = tinyModel();
  const data = halves(24, 1);
  const shared = { batchSize: 12, steps: 6, loss: focal({ classWeights: 'balanced' }) };
  const optimizer = (learningRate: Schedule) => adamW({ learningRate });
  const range = await learningRateRange(model, data, { ...shared, optimizer, low: 1e-9, high: 1e-8 });
  assert.deepEqual([range.exploded, range.suggested, range.points.length], [false, undefined, 6]);
  const before = await weightsOf(model);
  const controller = new AbortController();
  const onStep = () => controller.abort(new Error('enough'));
  await assert.rejects(learningRateRange(model, data, { ...shared, signal: controller.signal, onStep }), /enough/);
  assert.deepEqual(await weightsOf(model), before);
  await assert.rejects(
    learningRateRange(model, data, { low: 1, high: 0.1 }),
    /high must be more than low, received 0.1/,
  );
});
