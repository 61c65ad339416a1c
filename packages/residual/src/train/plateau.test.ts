import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PlateauOptions, reduceOnPlateau } from './plateau.ts';
import { scheduleFromData, scheduleToData } from './schedule-config.ts';

/** Rates after each epoch. */
function ratesOf(losses: readonly number[], options: PlateauOptions = {}): number[] {
  const schedule = reduceOnPlateau(1, options);
  return losses.map((validationLoss) => {
    schedule.observe({ validationLoss });
    return schedule.at(0);
  });
}

test('it falls after patience epochs without an improvement, as Keras has it', () => {
  assert.deepEqual(ratesOf([5, 4, 4, 4, 3, 3, 3], { patience: 2, factor: 0.5 }), [1, 1, 1, 0.5, 0.5, 0.5, 0.25]);
  // Less than minDelta is no improvement.
  assert.deepEqual(ratesOf([1, 0.95, 0.9], { patience: 2, factor: 0.5, minDelta: 0.2 }), [1, 1, 0.5]);
  assert.deepEqual(ratesOf([1, 1, 1, 1], { patience: 1, factor: 0.1, minRate: 0.05 }), [1, 0.1, 0.05, 0.05]);
  // Keras counts the first epoch after a fall as the first of the cooldown, and counts on in its last.
  assert.deepEqual(
    ratesOf([1, 1, 1, 1, 1, 1], { patience: 1, factor: 0.5, cooldown: 2 }),
    [1, 0.5, 0.5, 0.25, 0.25, 0.125],
  );
});

test('an accuracy gets better upwards, and TF.js may call it by its own name', () => {
  const schedule = reduceOnPlateau(0.1, { monitor: 'validationAccuracy', patience: 1, factor: 0.5 });
  const { onEpochEnd } = schedule.callback();
  for (const val_acc of [0.5, 0.6, 0.6]) onEpochEnd(0, { loss: 1, val_acc });
  assert.equal(schedule.at(7), 0.05);
  assert.throws(
    () => schedule.observe({ loss: 1, type: 'epoch' }),
    /monitor validationAccuracy was not measured; there are loss$/,
  );
});

test('its state goes into another one bit for bit', () => {
  const losses = [0.1 + 0.2, 0.29999, 0.5, 0.4, 0.45, 0.1, 0.2, 0.3];
  const options = { patience: 2, factor: 0.3, cooldown: 1 };
  const whole = ratesOf(losses, options);
  for (let cut = 0; cut < losses.length; cut++) {
    const first = reduceOnPlateau(1, options);
    const second = scheduleFromData(JSON.parse(JSON.stringify(scheduleToData(first)))) as typeof first;
    for (const loss of losses.slice(0, cut)) first.observe({ validationLoss: loss });
    second.restoreState(
      Array.from(new Float64Array(new Int32Array(Float64Array.from(first.saveState()).buffer).buffer)),
    );
    const rest = losses.slice(cut).map((validationLoss) => {
      second.observe({ validationLoss });
      return second.at(0);
    });
    assert.deepEqual(rest, whole.slice(cut));
  }
});

test('impossible options end in one clear line', () => {
  assert.throws(() => reduceOnPlateau(1, { factor: 1 }), /factor must be at least 0 and less than 1, received 1/);
  assert.throws(() => reduceOnPlateau(1, { patience: 1.5 }), /patience must be a whole number from 0 up/);
  assert.throws(
    () => reduceOnPlateau(1, { monitor: 'los' as 'loss' }),
    /monitor must be one of validationLoss, .*'?los/,
  );
});
