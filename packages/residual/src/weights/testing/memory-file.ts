/** Files of weights in memory, made of a model's weights under names of any origin: for tests of maps. */

import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { seeded } from '../../data/random.ts';
import type { WeightFile, WeightFormat, WeightTensor } from '../tensor.ts';

export function tensorOf(name: string, shape: readonly number[], values: Float32Array): WeightTensor {
  return { name, type: 'float32', shape, read: async () => values.slice() };
}

export function memoryFile(format: WeightFormat, tensors: readonly WeightTensor[]): WeightFile {
  return { format, name: `memory.${format}`, tensors, metadata: {}, close: async () => {} };
}

/** Values as of a trained network, batch normalisation's too, the same for the same seed. */
export function randomWeights(model: LayersModel, seed: number): void {
  const random = seeded(seed);
  for (const layer of model.layers) {
    layer.setWeights(layer.weights.map((weight) => randomLike(weight.originalName, weight.shape as number[], random)));
  }
}
