/** The weights that are pruned and clustered: kernels of convolutions and dense layers.
 *  Biases and batch normalisation are few, and each of their values matters. */

import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { withInner } from '../models/transfer/graph.ts';
import { matchesAny } from '../train/weight-names.ts';

export interface Kernel {
  /** As the model calls it, e.g. `layer1.0.conv1/kernel`. */
  readonly name: string;
  readonly variable: tf.Variable;
}

const kinds: readonly string[] = ['Conv2D', 'Dense'];

/** @param exclude patterns of names that are left out, as `fc/*` */
export function kernelsOf(model: tfl.LayersModel, exclude: readonly string[] = []): readonly Kernel[] {
  return model.layers.flatMap(withInner).flatMap((layer) => {
    const [weight] = layer.weights;
    if (weight === undefined || !kinds.includes(layer.getClassName())) return [];
    const name = weight.originalName;
    return matchesAny(exclude, name) ? [] : [{ name, variable: weight.read() as unknown as tf.Variable }];
  });
}
