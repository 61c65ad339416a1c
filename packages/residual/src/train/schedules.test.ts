import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scheduleFromData, scheduleNames, scheduleToData } from './schedule-config.ts';
import {
  constant,
  cosineDecay,
  cosineDecayRestarts,
  exponentialDecay,
  exponentialRange,
  oneCycle,
  piecewiseConstant,
  polynomialDecay,
  toSchedule,
} from './schedules.ts';

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

/** Keras's closed form of CosineDecayRestarts, in doubles. */
function kerasRestarts(step: number, steps: number, tMul: number, mMul: number, alpha: number): number {
  let done = step / steps;
  let restarts = Math.floor(done);
  if (tMul === 1) done -= restarts;
  else {
    restarts = Math.floor(Math.log(1 - done * (1 - tMul)) / Math.log(tMul) + 1e-12);
    done = (done - (1 - tMul ** restarts) / (1 - tMul)) / tMul ** restarts;
  }
  return (1 - alpha) * 0.5 * mMul ** restarts * (1 + Math.cos(Math.PI * done)) + alpha;
}

test('a warm-up begins where it is told to', () => {
  const schedule = cosineDecay(0.4, 100, { warmupSteps: 10, warmupFrom: 0.1 });
  close(schedule.at(0), 0.1);
  close(schedule.at(5), 0.25);
  close(schedule.at(10), 0.4);
});

test('restarts give the values of the Keras formula, on both sides of each boundary', () => {
  for (const [tMul, mMul, alpha] of [
    [2, 1, 0],
    [1, 0.9, 0],
    [1.5, 0.8, 0.1],
    [3, 1.1, 0.05],
  ] as const) {
    const schedule = cosineDecayRestarts(0.2, 10, { tMul, mMul, alpha });
    for (let step = 0; step < 200; step++) {
      close(schedule.at(step), 0.2 * kerasRestarts(step, 10, tMul, mMul, alpha));
    }
  }
  const plain = cosineDecayRestarts(1, 10);
  close(plain.at(10), 1);
  close(plain.at(30), 1);
  close(plain.at(20), 0.5);
});

test('steps hold up to and including their boundary, as in Keras', () => {
  const schedule = piecewiseConstant([100, 110, 120], [1, 0.1, 0.01, 0.001]);
  const expected = { 0: 1, 100: 1, 101: 0.1, 110: 0.1, 111: 0.01, 120: 0.01, 121: 0.001, 999: 0.001 };
  for (const [step, rate] of Object.entries(expected)) assert.equal(schedule.at(Number(step)), rate, step);
});

test('exponential and polynomial decay give the values of the Keras formulas', () => {
  close(exponentialDecay(0.05, 10, 0.96).at(5), 0.05 * 0.96 ** 0.5);
  const stairs = exponentialDecay(0.1, 3, 0.96, { staircase: true });
  for (const step of [0, 2, 3, 100]) close(stairs.at(step), 0.1 * 0.96 ** Math.floor(step / 3));

  close(polynomialDecay(0.05, 10, { end: 0.001 }).at(5), (0.05 + 0.001) * 0.5);
  close(polynomialDecay(0.05, 10, { end: 0.001, power: 0.5 }).at(5), 0.049 * 0.5 ** 0.5 + 0.001);
  close(polynomialDecay(0.05, 10, { end: 0.001 }).at(15), 0.001);
  const cycle = polynomialDecay(0.05, 10, { end: 0.001, cycle: true });
  close(cycle.at(0), 0.05);
  close(cycle.at(10), 0.001);
  close(cycle.at(15), 0.049 * 0.25 + 0.001);
  close(polynomialDecay(1, 10).at(10), 0.0001);
});

test('one cycle rises and falls as PyTorch has it', () => {
  // torch.optim.lr_scheduler.OneCycleLR(max_lr=0.4, total_steps=20): phases end at 0.3·20 − 1 and 20 − 1.
  const cosine = (from: number, to: number, done: number) => to + ((from - to) / 2) * (1 + Math.cos(Math.PI * done));
  const schedule = oneCycle(0.4, 20);
  close(schedule.at(0), 0.016);
  close(schedule.at(3), cosine(0.016, 0.4, 3 / 5));
  close(schedule.at(5), 0.4);
  close(schedule.at(12), cosine(0.4, 1.6e-6, 7 / 14));
  close(schedule.at(19), 1.6e-6);
  close(schedule.at(40), 1.6e-6);
  const linear = oneCycle(1, 11, { rise: 6 / 11, divide: 10, finalDivide: 100, ramp: 'linear' });
  close(linear.at(0), 0.1);
  close(linear.at(1), 0.1 + 0.9 / 5);
  close(linear.at(5), 1);
  close(linear.at(6), 1 - (1 - 0.001) / 5);
  close(linear.at(10), 0.001);
});

test('a range climbs by the same factor at each step', () => {
  const schedule = exponentialRange(1e-4, 1, 5);
  [1e-4, 1e-3, 1e-2, 0.1, 1, 1].forEach((rate, step) => {
    close(schedule.at(step) / rate, 1);
  });
});

test('every schedule comes back from its data', () => {
  const made = [
    constant(0.1),
    cosineDecay(0.1, 50, { alpha: 0.1, warmupSteps: 5, warmupFrom: 0.01 }),
    cosineDecayRestarts(0.1, 10, { tMul: 1.5, mMul: 0.9, alpha: 0.2 }),
    piecewiseConstant([3, 9], [0.3, 0.2, 0.1]),
    exponentialDecay(0.1, 7, 0.5, { staircase: true }),
    polynomialDecay(0.1, 9, { end: 0.01, power: 2, cycle: true }),
    oneCycle(0.3, 40, { rise: 0.2, divide: 5, finalDivide: 50, ramp: 'linear' }),
    exponentialRange(0.01, 1, 9),
  ];
  for (const schedule of made) {
    const data = JSON.parse(JSON.stringify(scheduleToData(schedule))) as unknown;
    const again = scheduleFromData(data);
    assert.deepEqual(scheduleToData(again), data);
    for (let step = 0; step < 60; step++) assert.equal(again.at(step), schedule.at(step), `${schedule.name} ${step}`);
  }
  // All but the one with a memory, which has a test of its own.
  assert.deepEqual(
    scheduleNames.filter((name) => !made.some((schedule) => schedule.name === name)),
    ['reduceOnPlateau'],
  );
  assert.throws(
    () => scheduleFromData({ name: 'cosine' }),
    /no schedule is called 'cosine'; there are constant, cosine/,
  );
});

test('impossible schedules end in one clear line', () => {
  assert.throws(() => cosineDecayRestarts(0.1, 10, { tMul: 0.5 }), /tMul must be 1 or more, received 0.5/);
  assert.throws(() => piecewiseConstant([5, 3], [1, 2, 3]), /boundaries must rise, received \[5,3\]/);
  assert.throws(() => piecewiseConstant([5], [1]), /values must be one more than the 1 boundaries, received \[1\]/);
  assert.throws(() => exponentialDecay(0.1, 10, -1), /rate must be more than 0, received -1/);
  assert.throws(() => oneCycle(0.1, 10, { rise: 2 }), /rise must be from 0 to 1, received 2/);
});
