import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { cosineDecay } from './schedules.ts';
import { SGD, type SgdOptions, sgd } from './sgd.ts';
import { tinyModel } from './testing.ts';

const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-6 * Math.max(1, Math.abs(expected)), `${actual}, expected ${expected}`);

/** Five steps down 1.5·w², beside the formula of Keras on plain numbers. */
function compare(options: SgdOptions, shape: number[] = [1, 1]) {
  const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
  const optimizer = sgd(options);
  const variable = tf.variable(tf.fill(shape, 2));
  let [w, v] = [2, 0];
  for (let step = 0; step < 5; step++) {
    const rate = optimizer.schedule.at(step);
    close(optimizer.learningRate, rate);
    optimizer.minimize(() => tf.sum(tf.mul(1.5, tf.square(variable))) as tf.Scalar, false, [variable]);
    const decay = options.decay === 'kernels' && shape.length < 2 ? 0 : weightDecay;
    const gradient = 3 * w + decay * w;
    v = momentum * v - rate * gradient;
    w += nesterov ? momentum * v - rate * gradient : v;
    close(variable.dataSync()[0] ?? Number.NaN, w);
  }
  variable.dispose();
  optimizer.dispose();
}

test('updates follow the formulas of Keras', () => {
  compare({ learningRate: 0.1 });
  compare({ learningRate: 0.05, momentum: 0.9 });
  compare({ learningRate: 0.05, momentum: 0.9, nesterov: true });
  compare({ learningRate: cosineDecay(0.05, 6, { warmupSteps: 2 }), momentum: 0.8, nesterov: true });
});

test('weight decay adds λ·w to the gradient, of kernels only if so asked', () => {
  compare({ learningRate: 0.05, momentum: 0.9, weightDecay: 0.1 });
  compare({ learningRate: 0.05, weightDecay: 0.1, decay: 'kernels' });
  compare({ learningRate: 0.05, weightDecay: 0.1, decay: 'kernels' }, [1]);
  compare({ learningRate: 0.05, weightDecay: 0.1, decay: 'all' }, [1]);
});

test('state goes into another optimizer bit for bit, whatever the order of the variables', async () => {
  const options = { learningRate: cosineDecay(0.1, 10), momentum: 0.9 };
  const [first, second] = [sgd(options), sgd(options)];
  const a = tf.variable(tf.tensor1d([1, 2]), true, 'a');
  const b = tf.variable(tf.tensor1d([3]), true, 'b');
  const loss = () => tf.add(tf.sum(tf.square(a)), tf.sum(tf.square(b))) as tf.Scalar;
  for (let i = 0; i < 3; i++) first.minimize(loss, false, [a, b]);
  const state = await first.getWeights();
  assert.deepEqual(
    state.map(({ name }) => name),
    ['iter', 'a/momentum', 'b/momentum'],
  );
  await second.setWeights([state[0], state[2], state[1]].filter((slot) => slot !== undefined));
  assert.equal(second.iterations, 3);
  const saved = [a.clone(), b.clone()] as const;
  first.minimize(loss, false, [a, b]);
  const expected = [a.dataSync().slice(), b.dataSync().slice()];
  a.assign(saved[0] as tf.Tensor1D);
  b.assign(saved[1] as tf.Tensor1D);
  second.minimize(loss, false, [b, a]);
  assert.deepEqual([a.dataSync(), b.dataSync()], expected);
  a.dispose();
  b.dispose();
});

test('it goes into model.compile, and through its own configuration', async () => {
  const optimizer = sgd({ learningRate: cosineDecay(0.1, 7, { alpha: 0.5 }), momentum: 0.5, weightDecay: 1e-3 });
  const model = tinyModel();
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  await model.fit(tf.randomNormal([6, 8, 8, 1], 0, 1, 'float32', 1), tf.oneHot([0, 1, 2, 0, 1, 2], 3), { epochs: 1 });
  assert.equal(optimizer.iterations, 1);
  const config = JSON.parse(JSON.stringify(optimizer.getConfig())) as tf.serialization.ConfigDict;
  const copy = SGD.fromConfig(SGD as unknown as tf.serialization.SerializableConstructor<SGD>, config);
  assert.deepEqual(copy.getConfig(), optimizer.getConfig());
  assert.equal(copy.schedule.at(3), optimizer.schedule.at(3));
  model.dispose();
});

test('frozen variables are left alone, and no tensor stays behind', () => {
  const layer = tfl.layers.dense({ units: 2, inputShape: [3] });
  const model = tfl.sequential({ layers: [layer] });
  const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 });
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const kernel = layer.weights[0]?.read() as unknown as tf.Variable;
  const bias = layer.weights[1]?.read() as unknown as tf.Variable;
  kernel.trainable = false;
  const before = kernel.dataSync().slice();
  const x = tf.ones([1, 3]);
  const step = () => {
    optimizer.minimize(() => tf.sum(model.apply(x) as tf.Tensor) as tf.Scalar, false, [kernel, bias]);
  };
  step();
  const count = tf.memory().numTensors;
  step();
  assert.equal(tf.memory().numTensors, count);
  assert.deepEqual(kernel.dataSync(), before);
  assert.notEqual(bias.dataSync()[0], 0);
});

test('impossible options end in one clear line', () => {
  assert.throws(
    () => sgd({ learningRate: 0.1, momentum: 1 }),
    /momentum must be at least 0 and less than 1, received 1/,
  );
  assert.throws(() => sgd({ learningRate: 0.1, nesterov: true }), /nesterov needs a momentum above 0/);
  assert.throws(() => sgd({ learningRate: -1 }), /learning rate must be a number from 0 up, received -1/);
});
