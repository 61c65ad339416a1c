import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { BatchNormalization } from '../../models/batch-normalization.ts';
import { WeightsError } from '../errors.ts';
import type { KerasFile } from './keras-file.ts';
import { modelFromKeras } from './model-from-keras.ts';
import { difference, expected, picture, readFixture } from './testing.ts';

async function modelOf(name: string): Promise<tfl.LayersModel> {
  const file = await readFixture(name);
  const model = await modelFromKeras(file);
  await file.close();
  return model;
}

/** Of two pictures. */
function predict(model: tfl.LayersModel): Float32Array {
  const [input] = model.inputs as [tfl.SymbolicTensor];
  const shape = [2, ...(input.shape.slice(1) as number[])];
  const size = shape.reduce((product, n) => product * n, 1);
  return tf.tidy(() => (model.predict(tf.tensor(picture(size), shape)) as tf.Tensor).dataSync() as Float32Array);
}

/** What the last layer computes before its softmax. */
function logits(model: tfl.LayersModel): Float32Array {
  const [before, dense] = model.layers.slice(-2) as [tfl.layers.Layer, tfl.layers.Layer];
  const pooled = predict(tfl.model({ inputs: model.inputs, outputs: before.output as tfl.SymbolicTensor }));
  const [kernel, bias] = dense.getWeights() as [tf.Tensor2D, tf.Tensor];
  return tf.tidy(() => {
    const x = tf.tensor2d(pooled, [2, pooled.length / 2]);
    return tf.add(tf.matMul(x, kernel), bias).dataSync() as Float32Array;
  });
}

for (const name of ['keras3.h5', 'keras3.keras', 'keras2.h5', 'keras2.keras']) {
  test(`${name}: the guide's network gives the outputs of Keras`, async () => {
    const model = await modelOf(name);
    const off = difference(logits(model), expected.logits.flat());
    assert.ok(off < 1e-4, `${off}`);
    assert.ok(difference(predict(model), expected.probabilities.flat()) < 1e-4);
    assert.ok(model.getLayer('batch_normalization') instanceof BatchNormalization);
    model.dispose();
  });
}

for (const [kind, wanted] of Object.entries({ nested: expected.nested, tiny: expected.tiny })) {
  for (const name of ['3.h5', '3.keras', '2.h5', '2.keras'].map((end) => kind + end)) {
    test(`${name} gives the outputs of Keras`, async () => {
      const model = await modelOf(name);
      assert.ok(difference(predict(model), wanted.flat()) < 1e-4);
      model.dispose();
    });
  }
}

test('the model trains, and the guide’s freezing freezes it', async () => {
  const model = await modelOf('tiny3.keras');
  for (const layer of model.layers.slice(0, -1)) layer.trainable = false;
  const before = model.layers.slice(0, -1).flatMap((layer) => layer.getWeights().map((weight) => weight.dataSync()));
  const head = model.layers.at(-1)?.getWeights()[0]?.dataSync();
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  await model.fit(tf.ones([4, 4, 4, 3]), tf.ones([4, 2]), { epochs: 1 });
  const after = model.layers.slice(0, -1).flatMap((layer) => layer.getWeights().map((weight) => weight.dataSync()));
  assert.deepEqual(after, before);
  assert.notDeepEqual(model.layers.at(-1)?.getWeights()[0]?.dataSync(), head);
  model.dispose();
});

test('no tensor is left behind where it fails', async () => {
  const file = await readFixture('tiny3.keras');
  const before = tf.memory().numTensors;
  const fewer: KerasFile = { ...file, layers: file.layers.slice(0, -1) };
  await assert.rejects(
    modelFromKeras(fewer),
    /layer "dense(?:_\d+)?" must have a kernel for \[2\], the file has none$/,
  );
  const other = file.layers.slice(0, 1).map((layer) => ({ ...layer, name: 'x' }));
  const more: KerasFile = { ...file, layers: [...file.layers, ...other] };
  await assert.rejects(modelFromKeras(more), /has weights of "x", a layer that its model has not$/);
  assert.equal(tf.memory().numTensors, before);
  await file.close();
});

describe('what TensorFlow.js cannot do is refused by name', () => {
  // biome-ignore lint/suspicious/noExplicitAny: a configuration is damaged at will
  const damaged = async (damage: (config: any) => unknown): Promise<KerasFile> => {
    const file = await readFixture('tiny3.keras');
    const modelConfig = structuredClone(file.modelConfig);
    return { ...file, modelConfig: damage(modelConfig) ?? modelConfig };
  };
  for (const [what, damage, message] of [
    [
      'another class',
      (c) => {
        c.config.layers[1].class_name = 'Lambda';
      },
      /layer "conv2d_\d+" is of class "Lambda", which TensorFlow\.js has not$/,
    ],
    [
      'a custom class',
      (c) => {
        Object.assign(c.config.layers[1], { class_name: 'Mine', registered_name: 'package>Mine' });
      },
      /is of class "package>Mine"/,
    ],
    [
      'a subclassed model',
      (c) => {
        c.class_name = 'MyModel';
      },
      /a model must be Functional or Sequential, is "MyModel": build it in code and load weights alone$/,
    ],
    [
      'groups',
      (c) => {
        c.config.layers[1].config.groups = 3;
      },
      /layer "conv2d_\d+": groups must be 1 in TensorFlow\.js, is 3$/,
    ],
    [
      'a slope',
      (c) => {
        c.config.layers[3].config.negative_slope = 0.1;
      },
      /negative_slope must be 0 in TensorFlow\.js, is 0\.1$/,
    ],
    [
      'an argument',
      (c) => {
        c.config.layers[2].inbound_nodes[0].kwargs = { scale: 2 };
      },
      /is called with the argument "scale"/,
    ],
    [
      'a number as input',
      (c) => {
        c.config.layers[2].inbound_nodes[0].args = [3];
      },
      /is called with "3"; inputs must be tensors of layers$/,
    ],
    [
      'a circle',
      (c) => {
        c.config.layers[2].inbound_nodes[0].args[0].config.keras_history[0] = c.config.layers[3].name;
      },
      /wait for inputs that never come: its model is no graph$/,
    ],
    [
      'a layer too many',
      (c) => {
        c.config.layers.push(c.config.layers[1]);
      },
      /two layers of its model are named "conv2d_\d+"$/,
    ],
    [
      'a huge layer',
      (c) => {
        c.config.layers[1].config.kernel_size = [1e5, 1e5];
      },
      /must have a kernel for \[100000,100000,2\], the kernel in the file is \[3,3,3,2\]$/,
    ],
    ['nothing', () => 7, /a model must be Functional or Sequential, is "undefined"/],
    // biome-ignore lint/suspicious/noExplicitAny: as above
  ] as [string, (config: any) => unknown, RegExp][]) {
    test(what, async () => {
      const file = await damaged(damage);
      await assert.rejects(modelFromKeras(file), (error) => {
        assert.ok(error instanceof WeightsError, String(error));
        assert.match(error.message, message);
        return true;
      });
      await file.close();
    });
  }
});
