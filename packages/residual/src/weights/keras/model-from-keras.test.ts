import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { BatchNormalization } from '../../models/batch-normalization.ts';
import { modelFromKeras } from './model-from-keras.ts';
import { difference, expected, picture, readFixture } from './testing.ts';

const WHOLE = ['keras3.h5', 'keras2.h5', 'keras3.keras', 'keras2.keras'];

/** Probabilities of the two pictures, and logits: the last layer's without its softmax. */
function outputs(model: tfl.LayersModel): [logits: Float32Array, probabilities: Float32Array] {
  return tf.tidy(() => {
    const x = tf.tensor(picture(2 * 32 * 32 * 3), [2, ...expected.inputShape]);
    const [before, dense] = model.layers.slice(-2) as [tfl.layers.Layer, tfl.layers.Layer];
    const pooled = tfl.model({ inputs: model.inputs, outputs: before.output as tfl.SymbolicTensor });
    const [kernel, bias] = dense.getWeights() as [tf.Tensor2D, tf.Tensor];
    const logits = tf.add(tf.matMul(pooled.predict(x) as tf.Tensor2D, kernel), bias);
    return [logits, model.predict(x) as tf.Tensor].map((y) => y.dataSync()) as [Float32Array, Float32Array];
  });
}

for (const name of WHOLE) {
  test(`${name}: the guide's network gives the outputs of Keras`, async () => {
    const file = await readFixture(name);
    const model = await modelFromKeras(file);
    await file.close();
    const [logits, probabilities] = outputs(model);
    assert.ok(difference(logits, expected.logits.flat()) < 1e-4, `${difference(logits, expected.logits.flat())}`);
    assert.ok(difference(probabilities, expected.probabilities.flat()) < 1e-4);
    assert.ok(model.getLayer('batch_normalization') instanceof BatchNormalization);
    model.dispose();
  });
}
