/** What each layer of a model costs: parameters, multiply-adds per image, values that it keeps for the gradient.
 *  Multiply-adds count convolutions and dense layers, as papers do; the rest is a few per cent. */

import type { LayersModel } from '@tensorflow/tfjs-layers';

export interface LayerCost {
  readonly name: string;
  readonly kind: string;
  /** Without the batch. */
  readonly output: readonly number[];
  readonly parameters: number;
  readonly trainable: number;
  /** Multiply-adds for one image. */
  readonly macs: number;
  /** Values in the output for one image; 0 for layers that only pass their input on. */
  readonly values: number;
}

/** One entry per layer, in the model's order. */
export function layerCosts(model: LayersModel): LayerCost[] {
  return model.layers.map((layer) => {
    const kind = layer.getClassName();
    const output = single(layer.outputShape)
      .slice(1)
      .map((size) => size ?? 1);
    const values = output.reduce((product, size) => product * size, 1);
    return {
      name: layer.name,
      kind,
      output,
      parameters: layer.countParams(),
      trainable: layer.trainableWeights.reduce((sum, weight) => sum + sizeOf(weight.shape), 0),
      macs: macsOf(kind, layer.weights[0]?.shape ?? [], output),
      values: passing.includes(kind) ? 0 : values,
    };
  });
}

const passing: readonly string[] = ['InputLayer', 'Flatten', 'Reshape', 'Dropout'];

function macsOf(kind: string, kernel: readonly (number | null)[], output: readonly number[]): number {
  const weights = sizeOf(kernel);
  const pixels = (output[0] ?? 1) * (output[1] ?? 1);
  switch (kind) {
    case 'Conv2D':
      return weights * pixels;
    case 'DepthwiseConv2D':
      return weights * pixels;
    case 'Dense':
      return weights;
    default:
      return 0;
  }
}

export interface MemoryEstimate {
  /** Bytes of the weights. */
  readonly weights: number;
  /** Bytes that one training step of the batch takes: weights, gradients, momentum and kept activations. */
  readonly training: number;
  /** Bytes for predicting the batch: weights and the two largest activations. */
  readonly inference: number;
}

/**
 * An upper estimate in single precision. For training, each layer's output is kept for the gradient, once; a backend
 * that fuses layers needs less.
 */
export function memoryEstimate(costs: readonly LayerCost[], batch: number): MemoryEstimate {
  const parameters = costs.reduce((sum, cost) => sum + cost.parameters, 0);
  const trainable = costs.reduce((sum, cost) => sum + cost.trainable, 0);
  const activations = costs.reduce((sum, cost) => sum + cost.values, 0);
  const largest = costs
    .map((cost) => cost.values)
    .sort((a, b) => b - a)
    .slice(0, 2)
    .reduce((sum, values) => sum + values, 0);
  return {
    weights: 4 * parameters,
    training: 4 * (parameters + 2 * trainable + activations * batch),
    inference: 4 * (parameters + largest * batch),
  };
}

function single(shape: (number | null)[] | (number | null)[][]): (number | null)[] {
  const [first] = shape;
  return Array.isArray(first) ? first : (shape as (number | null)[]);
}

function sizeOf(shape: readonly (number | null)[]): number {
  return shape.reduce<number>((product, size) => product * (size ?? 1), 1);
}
