/** A classifier's head as a model of its own, over features instead of pictures.
 *  It trains the very variables of the whole model, which is up to date at any moment. */

import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { cutHead } from '../../models/transfer/head.ts';

type Layer = tfl.layers.Layer;

/**
 * [batch, 1, 1, n] → [batch, classes]. Its layers are twins of the model's, with the same variables; it must not be
 * disposed of, for they would go with it.
 */
export function headModel(model: tfl.LayersModel): tfl.LayersModel {
  const { features, head } = cutHead(model);
  const input = tfl.input({ shape: [1, 1, features.shape[1] ?? 0], name: 'features' });
  let x = tfl.layers.flatten({ name: 'features.flat' }).apply(input) as tfl.SymbolicTensor;
  for (const layer of head) {
    const twin = twinOf(layer);
    x = twin.apply(x) as tfl.SymbolicTensor;
    adopt(twin, layer);
  }
  return tfl.model({ inputs: input, outputs: x, name: model.name });
}

function twinOf(layer: Layer): Layer {
  const { batchInputShape: _, ...config } = layer.getConfig();
  const maker = layer.constructor as unknown as tf.serialization.SerializableConstructor<Layer>;
  return maker.fromConfig(maker, config);
}

/** Puts the original's variables, and penalties of them, in the place of the twin's, wherever it keeps them. */
function adopt(twin: Layer, original: Layer): void {
  const theirs = new Map<unknown, tfl.LayerVariable | undefined>(
    twin.weights.map((weight, i) => [weight, original.weights[i]]),
  );
  const fields = twin as unknown as Record<string, unknown>;
  for (const [key, value] of Object.entries(fields)) {
    if (theirs.has(value)) fields[key] = theirs.get(value);
    else if (Array.isArray(value)) fields[key] = value.map((one) => theirs.get(one) ?? one);
  }
  fields._losses = (original as unknown as Record<string, unknown>)._losses;
  for (const own of theirs.keys()) (own as tfl.LayerVariable).dispose();
}
