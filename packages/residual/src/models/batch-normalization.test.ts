import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { BatchNormalization, batchNormalization } from './batch-normalization.ts';
import { fusedBatchNorm } from './fused-batch-norm.ts';

const StockBatchNormalization = tfl.layers.batchNormalization({ name: 'stock' })
  .constructor as tf.serialization.SerializableConstructor<tf.serialization.Serializable>;

const random = (shape: number[], seed: number, mean = 0, stddev = 1) =>
  tf.randomNormal(shape, mean, stddev, 'float32', seed);

function assertClose(actual: tf.Tensor, expected: tf.Tensor, tolerance: number, what = '') {
  assert.deepEqual(actual.shape, expected.shape, what);
  const a = actual.dataSync<'float32'>();
  const b = expected.dataSync<'float32'>();
  const scale = b.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-6);
  a.forEach((value, i) => {
    assert.ok(Math.abs(value - (b[i] ?? Number.NaN)) <= tolerance * scale, `${what}[${i}]: ${value}, expected ${b[i]}`);
  });
}

beforeEach(() => tf.disposeVariables());

test('forward and gradients agree with the composite of TF.js, for ranks 2 to 5', () => {
  for (const shape of [
    [7, 3],
    [4, 5, 3],
    [2, 5, 4, 3],
    [2, 2, 3, 2, 3],
  ]) {
    tf.tidy(() => {
      const x = random(shape, 1, 2, 3);
      const scale = random([3], 2) as tf.Tensor1D;
      const offset = random([3], 3) as tf.Tensor1D;
      const dy = random(shape, 4);
      const axes = shape.slice(0, -1).map((_, i) => i);
      const composite = (x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) => {
        const { mean, variance } = tf.moments(x, axes);
        return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3))), scale), offset);
      };
      const [y, mean, variance] = fusedBatchNorm(x, scale, offset, 1e-3);
      const moments = tf.moments(x, axes);
      assertClose(y, composite(x, scale, offset), 1e-5, 'y');
      assertClose(mean, moments.mean, 1e-5, 'mean');
      assertClose(variance, moments.variance, 1e-5, 'variance');
      const fused = (x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) =>
        fusedBatchNorm(x, scale as tf.Tensor1D, offset as tf.Tensor1D, 1e-3)[0];
      const got = tf.grads(fused)([x, scale, offset], dy);
      const want = tf.grads(composite)([x, scale, offset], dy);
      got.forEach((gradient, i) => {
        assertClose(gradient, want[i] as tf.Tensor, 1e-4, ['dx', 'dscale', 'doffset'][i]);
      });
    });
  }
});

test('the gradient agrees with finite differences', () => {
  const x = random([3, 2, 2], 1, 1, 2);
  const scale = tf.tensor1d([0.5, -1.5]);
  const offset = tf.tensor1d([0.1, 0.2]);
  const weights = random([3, 2, 2], 9);
  const f = (x: tf.Tensor) => tf.sum(tf.mul(fusedBatchNorm(x, scale, offset, 1e-2)[0], weights)) as tf.Scalar;
  const gradient = tf.grad(f)(x).dataSync();
  const values = x.dataSync();
  values.forEach((_, i) => {
    const at = (shift: number) => {
      const moved = values.slice();
      moved[i] = (moved[i] ?? 0) + shift;
      return f(tf.tensor(moved, x.shape)).dataSync()[0] ?? 0;
    };
    const slope = (at(1e-2) - at(-1e-2)) / 2e-2;
    assert.ok(Math.abs(slope - (gradient[i] ?? 0)) < 2e-3, `${i}: ${slope}, ${gradient[i]}`);
  });
});

test('the kernels take wrong shapes apart before a backend sees them', () => {
  const two = tf.ones([2]) as tf.Tensor1D;
  assert.throws(() => fusedBatchNorm(tf.ones([4, 3]), two, two, 1e-3), /x is \[4,3\], scale \[2\]/);
});

/** One layer between an input and its output, so that it can be trained. */
function modelWith(layer: tfl.layers.Layer, shape: number[]): tfl.LayersModel {
  const input = tfl.input({ shape });
  return tfl.model({ inputs: input, outputs: layer.apply(input) as tfl.SymbolicTensor });
}

const weightsOf = (layer: tfl.layers.Layer) => layer.getWeights().map((weight) => Array.from(weight.dataSync()));

test('training gives what the stock layer gives: output, weights, moving averages', async () => {
  const args = { epsilon: 1e-3, momentum: 0.8 };
  const x = random([6, 4, 4, 3], 1, 3, 2);
  const target = random([6, 4, 4, 3], 2);
  const results = [];
  for (const layer of [batchNormalization(args), tfl.layers.batchNormalization(args)]) {
    const model = modelWith(layer, [4, 4, 3]);
    model.compile({ optimizer: tf.train.sgd(0.5), loss: 'meanSquaredError' });
    await model.fit(x, target, { epochs: 3, batchSize: 3, shuffle: false });
    results.push([...layer.getWeights(), model.predict(x) as tf.Tensor]);
  }
  const [ours = [], stock = []] = results;
  ours.forEach((value, i) => {
    assertClose(value, stock[i] as tf.Tensor, 1e-4, `result ${i}`);
  });
});

test('a frozen layer normalises with its averages and leaves them alone', () => {
  for (const freeze of [
    (layer: tfl.layers.Layer) => {
      layer.trainable = false;
    },
    (_: tfl.layers.Layer, model: tfl.LayersModel) => {
      model.trainable = false;
    },
  ]) {
    const layer = batchNormalization();
    const model = modelWith(layer, [4, 3]);
    layer.setWeights(
      [
        [1.5, 1, 0.5],
        [0.1, 0, 1],
        [1, 2, 3],
        [4, 1, 0.25],
      ].map((values) => tf.tensor1d(values)),
    );
    const before = weightsOf(layer);
    freeze(layer, model);
    const x = random([5, 4, 3], 1, 9, 2);
    const frozen = model.apply(x, { training: true }) as tf.Tensor;
    assertClose(frozen, model.predict(x) as tf.Tensor, 1e-5);
    assert.deepEqual(weightsOf(layer), before);
    layer.trainable = true;
    model.trainable = true;
    model.apply(x, { training: true });
    assert.notDeepEqual(weightsOf(layer), before);
  }
});

test('fine-tuning a head over a frozen backbone moves the head only, even when frozen after compile', async () => {
  for (const when of ['before', 'after']) {
    const backbone = [tfl.layers.dense({ units: 4 }), batchNormalization()];
    const head = tfl.layers.dense({ units: 2, activation: 'softmax' });
    const input = tfl.input({ shape: [3] });
    let x = input;
    for (const layer of [...backbone, head]) x = layer.apply(x) as tfl.SymbolicTensor;
    const model = tfl.model({ inputs: input, outputs: x });
    const freeze = () => {
      for (const layer of backbone) layer.trainable = false;
    };
    if (when === 'before') freeze();
    model.compile({ optimizer: tf.train.momentum(0.1, 0.9), loss: 'categoricalCrossentropy' });
    if (when === 'after') freeze();
    const old = [...backbone, head].map(weightsOf);
    const labels = tf.oneHot(tf.tensor1d([0, 1, 0, 1], 'int32'), 2);
    await model.fit(random([4, 3], 1, 5, 2), labels, { epochs: 2 });
    const now = [...backbone, head].map(weightsOf);
    assert.deepEqual(now.slice(0, 2), old.slice(0, 2), when);
    assert.notDeepEqual(now[2], old[2], when);
  }
});

test('the input of a frozen layer gets the gradient of inference mode', () => {
  const layer = batchNormalization({ epsilon: 0 });
  const model = modelWith(layer, [2]);
  layer.setWeights(
    [
      [3, 5],
      [0, 0],
      [1, 1],
      [4, 0.25],
    ].map((values) => tf.tensor1d(values)),
  );
  layer.trainable = false;
  const gradient = tf.grad((x) => model.apply(x, { training: true }) as tf.Tensor)(tf.ones([1, 2]));
  assert.deepEqual(Array.from(gradient.dataSync()), [1.5, 10]);
});

test('scale: false and center: false train', async () => {
  for (const scale of [false, true]) {
    for (const center of [false, true]) {
      const layer = batchNormalization({ scale, center });
      const model = modelWith(layer, [3]);
      model.compile({ optimizer: scale || center ? 'sgd' : tf.train.sgd(0.1), loss: 'meanSquaredError' });
      assert.equal(layer.getWeights(true).length, Number(scale) + Number(center));
      const x = random([8, 3], 1, 4, 2);
      if (scale || center) await model.fit(x, tf.zeros([8, 3]), { epochs: 1 });
      const y = model.apply(x, { training: true }) as tf.Tensor;
      const { mean } = tf.moments(y, 0);
      if (!center) assertClose(tf.add(mean, 1), tf.ones([3]), 1e-5);
      // Momentum 0.99: the averages have begun to move.
      assert.ok((layer.getWeights().at(-2)?.dataSync()[0] ?? 0) > 0.01);
      layer.trainable = false;
      assertClose(model.apply(x, { training: true }) as tf.Tensor, model.predict(x) as tf.Tensor, 1e-5);
    }
  }
});

test('another axis than the last', () => {
  const layer = batchNormalization({ axis: 1 });
  const model = modelWith(layer, [3, 4, 5]);
  const x = random([2, 3, 4, 5], 1, 3, 2);
  const y = model.apply(x, { training: true }) as tf.Tensor;
  const { mean, variance } = tf.moments(x, [0, 2, 3], true);
  assertClose(y, tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3))), 1e-5);
  layer.trainable = false;
  assertClose(model.apply(x, { training: true }) as tf.Tensor, model.predict(x) as tf.Tensor, 1e-5);
});

/** Saves to memory and loads again, with the class given registered under 'BatchNormalization'. */
async function reload(
  model: tfl.LayersModel,
  into: tf.serialization.SerializableConstructor<tf.serialization.Serializable>,
): Promise<tfl.LayersModel> {
  const saved = await new Promise<tf.io.ModelArtifacts>((resolve) => {
    model.save({
      save: async (artifacts: tf.io.ModelArtifacts) => {
        resolve(artifacts);
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      },
    });
  });
  tf.serialization.registerClass(into);
  try {
    return await tfl.loadLayersModel({ load: async () => structuredClone(saved) });
  } finally {
    tf.serialization.registerClass(BatchNormalization as tf.serialization.SerializableConstructor<BatchNormalization>);
  }
}

test('a model saved with this layer loads in stock tfjs-layers, and the other way round', async () => {
  const args = {
    epsilon: 1e-4,
    momentum: 0.7,
    center: false,
    gammaInitializer: tfl.initializers.randomUniform({ minval: 1, maxval: 2, seed: 3 }),
    name: 'norm',
  };
  const x = random([2, 4, 3], 1, 1, 2);
  const ours = modelWith(batchNormalization(args), [4, 3]);
  ours.apply(x, { training: true });
  const stock = await reload(ours, StockBatchNormalization);
  assert.ok(!(stock.getLayer('norm') instanceof BatchNormalization));
  const back = await reload(stock, BatchNormalization as never);
  assert.ok(back.getLayer('norm') instanceof BatchNormalization);
  const configs = [ours, stock, back].map((model) => model.getLayer('norm').getConfig());
  assert.deepEqual(configs[1], configs[0]);
  assert.deepEqual(configs[2], configs[0]);
  const outputs = [ours, stock, back].map((model) => (model.predict(x) as tf.Tensor).dataSync());
  assert.deepEqual(outputs[1], outputs[0]);
  assert.deepEqual(outputs[2], outputs[0]);
});

test('a training step leaves no tensor behind', () => {
  const model = modelWith(batchNormalization(), [4, 3]);
  const x = random([2, 4, 3], 1);
  const variables = model.trainableWeights.map((weight) => weight.read() as unknown as tf.Variable);
  const step = () =>
    tf.tidy(() => {
      tf.variableGrads(() => tf.sum(model.apply(x, { training: true }) as tf.Tensor) as tf.Scalar, variables);
    });
  step();
  const before = tf.memory().numTensors;
  step();
  assert.equal(tf.memory().numTensors, before);
});
