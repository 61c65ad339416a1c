// Against references that share no code with it: finite differences, and the closed form of pooled heads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ModelError } from '../models/errors.ts';
import { networkOf } from '../models/network.ts';
import { resnet18 } from '../models/resnet.ts';
import { gradCam, type HeatMap } from './grad-cam.ts';

const picture = (shape: readonly [number, number, number]) =>
  tf.randomNormal<tf.Rank.R4>([1, ...shape], 0, 1, 'float32', 3);

/** The map in units of the logit against `expected`, within `tolerance` of the largest value. */
function assertMap({ values, peak }: HeatMap, expected: ArrayLike<number>, tolerance: number): void {
  const scale = Math.max(...Array.from(expected));
  assert.ok(scale > 0, 'the case says nothing: no place speaks for the class');
  assert.equal(values.length, expected.length);
  assert.ok(values.every((value) => value >= 0 && value <= 1));
  assert.ok(Math.abs(Math.max(...values) - 1) < 1e-6);
  for (let i = 0; i < values.length; i++) {
    const [ours, wanted] = [values[i] * peak, expected[i] ?? Number.NaN];
    assert.ok(Math.abs(ours - wanted) <= tolerance * scale, `place ${i}: ${ours}, expected ${wanted}`);
  }
}

/** ReLU(Σ α·A) of equation 2, in double precision. */
function weighted(maps: ArrayLike<number>, alphas: readonly number[]): number[] {
  return Array.from({ length: maps.length / alphas.length }, (_, place) =>
    Math.max(
      0,
      alphas.reduce((sum, alpha, k) => sum + alpha * (maps[place * alphas.length + k] ?? 0), 0),
    ),
  );
}

/** The values of a layer's output, through a model of TF.js's own. */
function outputOf(model: tfl.LayersModel, name: string, image: tf.Tensor4D): Float32Array {
  const part = tfl.model({ inputs: model.inputs, outputs: model.getLayer(name).output as tfl.SymbolicTensor });
  return (part.predict(image) as tf.Tensor).dataSync<'float32'>();
}

/** A residual network whose batch norms are not the identity, as after training. */
function network(options: Partial<Parameters<typeof resnet18>[0]> = {}): tfl.LayersModel {
  const model = resnet18({ inputShape: [16, 16, 3], classes: 4, width: 4, seed: 5, ...options });
  model.setWeights(
    model.weights.map((weight, i) => {
      const { shape } = weight.read();
      const random = tf.randomUniform([...shape], 0.5, 1.5, 'float32', i + 1);
      if (/moving_variance|gamma/.test(weight.name)) return random;
      return /beta|moving_mean/.test(weight.name) ? tf.sub(random, 1) : (weight.read() as tf.Tensor);
    }),
  );
  return model;
}

for (const backend of ['jit', 'cpu']) {
  test(`a pooled head gives the class activation map of its closed form on ${backend}`, async () => {
    await tf.setBackend(backend);
    for (const preactivation of [false, true]) {
      const model = network({ preactivation });
      const image = picture([16, 16, 3]);
      for (const classIndex of [0, 3]) {
        const map = await gradCam(model, image, classIndex);
        assert.deepEqual([map.width, map.height, map.classIndex], [2, 2, classIndex]);
        const maps = outputOf(model, map.layer, image);
        const kernel = model.layers.at(-1)?.getWeights()[0] as tf.Tensor2D;
        const [channels] = kernel.shape;
        // The logit is Σ w·mean(A): its gradient is w / places everywhere.
        const alphas = Array.from({ length: channels }, (_, k) => kernel.arraySync()[k][classIndex] / 4);
        assertMap(map, weighted(maps, alphas), 1e-4);
      }
    }
  });
}

test('in the middle of a network the weights are those of finite differences', async () => {
  await tf.setBackend('jit');
  const model = network({ activation: 'linear' });
  const image = picture([16, 16, 3]);
  const classIndex = 1;
  const map = await gradCam(model, image, classIndex, { layer: 'layer3.0.bn1' });
  assert.deepEqual([map.width, map.height, map.layer], [4, 4, 'layer3.0.bn1']);
  // A change of β shifts a whole channel: the derivative by it is the sum of the gradient over the places.
  const norm = model.getLayer('layer3.0.bn1');
  const [gamma, beta, ...rest] = norm.getWeights();
  const offsets = beta.dataSync<'float32'>();
  const step = 2e-3;
  const logit = (k: number, change: number) => {
    norm.setWeights([gamma, tf.tensor1d(offsets.map((b, i) => (i === k ? b + change : b))), ...rest]);
    return networkOf(model).raw(image, false).dataSync()[classIndex];
  };
  const alphas = Array.from(offsets, (_, k) => (logit(k, step) - logit(k, -step)) / (2 * step) / 16);
  norm.setWeights([gamma, tf.tensor1d(offsets), ...rest]);
  assertMap(map, weighted(outputOf(model, 'layer3.0.bn1', image), alphas), 0.02);
});

test('a head of several layers, against finite differences of a network written out here', async () => {
  await tf.setBackend('cpu');
  const model = tfl.sequential();
  model.add(tfl.layers.conv2d({ inputShape: [6, 5, 2], filters: 3, kernelSize: 3, activation: 'tanh', name: 'maps' }));
  model.add(tfl.layers.maxPooling2d({ poolSize: 2, strides: 1 }));
  model.add(tfl.layers.dropout({ rate: 0.5 }));
  model.add(tfl.layers.flatten());
  model.add(tfl.layers.dense({ units: 5, activation: 'tanh', biasInitializer: 'randomNormal' }));
  model.add(tfl.layers.dense({ units: 3, activation: 'softmax', biasInitializer: 'randomNormal' }));
  model.setWeights(model.getWeights().map((w, i) => tf.randomNormal(w.shape, 0, 0.5, 'float32', 10 + i)));
  const image = picture([6, 5, 2]);
  const maps = Float64Array.from(outputOf(model, 'maps', image));
  const [hidden, outer] = model.layers.slice(-2).map((layer) => layer.getWeights().map((w) => w.arraySync()));

  const classIndex = 2;
  /** maxPool 2×2 at stride 1 over 4 × 3 × 3 → flatten → dense, tanh → dense: the logit, in double precision. */
  const logit = (a: Float64Array): number => {
    const pooled: number[] = [];
    for (let y = 0; y < 3; y++)
      for (let x = 0; x < 2; x++)
        for (let k = 0; k < 3; k++)
          pooled.push(Math.max(...[0, 1].flatMap((dy) => [0, 1].map((dx) => a[((y + dy) * 3 + x + dx) * 3 + k]))));
    const dense = (x: readonly number[], [kernel, bias]: readonly unknown[]) =>
      (bias as number[]).map((b, j) => x.reduce((sum, v, i) => sum + v * (kernel as number[][])[i][j], b));
    return dense(dense(pooled, hidden).map(Math.tanh), outer)[classIndex];
  };
  const alphas = [0, 0, 0];
  for (let i = 0; i < maps.length; i++) {
    const moved = (by: number) => logit(maps.map((value, j) => (i === j ? value + by : value)));
    alphas[i % 3] += (moved(1e-6) - moved(-1e-6)) / 2e-6 / 12;
  }
  const map = await gradCam(model, image, classIndex);
  assert.deepEqual([map.layer, map.width, map.height], ['maps', 3, 4]);
  assertMap(map, weighted(maps, alphas), 1e-3);
});

test('a network inside a network, a softmax of its own, and no class named', async () => {
  await tf.setBackend('cpu');
  const base = network({ activation: 'linear' });
  const trunk = tfl.model({
    inputs: base.inputs,
    outputs: base.getLayer('layer4.1.relu2').output as tfl.SymbolicTensor,
    name: 'trunk',
  });
  const input = tfl.input({ shape: [16, 16, 3] });
  const pooled = tfl.layers.globalAveragePooling2d({ dataFormat: 'channelsLast' }).apply(trunk.apply(input));
  const outputs = tfl.layers
    .softmax()
    .apply(base.layers.at(-1)?.apply(pooled) as tfl.SymbolicTensor) as tfl.SymbolicTensor;
  const nested = tfl.model({ inputs: input, outputs });
  const image = picture([16, 16, 3]);
  const logits = (base.predict(image) as tf.Tensor).dataSync<'float32'>();
  const best = logits.indexOf(Math.max(...logits));
  const before = tf.memory().numTensors;
  const [plain, wrapped] = [await gradCam(base, image), await gradCam(nested, image, best)];
  assert.equal(tf.memory().numTensors, before, 'tensors are left behind');
  assert.equal(plain.classIndex, best);
  assert.equal(wrapped.layer, 'trunk');
  assertMap(
    wrapped,
    plain.values.map((value) => value * plain.peak),
    1e-3,
  );
});

test('a class that no place speaks for has an empty map, not NaN', async () => {
  await tf.setBackend('cpu');
  const model = tfl.sequential();
  model.add(tfl.layers.conv2d({ inputShape: [4, 4, 1], filters: 2, kernelSize: 3, activation: 'relu' }));
  model.add(tfl.layers.flatten());
  model.add(tfl.layers.dense({ units: 2, kernelInitializer: 'zeros' }));
  const { values, peak } = await gradCam(model, picture([4, 4, 1]), 0);
  assert.deepEqual([...values, peak], [0, 0, 0, 0, 0]);
});

test('what cannot be explained is refused in one line', async () => {
  await tf.setBackend('cpu');
  const model = network();
  const image = picture([16, 16, 3]);
  const says = (message: RegExp) => (error: unknown) => error instanceof ModelError && message.test(error.message);
  await assert.rejects(gradCam(model, picture([8, 16, 3])), says(/image must be \[1,16,16,3\], received \[1,8,16,3\]/));
  await assert.rejects(gradCam(model, image, 4), says(/from 0 to 3, received 4/));
  await assert.rejects(gradCam(model, image, 0, { layer: 'fc' }), says(/received 'fc'; those that have: conv1, bn1/));
  await assert.rejects(gradCam(model, tf.fill([1, 16, 16, 3], Number.NaN) as tf.Tensor4D), says(/not finite/));
  const flat = tfl.sequential();
  flat.add(tfl.layers.flatten({ inputShape: [2, 2, 1] }));
  flat.add(tfl.layers.dense({ units: 2 }));
  await assert.rejects(gradCam(flat, picture([2, 2, 1])), says(/no layer with a map/));
});
