import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { adamW } from './adamw.ts';
import { type AverageOptions, type Averages, averageSettings, averageWeights } from './averages.ts';
import { tinyModel, weightsOf } from './testing.ts';

/** Puts other weights into the model, as an update would. */
function disturb(model: LayersModel, seed: number): void {
  model.weights.forEach((weight, i) => {
    const variable = weight.read() as unknown as tf.Variable;
    tf.tidy(() => variable.assign(tf.add(variable, tf.randomNormal(variable.shape, 0, 1, 'float32', seed + i))));
  });
}

function step(averages: Averages): void {
  tf.tidy(() => averages.follow());
  if (averages.pullIsDue) tf.tidy(() => averages.pull());
}

test('the average follows by the formula, warm-up and averages of BN included, and is exchanged bit for bit', async () => {
  for (const [options, decayAt] of [
    [{ ema: { decay: 0.9, warmup: false } }, () => 0.9],
    [{ ema: 0.6 }, (t: number) => Math.min(0.6, (1 + t) / (10 + t))],
  ] as const) {
    const model = tinyModel();
    const averages = averageWeights(model, options);
    const expected = await weightsOf(model);
    for (let t = 1; t <= 8; t++) {
      disturb(model, 100 * t);
      step(averages);
      for (const [name, values] of Object.entries(await weightsOf(model))) {
        const average = expected[name] ?? assert.fail();
        average.forEach((value, i) => {
          average[i] = decayAt(t) * value + (1 - decayAt(t)) * (values[i] ?? 0);
        });
      }
    }
    const raw = await weightsOf(model);
    await averages.within(async () => {
      const averaged = await weightsOf(model);
      assert.ok('norm/moving_variance' in averaged);
      for (const [name, values] of Object.entries(averaged)) {
        values.forEach((value, i) => {
          assert.ok(Math.abs(value - (expected[name]?.[i] ?? 99)) < 1e-5, `${name}: ${value}, ${expected[name]?.[i]}`);
        });
      }
    });
    assert.deepEqual(await weightsOf(model), raw);
    await assert.rejects(
      averages.within(() => Promise.reject(new Error('validation failed'))),
      /validation failed/,
    );
    assert.deepEqual(await weightsOf(model), raw);
    averages.dispose();
    model.dispose();
  }
});

test('lookahead pulls the weights back every few steps, in airbench’s form with growing strength', async () => {
  for (const [options, alphaAt] of [
    [{ lookahead: { every: 2, alpha: 0.5 } }, () => 0.5],
    [{ lookahead: { every: 2, alpha: 0.3, rampSteps: 4 } }, (t: number) => 1 - 0.7 * Math.min(1, t / 4) ** 3],
  ] as const) {
    const model = tinyModel();
    const averages = averageWeights(model, options);
    let slow = (await weightsOf(model))['fc/kernel'] ?? assert.fail();
    for (let t = 1; t <= 6; t++) {
      disturb(model, 100 * t);
      const fast = (await weightsOf(model))['fc/kernel'] ?? assert.fail();
      step(averages);
      const now = (await weightsOf(model))['fc/kernel'] ?? assert.fail();
      if (t % 2 === 1) assert.deepEqual(now, fast);
      else {
        slow = slow.map((value, i) => value + alphaAt(t) * ((fast[i] ?? 0) - value));
        now.forEach((value, i) => {
          assert.ok(Math.abs(value - (slow[i] ?? 99)) < 1e-5);
        });
      }
    }
    averages.dispose();
  }
});

test('state goes into another one bit for bit, and a part that is missing is not passed over', async () => {
  const options: AverageOptions = { ema: 0.8, lookahead: { every: 3, rampSteps: 9 } };
  const [a, b] = [tinyModel(), tinyModel()];
  const [first, second] = [averageWeights(a, options), averageWeights(b, options)];
  for (let t = 1; t <= 4; t++) {
    disturb(a, 50 * t);
    step(first);
  }
  const state = first.getWeights();
  b.setWeights(a.getWeights());
  await second.setWeights(state);
  for (let t = 5; t <= 9; t++) {
    for (const [model, averages] of [
      [a, first],
      [b, second],
    ] as const) {
      disturb(model, 50 * t);
      step(averages);
    }
  }
  first.swap();
  second.swap();
  assert.deepEqual(await weightsOf(b), await weightsOf(a));
  const lost = state.filter(({ name }) => name !== 'ema/norm/moving_mean');
  await assert.rejects(second.setWeights(lost), /averages: the state has no ema\/norm\/moving_mean/);
});

test('it follows model.fit, and leaves nothing behind', async () => {
  const model = tinyModel();
  model.compile({ optimizer: adamW({ learningRate: 0.05 }), loss: 'categoricalCrossentropy' });
  const before = tf.memory().numTensors;
  const averages = averageWeights(model, { ema: 0.9 });
  const x = tf.randomNormal([6, 8, 8, 1], 0, 1, 'float32', 1);
  const y = tf.oneHot([0, 1, 2, 0, 1, 2], 3);
  await model.fit(x, y, { epochs: 3, batchSize: 3, shuffle: false, callbacks: averages.callback() });
  const averaged = await weightsOf(model);
  averages.swap();
  assert.notDeepEqual(averaged, await weightsOf(model));
  averages.dispose();
  model.optimizer.dispose();
  tf.dispose([x, y]);
  assert.equal(tf.memory().numTensors, before);
});

test('an average that could not forget the first weights is refused', () => {
  assert.throws(
    () => averageSettings({ ema: { decay: 0.9999, warmup: false } }, 300),
    /ema: with decay 0.9999 and no warm-up, 97 % of the average would still be the first weights after 300 steps/,
  );
  assert.deepEqual(averageSettings({ ema: 0.9999 }, 300), { ema: { decay: 0.9999, warmup: true } });
  assert.throws(() => averageSettings({ ema: 1 }), /ema: decay must be at least 0 and less than 1, received 1/);
  assert.throws(() => averageSettings({ lookahead: { every: 0 } }), /lookahead: every must be a whole number/);
});
