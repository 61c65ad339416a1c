/** What tests of exporters share: models that look trained, pictures for them, and how far two results are apart. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { Random } from '../../data/random.ts';
import type { ModelInfo } from '../../models/info.ts';

/** Gives every weight a number as training may leave it: no γ is 1, no bias or mean 0. The same seed, the same numbers. */
export function pretendTrained(model: LayersModel, seed = 1): LayersModel {
  const random = Random.at(seed);
  const between = (low: number, high: number) => random.uniform(low, high);
  for (const layer of model.layers) {
    const names = layer.weights.map(({ originalName }) => originalName.split('/').at(-1));
    const tensors = layer.getWeights();
    const drawn = tensors.map((tensor, i) => {
      const [rows = 1, columns = 1] = tensor.shape;
      const kernel = (fanIn: number) => () => between(-Math.sqrt(6 / fanIn), Math.sqrt(6 / fanIn));
      const draw: Readonly<Record<string, () => number>> = {
        kernel: kernel(tensor.size / (tensor.shape.at(-1) ?? 1)),
        depthwise_kernel: kernel(rows * columns),
        gamma: () => between(0.4, 1.6),
        beta: () => between(-0.5, 0.5),
        bias: () => between(-0.3, 0.3),
        moving_mean: () => between(-0.6, 0.6),
        moving_variance: () => between(0.3, 2),
      };
      const of = draw[names[i] ?? ''];
      return of === undefined
        ? tensor.clone()
        : tf.tensor(Float32Array.from({ length: tensor.size }, of), tensor.shape);
    });
    layer.setWeights(drawn);
    tf.dispose(drawn);
  }
  return model;
}

/** Means and deviations that differ between channels, and classes `c0`, `c1` … */
export function infoFor(model: LayersModel): ModelInfo {
  const [height = 0, width = 0, channels = 0] = model.inputs[0]?.shape.slice(1).map(Number) ?? [];
  const classes = Number(model.outputs[0]?.shape.at(-1));
  return {
    format: 'residual/1',
    architecture: model.name,
    classes: Array.from({ length: classes }, (_, i) => `c${i}`),
    preprocessing: {
      inputShape: [height, width, channels],
      resize: 'cover',
      mean: Array.from({ length: channels }, (_, c) => 0.48 - 0.03 * c),
      std: Array.from({ length: channels }, (_, c) => 0.23 + 0.01 * c),
    },
  };
}

/** Random pictures as bytes, and the same normalised. */
export function picturesFor({ preprocessing }: ModelInfo, count: number, seed = 2) {
  const { inputShape, mean, std } = preprocessing;
  const random = Random.at(seed);
  const channels = inputShape[2];
  const bytes = Uint8Array.from({ length: count * inputShape.reduce((a, b) => a * b) }, () => random.integer(256));
  const normalised = Float32Array.from(bytes, (byte, i) => (byte / 255 - mean[i % channels]) / std[i % channels]);
  return { bytes, normalised };
}

/** What the model itself says of normalised images. */
export async function predicted(model: LayersModel, images: Float32Array): Promise<Float32Array> {
  const shape = (model.inputs[0]?.shape ?? []).slice(1).map(Number);
  const input = tf.tensor(images, [images.length / shape.reduce((a, b) => a * b), ...shape]);
  const output = model.predict(input) as tf.Tensor;
  const values = (await output.data()) as Float32Array;
  tf.dispose([input, output]);
  return values;
}

/** The largest difference, as a part of the range of what is expected. */
export function distance(expected: ArrayLike<number>, received: ArrayLike<number>): number {
  if (expected.length !== received.length || expected.length === 0) return Number.POSITIVE_INFINITY;
  let [low, high, worst] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (let i = 0; i < expected.length; i++) {
    low = Math.min(low, expected[i]);
    high = Math.max(high, expected[i]);
    const difference = Math.abs(expected[i] - received[i]);
    worst = Math.max(worst, difference); // NaN stays NaN
  }
  return worst / (high - low);
}
