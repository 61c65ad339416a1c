import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ModelError } from './errors.ts';
import { networkOf } from './network.ts';
import { resnet18 } from './resnet.ts';

const flat = () => {
  const input = tfl.input({ shape: [2, 2, 1] });
  return { input, x: tfl.layers.flatten().apply(input) as tfl.SymbolicTensor };
};
const images = tf.randomNormal([3, 2, 2, 1], 0, 1, 'float32', 1) as tf.Tensor4D;

test('the logits of every kind of end give the probabilities of the model', () => {
  const dense = (activation: 'softmax' | 'linear', useBias = true) =>
    tfl.layers.dense({ units: 3, activation, useBias, biasInitializer: 'randomNormal' });
  const ends: (() => tfl.layers.Layer[])[] = [
    () => [dense('softmax')],
    () => [dense('softmax', false)],
    () => [dense('linear'), tfl.layers.softmax()],
    () => [dense('linear'), tfl.layers.activation({ activation: 'softmax' })],
  ];
  for (const end of ends) {
    const { input, x } = flat();
    const output = end().reduce((y, layer) => layer.apply(y) as tfl.SymbolicTensor, x);
    const model = tfl.model({ inputs: input, outputs: output });
    const network = networkOf(model);
    assert.equal(network.gives, 'logits');
    assert.equal(network.classes, 3);
    assert.equal(networkOf(model), network);
    for (const training of [false, true]) {
      const fromLogits = tf.softmax(network.apply(images, training)).dataSync<'float32'>();
      const expected = (model.predict(images) as tf.Tensor).dataSync<'float32'>();
      expected.forEach((value, i) => {
        assert.ok(Math.abs(value - (fromLogits[i] ?? Number.NaN)) < 1e-6);
      });
    }
  }
});

test('a dense end without softmax is taken for logits, any other end for probabilities', () => {
  const { input, x } = flat();
  const linear = tfl.layers.dense({ units: 3 }).apply(x) as tfl.SymbolicTensor;
  assert.equal(networkOf(tfl.model({ inputs: input, outputs: linear })).gives, 'logits');
  const sigmoid = tfl.layers.dense({ units: 3, activation: 'sigmoid' }).apply(x) as tfl.SymbolicTensor;
  const model = tfl.model({ inputs: input, outputs: sigmoid });
  const network = networkOf(model);
  assert.equal(network.gives, 'probabilities');
  assert.deepEqual(network.apply(images, false).dataSync(), (model.predict(images) as tf.Tensor).dataSync());
});

test('a head put on the backbone of another model, and a sequential model', () => {
  const base = resnet18({ inputShape: [8, 8, 3], classes: 5, width: 2 });
  const features = base.layers.at(-2)?.output as tfl.SymbolicTensor;
  const outputs = tfl.layers.dense({ units: 2, activation: 'softmax' }).apply(features) as tfl.SymbolicTensor;
  const network = networkOf(tfl.model({ inputs: base.inputs, outputs }));
  assert.deepEqual([network.gives, network.classes, network.inputShape], ['logits', 2, [8, 8, 3]]);
  const sequential = tfl.sequential();
  sequential.add(tfl.layers.flatten({ inputShape: [2, 2, 1] }));
  sequential.add(tfl.layers.dense({ units: 4, activation: 'softmax' }));
  assert.deepEqual(networkOf(sequential).apply(images, true).shape, [3, 4]);
});

test('a model that is no classifier of images is refused', () => {
  const input = tfl.input({ shape: [4] });
  const outputs = tfl.layers.dense({ units: 2 }).apply(input) as tfl.SymbolicTensor;
  assert.throws(
    () => networkOf(tfl.model({ inputs: input, outputs, name: 'flat' })),
    (error) => error instanceof ModelError && /model flat: must have one input .* it has \[,4\]/.test(error.message),
  );
});
