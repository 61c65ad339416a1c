import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { AdamW, adamW } from './adamw.ts';
import { Muon, muon } from './muon.ts';
import type { OptimizerOptions, ScheduledOptimizer } from './optimizer.ts';
import { reduceOnPlateau } from './plateau.ts';
import { cosineDecay } from './schedules.ts';
import { SGD, sgd } from './sgd.ts';

type Make = (options: OptimizerOptions) => ScheduledOptimizer;
type Class = tf.serialization.SerializableConstructor<ScheduledOptimizer> & typeof ScheduledOptimizer;

const optimizers: readonly (readonly [name: string, make: Make, cls: unknown])[] = [
  ['sgd', (options) => sgd({ ...options, momentum: 0.9, nesterov: true, weightDecay: 1e-3, exclude: ['b*'] }), SGD],
  ['adamW', (options) => adamW({ ...options, weightDecay: 0.1, exclude: ['b*'] }), AdamW],
  ['muon with adamW', (options) => muon({ ...options, exclude: ['b*'] }), Muon],
  ['muon with sgd', (options) => muon({ ...options, others: sgd({ learningRate: 0.1, momentum: 0.5 }) }), Muon],
];

/** A convolution's kernel, a dense one, and a bias, with a loss that has something to say to each. */
function variables() {
  const make = (shape: number[], seed: number, name: string) =>
    tf.variable(tf.randomNormal(shape, 0, 1, 'float32', seed), true, name);
  const list = [make([3, 3, 2, 4], 1, 'a/kernel'), make([4, 3], 2, 'b/kernel'), make([3], 3, 'c/bias')];
  const loss = () => tf.addN(list.map((v) => tf.sum(tf.add(tf.square(v), tf.sin(v))))) as tf.Scalar;
  const values = () => list.map((variable) => variable.dataSync().slice());
  return { list, loss, values, dispose: () => tf.dispose(list) };
}

for (const [name, make, cls] of optimizers) {
  test(`${name}: state goes into another one bit for bit`, async () => {
    const vars = variables();
    const options = () => ({ learningRate: reduceOnPlateau(0.05, { monitor: 'loss', patience: 1 }) });
    const [first, second] = [make(options()), make(options())];
    first.learningRateScale = 0.1;
    const observe = (loss: number) => (first.schedule as ReturnType<typeof reduceOnPlateau>).observe({ loss });
    for (let i = 0; i < 3; i++) {
      first.minimize(vars.loss, false, vars.list);
      observe(0.1 + 0.2);
    }
    const state = await first.getWeights();
    await second.setWeights([...state.slice(0, 1), ...state.slice(1).reverse()]);
    assert.equal(second.iterations, 3);
    assert.equal(second.learningRate, first.learningRate);
    const saved = vars.list.map((variable) => variable.clone());
    for (let i = 0; i < 2; i++) first.minimize(vars.loss, false, vars.list);
    const expected = vars.values();
    vars.list.forEach((variable, i) => {
      variable.assign(saved[i] as tf.Tensor);
    });
    for (let i = 0; i < 2; i++) second.minimize(vars.loss, false, [...vars.list].reverse());
    assert.deepEqual(vars.values(), expected);
    await assert.rejects(
      second.setWeights([...state.slice(0, 1), { name: 'a/kernel/velocity', tensor: tf.scalar(0) }]),
      /has no state called 'a\/kernel\/velocity'/,
    );
    vars.dispose();
  });

  test(`${name}: comes back from its configuration, and leaves no tensor behind`, async () => {
    const vars = variables();
    const before = tf.memory().numTensors;
    const optimizer = make({
      learningRate: cosineDecay(0.1, 50),
      clip: { globalNorm: 1 },
      learningRateFactors: { '*/bias': 8 },
    });
    const config = JSON.parse(JSON.stringify(optimizer.getConfig())) as tf.serialization.ConfigDict;
    const copy = (cls as Class).fromConfig(cls as Class, config);
    assert.deepEqual(copy.getConfig(), optimizer.getConfig());
    for (let i = 0; i < 2; i++) optimizer.minimize(vars.loss, false, vars.list);
    const count = tf.memory().numTensors;
    optimizer.minimize(vars.loss, false, vars.list);
    assert.equal(tf.memory().numTensors, count);
    optimizer.dispose();
    copy.dispose();
    assert.equal(tf.memory().numTensors, before);
    vars.dispose();
  });

  test(`${name}: trains a plain TF.js model with a schedule and clipping`, async () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.conv2d({
          inputShape: [4, 4, 1],
          filters: 4,
          kernelSize: 3,
          kernelInitializer: tfl.initializers.heNormal({ seed: 1 }),
        }),
        tfl.layers.batchNormalization(),
        tfl.layers.flatten(),
        tfl.layers.dense({
          units: 2,
          activation: 'softmax',
          kernelInitializer: tfl.initializers.glorotUniform({ seed: 2 }),
        }),
      ],
    });
    const optimizer = make({ learningRate: cosineDecay(0.05, 40), clip: { norm: 5 } });
    model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    const labels = [0, 1, 0, 1, 0, 1, 0, 1];
    const x = tf.add(
      tf.randomNormal([8, 4, 4, 1], 0, 0.3, 'float32', 1),
      tf.reshape(tf.tensor1d(labels), [8, 1, 1, 1]),
    );
    const { history } = await model.fit(x, tf.oneHot(labels, 2), { epochs: 10, batchSize: 4, shuffle: false });
    const loss = history.loss as number[];
    assert.equal(optimizer.iterations, 20);
    assert.ok((loss.at(-1) ?? 9) < 0.5 * (loss[0] ?? 0), JSON.stringify(loss));
    model.dispose();
  });
}

test('factors by name scale the learning rate, 0 leaves a weight alone, and frozen ones do not count for clipping', () => {
  const make = (name: string) => tf.variable(tf.tensor1d([1, 1]), true, name);
  const [a, b, c] = [make('body/kernel'), make('body/bias'), make('head/bias')] as const;
  const optimizer = sgd({ learningRate: 0.25, learningRateFactors: { 'head/*': 0, '*/bias': 4 }, momentum: 0.5 });
  const loss = () => tf.addN([a, b, c].map((v) => tf.sum(v))) as tf.Scalar;
  optimizer.minimize(loss, false, [a, b, c]);
  assert.deepEqual(
    [a, b, c].map((v) => v.dataSync()[0]),
    [0.75, 0, 1],
  );
  const clipped = sgd({ learningRate: 1, learningRateFactors: { 'head/*': 0 }, clip: { globalNorm: 1 } });
  clipped.minimize(loss, false, [a, b, c]);
  assert.ok(Math.abs((a.dataSync()[0] ?? 9) - 0.25) < 1e-6); // norm 2 of four ones
  assert.throws(
    () => sgd({ learningRate: 1, learningRateFactors: { 'a*': -1 } }),
    /the factor of 'a\*' must be a number/,
  );
  tf.dispose([a, b, c]);
});
