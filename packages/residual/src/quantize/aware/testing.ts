/** For tests: a small network with every kind of folding and joining that training with quantization must follow. */

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { infoFor, picturesFor, pretendTrained } from '../../export/graph/testing.ts';
import { batchNormalization } from '../../models/batch-normalization.ts';
import { networkOf } from '../../models/network.ts';

/** Norms before, behind and alone; a depthwise filter with a multiplier; a gate, a join, pools, padding, a sum. */
function manyKinds(): tfl.LayersModel {
  const input = tfl.input({ shape: [9, 8, 3] });
  const conv = (filters: number, options: object = {}) =>
    tfl.layers.conv2d({ filters, kernelSize: 3, padding: 'same', ...options });
  const apply = (x: tfl.SymbolicTensor | tfl.SymbolicTensor[], ...layers: tfl.layers.Layer[]) =>
    layers.reduce((value, layer) => layer.apply(value) as tfl.SymbolicTensor, x as tfl.SymbolicTensor);
  const relu = () => tfl.layers.reLU();
  const stem = apply(
    input,
    batchNormalization({ name: 'alone' }),
    conv(8, { name: 'biased' }),
    batchNormalization({ name: 'behind', epsilon: 1e-5 }),
    relu(),
  );
  const left = apply(
    stem,
    tfl.layers.depthwiseConv2d({
      kernelSize: 3,
      padding: 'same',
      depthMultiplier: 2,
      useBias: false,
      name: 'depthwise',
    }),
    batchNormalization({ name: 'wide', scale: false }),
    tfl.layers.reLU({ maxValue: 6 }),
    conv(8, { name: 'narrow', kernelSize: 1, useBias: false }),
    batchNormalization({ name: 'last' }),
  );
  const right = apply(
    stem,
    batchNormalization({ name: 'before', center: false }),
    conv(8, { name: 'open', kernelSize: 1, strides: 1 }),
  );
  const sum = apply(tfl.layers.add().apply([left, right]) as tfl.SymbolicTensor, relu());
  const gate = apply(
    sum,
    tfl.layers.globalAveragePooling2d({ dataFormat: 'channelsLast' }),
    tfl.layers.reshape({ targetShape: [1, 1, 8] }),
    conv(8, { name: 'gate', kernelSize: 1, activation: 'sigmoid' }),
  );
  const gated = tfl.layers.multiply().apply([sum, gate]) as tfl.SymbolicTensor;
  const pooled = apply(
    tfl.layers.concatenate().apply([gated, right]) as tfl.SymbolicTensor,
    tfl.layers.maxPooling2d({ poolSize: 2 }),
    tfl.layers.averagePooling2d({ poolSize: 2 }),
    tfl.layers.flatten(),
    tfl.layers.dropout({ rate: 0.5 }),
  );
  const output = apply(pooled, tfl.layers.dense({ units: 4, name: 'classifier' }));
  return tfl.model({ inputs: input, outputs: output, name: 'many-kinds' });
}

/** The network, trained in appearance, with pictures. */
export function prepared(images = 16) {
  const model = pretendTrained(manyKinds());
  const info = infoFor(model);
  const { normalised } = picturesFor(info, images);
  return { model, info, images: normalised };
}

/** A weighted sum of the logits that a model gives in training; inside `tf.tidy`. */
function weightedLogits(model: tfl.LayersModel, images: Float32Array): tf.Scalar {
  const { inputShape, apply } = networkOf(model);
  const count = images.length / inputShape.reduce((a, b) => a * b);
  const output = apply(tf.tensor4d(images, [count, ...inputShape]), true);
  const weights = Float32Array.from({ length: output.size }, (_, i) => Math.sin(1 + 3 * i));
  return tf.mean(tf.mul(output, tf.tensor(weights, output.shape)));
}

export function lossOf(model: tfl.LayersModel, images: Float32Array): number {
  return tf.tidy(() => weightedLogits(model, images).dataSync()[0] as number);
}

/** Its gradients, by the weights' stable names. */
export function gradientsOf(model: tfl.LayersModel, images: Float32Array): Map<string, Float32Array> {
  const weights = model.trainableWeights;
  const variables = weights.map((weight) => weight.read() as unknown as tf.Variable);
  const { value, grads } = tf.tidy(() => tf.variableGrads(() => weightedLogits(model, images), variables));
  const gradients = new Map(
    weights.map(({ originalName }, i) => {
      const gradient = grads[variables[i]?.name ?? ''];
      return [originalName, gradient ? Float32Array.from(gradient.dataSync()) : new Float32Array()];
    }),
  );
  tf.dispose([value, grads]);
  return gradients;
}
