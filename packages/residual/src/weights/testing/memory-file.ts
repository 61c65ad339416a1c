/** Files of weights in memory, made of a model's weights under names of any origin: for tests of maps. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { WeightFile, WeightFormat, WeightTensor } from '../tensor.ts';

export function tensorOf(name: string, shape: readonly number[], values: Float32Array): WeightTensor {
  return { name, type: 'float32', shape, read: async () => values.slice() };
}

export function memoryFile(format: WeightFormat, tensors: readonly WeightTensor[]): WeightFile {
  return { format, name: `memory.${format}`, tensors, metadata: {}, close: async () => {} };
}

/** Values as of a trained network, batch normalisation's too, the same for the same seed. */
export function randomize(model: LayersModel, seed: number): void {
  for (const [i, layer] of model.layers.entries()) {
    const values = layer.weights.map(({ originalName, shape }, k) => {
      const sizes = shape as number[];
      const own = seed + 100 * i + k;
      if (/gamma|variance/.test(originalName)) return tf.randomUniform(sizes, 0.5, 1.5, 'float32', own);
      const fanIn = sizes.slice(0, -1).reduce((product, n) => product * n, 1);
      return tf.randomNormal(sizes, 0, sizes.length > 1 ? Math.sqrt(2 / fanIn) : 0.2, 'float32', own);
    });
    layer.setWeights(values);
    tf.dispose(values);
  }
}

/** All weights as a file in Keras's layouts; `name` gives each tensor's. */
export function kerasFile(
  model: LayersModel,
  name: (layer: string, role: string) => string,
  format: WeightFormat = 'keras',
): WeightFile {
  return memoryFile(
    format,
    model.layers.flatMap((layer) =>
      layer.weights.map((weight) => {
        const role = weight.originalName.split('/').at(-1) ?? '';
        const values = weight.read().dataSync() as Float32Array;
        return tensorOf(name(layer.name, role), weight.shape as number[], Float32Array.from(values));
      }),
    ),
  );
}

/** The same in PyTorch's: OIHW and [out, in]. */
export function torchFile(model: LayersModel, name: (layer: string, role: string) => string): WeightFile {
  return memoryFile(
    'safetensors',
    model.layers.flatMap((layer) =>
      layer.weights.map((weight) => {
        const role = weight.originalName.split('/').at(-1) ?? '';
        const value = weight.read();
        const order = value.rank === 4 ? [3, 2, 0, 1] : value.rank === 2 ? [1, 0] : [0];
        const turned = tf.tidy(() => tf.transpose(value as tf.Tensor, order));
        const tensor = tensorOf(name(layer.name, role), turned.shape, turned.dataSync() as Float32Array);
        turned.dispose();
        return tensor;
      }),
    ),
  );
}
