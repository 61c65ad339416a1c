/** A model's weights as PyTorch would hold them: torchvision's names, OIHW kernels. For `.safetensors` files that timm,
 *  torchvision and Hugging Face's tools load. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { WeightsError } from './errors.ts';
import { needsOf } from './layers.ts';
import { toOihw, transpose } from './layout.ts';
import type { NamedValues } from './safetensors-writer.ts';

/** What PyTorch calls the weights of our layers, by the layer's class. */
const names: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Conv2D: { kernel: 'weight', bias: 'bias' },
  Dense: { kernel: 'weight', bias: 'bias' },
  BatchNormalization: {
    gamma: 'weight',
    beta: 'bias',
    moving_mean: 'running_mean',
    moving_variance: 'running_var',
  },
};

export interface TorchState {
  readonly tensors: readonly NamedValues[];
  /** What names and values do not say: ε of the batch normalisations, and how strided convolutions pad. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * All weights of a model, named as in PyTorch: `layer1.0.conv1.weight` [out, in, height, width],
 * `bn1.running_var` [channels], `fc.weight` [classes, features]. Our ResNets bear torchvision's layer names; those of
 * other models are kept as they are. Written with the metadata, `loadWeights` reads them back bit for bit.
 *
 * @throws WeightsError for a layer of another class that has weights
 * @throws WeightsError for batch normalisations of different ε
 * @example
 * const { tensors, metadata } = await torchState(model);
 * await writeSafetensors('resnet18.safetensors', tensors, { metadata });
 */
export async function torchState(model: LayersModel): Promise<TorchState> {
  const tensors: NamedValues[] = [];
  for (const layer of model.layers) {
    const kind = layer.getClassName();
    for (const weight of layer.weights) {
      const own = weight.originalName.split('/').at(-1) ?? '';
      const name = names[kind]?.[own];
      if (name === undefined) {
        const rule = `must be of ${Object.keys(names).join(', ')} to be named as in PyTorch`;
        throw new WeightsError(`layer ${layer.name}, which has weights, ${rule}, is a ${kind} with ${own}`);
      }
      const values = (await weight.read().data<'float32'>()) as Float32Array;
      const shape = weight.shape as number[];
      tensors.push({ name: `${layer.name}.${name}`, ...asTorch(own, values, shape) });
    }
  }
  return { tensors, metadata: conventionsOf(model) };
}

function conventionsOf(model: LayersModel): Readonly<Record<string, string>> {
  const { layers, padding } = needsOf(model);
  const epsilons = new Set(layers.flatMap(({ epsilon }) => (epsilon === undefined ? [] : [epsilon])));
  if (epsilons.size > 1) {
    throw new WeightsError(
      `${model.name}: batch normalisations must have one ε, they have ${[...epsilons].join(', ')}`,
    );
  }
  const [epsilon] = epsilons;
  return { ...(epsilon === undefined ? {} : { epsilon: `${epsilon}` }), ...(padding && { padding }) };
}

function asTorch(own: string, values: Float32Array, shape: readonly number[]): Pick<NamedValues, 'shape' | 'values'> {
  if (own !== 'kernel') return { shape, values };
  if (shape.length === 2) return { shape: shape.toReversed(), values: transpose(values, shape) };
  const [height = 0, width = 0, input = 0, out = 0] = shape;
  return { shape: [out, input, height, width], values: toOihw(values, shape) };
}
