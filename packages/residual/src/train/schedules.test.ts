import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constant, cosineDecay, toSchedule } from './schedules.ts';

const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}, ${expected}`);

test('cosine decay gives the values of the Keras formula', () => {
  const schedule = cosineDecay(0.1, 10_000, { alpha: 0.1 });
  close(schedule.at(0), 0.1);
  close(schedule.at(2_500), 0.1 * (0.9 * 0.5 * (1 + Math.SQRT1_2) + 0.1));
  close(schedule.at(5_000), 0.055);
  close(schedule.at(10_000), 0.01);
  close(schedule.at(99_999), 0.01);
});

test('a warm-up climbs in a line and puts the decay off', () => {
  const schedule = cosineDecay(0.4, 100, { warmupSteps: 10 });
  close(schedule.at(0), 0);
  close(schedule.at(5), 0.2);
  close(schedule.at(10), 0.4);
  close(schedule.at(60), 0.2);
  close(schedule.at(110), 0);
});

test('a number is a constant schedule, and nonsense is refused', () => {
  assert.equal(toSchedule(0.3).at(1_000_000), 0.3);
  assert.equal(toSchedule(constant(0.2)).at(0), 0.2);
  assert.throws(() => cosineDecay(0.1, 0), /steps must be more than 0, received 0/);
  assert.throws(() => constant(Number.NaN), /learning rate must be a number from 0 up, received NaN/);
});
