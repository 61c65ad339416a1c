/** The second kind of residual network: normalisation and ReLU stand before each convolution, and nothing after the sum.
 *  (K. He et al., "Identity mappings in deep residual networks", arXiv 1603.05027.) In the very form, and under the names,
 *  of MXNet's symbols and classification_models, whose weights for Keras are the public ones. */

import type { SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { LayerMaker } from './blocks.ts';

/** As in MXNet's ResNets; their weights were trained with it. */
const norm = { epsilon: 2e-5 } as const;

export interface PreactivationOptions {
  readonly block: 'basic' | 'bottleneck';
  readonly layers: readonly number[];
  readonly width: number;
  readonly stem: 'imagenet' | 'cifar';
}

/**
 * From pictures to the last feature maps, [batch, height, width, channels]. A first normalisation without scale stands
 * before all, so that weights may be for pixels from 0 to 255.
 */
export function preactivationTrunk(
  make: LayerMaker,
  input: SymbolicTensor,
  { block, layers, width, stem }: PreactivationOptions,
): SymbolicTensor {
  const cifar = stem === 'cifar';
  let x = make.norm('bn_data', input, { ...norm, scale: false });
  x = make.conv('conv0', x, width, cifar ? 3 : 7, cifar ? 1 : 2);
  x = make.relu('relu0', make.norm('bn0', x, norm));
  if (!cifar) x = make.maxPool('pooling0', x);
  layers.forEach((count, stage) => {
    for (let i = 0; i < count; i++) {
      const name = `stage${stage + 1}_unit${i + 1}_`;
      const stride = stage > 0 && i === 0 ? 2 : 1;
      x = (block === 'basic' ? basic : bottleneck)(make, x, {
        name,
        filters: width * 2 ** stage,
        stride,
        first: i === 0,
      });
    }
  });
  return make.relu('relu1', make.norm('bn1', x, norm));
}

interface UnitOptions {
  /** e.g. `stage2_unit1_`: what the names of its layers begin with. */
  readonly name: string;
  readonly filters: number;
  readonly stride: number;
  /** Of its stage: there the shortcut is a convolution, even where the shape stays. */
  readonly first: boolean;
}

function basic(make: LayerMaker, x: SymbolicTensor, { name, filters, stride, first }: UnitOptions): SymbolicTensor {
  const active = activated(make, x, name, 1);
  const shortcut = first ? make.conv(`${name}sc`, active, filters, 1, stride) : x;
  let y = make.conv(`${name}conv1`, active, filters, 3, stride);
  y = make.conv(`${name}conv2`, activated(make, y, name, 2), filters, 3, 1);
  return make.add(`${name}add`, y, shortcut);
}

function bottleneck(
  make: LayerMaker,
  x: SymbolicTensor,
  { name, filters, stride, first }: UnitOptions,
): SymbolicTensor {
  const active = activated(make, x, name, 1);
  const shortcut = first ? make.conv(`${name}sc`, active, filters * 4, 1, stride) : x;
  let y = make.conv(`${name}conv1`, active, filters, 1, 1);
  y = make.conv(`${name}conv2`, activated(make, y, name, 2), filters, 3, stride);
  y = make.conv(`${name}conv3`, activated(make, y, name, 3), filters * 4, 1, 1);
  return make.add(`${name}add`, y, shortcut);
}

function activated(make: LayerMaker, x: SymbolicTensor, name: string, which: number): SymbolicTensor {
  return make.relu(`${name}relu${which}`, make.norm(`${name}bn${which}`, x, norm));
}
