/** The search space: how it is written, and that its values fill it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sample } from './sampler.ts';
import { dimensionOf, parseDimension, placeOf, valueAt } from './space.ts';

test('ranges and choices are written in a line', () => {
  const rate = { key: 'optimizer.learningRate', kind: 'range', low: 0.001, high: 1, scale: 'log', whole: false };
  assert.deepEqual(parseDimension('lr=1e-3..1:log'), rate);
  assert.deepEqual(dimensionOf('optimizer.learningRate', '0.001..1 log'), rate);
  const padding = { key: 'augment.randomCrop.padding', kind: 'range', low: 0, high: 4, scale: 'linear', whole: true };
  assert.deepEqual(parseDimension('crop-padding=0..4:whole'), padding);
  assert.deepEqual(parseDimension('a.b=[1, 2]'), { key: 'a.b', kind: 'choice', values: [1, 2] });
  assert.deepEqual(parseDimension('a.b=[cosine, true, 2]'), {
    key: 'a.b',
    kind: 'choice',
    values: ['cosine', true, 2],
  });
});

test('what is no space is refused in words', () => {
  for (const [text, message] of [
    ['lr', /--space needs a key and values/],
    ['lr=3', /must be a range as 1e-4\.\.1 log .* received "3"/],
    ['lr=1..0.1', /must rise from low to high/],
    ['lr=0..1:log', /must begin above 0/],
    ['lr=0.5..2:whole', /must have whole ends/],
    ['data.size=8..32:whole', /all its trials share the data/],
  ] as const) {
    assert.throws(() => parseDimension(text), { name: 'RecipeError', message }, text);
  }
});

test('values stay in their ranges, and their places are found again', () => {
  const rate = parseDimension('lr=1e-4..1:log');
  assert.equal(valueAt(rate, 0.5), 0.01);
  const whole = parseDimension('a.b=0..3:whole');
  const values = Array.from({ length: 400 }, (_, i) => valueAt(whole, i / 400));
  assert.deepEqual([...new Set(values)], [0, 1, 2, 3]);
  assert.equal(values.filter((value) => value === 3).length, 100);
  for (const place of [0, 0.25, 0.9]) assert.ok(Math.abs(placeOf(rate, valueAt(rate, place)) - place) < 1e-3);
});

test('trials leave no gap: of 16, each quarter of each range gets four or so', () => {
  const space = ['a.b=0..1', 'a.c=1e-3..1:log', 'a.d=0..1'].map(parseDimension);
  const trials = Array.from({ length: 16 }, (_, trial) => sample(space, 7, trial + 1));
  for (const dimension of space) {
    const quarters = [0, 0, 0, 0];
    for (const values of trials)
      quarters[Math.min(3, Math.floor(4 * placeOf(dimension, values[dimension.key] ?? 0)))]++;
    for (const count of quarters) assert.ok(count >= 2 && count <= 6, String(quarters));
  }
  assert.deepEqual(sample(space, 7, 3), trials[2]);
  assert.notDeepEqual(sample(space, 8, 3), trials[2]);
});
