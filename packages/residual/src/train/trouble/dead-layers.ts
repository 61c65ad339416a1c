/** Looks whether a network still tells images apart: logits that are the same for all of them are dead, and no gradient
 *  brings them back. Costs one forward pass over a few images, so it is asked only when the loss is stuck at chance. */

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { networkOf } from '../../models/network.ts';

/** Images that are looked at. */
export const PROBED = 16;
/** Outputs that differ by less than this, relative to their size, are the same up to rounding. */
const SAME = 1e-5;

/**
 * @param images Normalised, n × height × width × channels; the first 16 are looked at.
 * @returns What is dead, as the beginning of a sentence; undefined where the network tells images apart.
 */
export async function findDead(model: tfl.LayersModel, images: Float32Array): Promise<string | undefined> {
  const network = networkOf(model);
  const length = network.inputShape.reduce((a, b) => a * b, 1);
  const count = Math.min(PROBED, images.length / length);
  if (count < 2) return undefined;
  const input = () => tf.tensor4d(images.slice(0, count * length), [count, ...network.inputShape]);
  const logits = tf.tidy(() => network.apply(input(), false));
  const values = (await logits.data()) as Float32Array;
  logits.dispose();
  const { classes } = network;
  const spread = Math.max(...Array.from({ length: classes }, (_, c) => rangeOf(values, c, classes)));
  const size = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (!(spread <= SAME * Math.max(size, 1e-3))) return undefined;
  const silent = await silentLayers(model, input);
  const where =
    silent.length === 0
      ? ''
      : `: ${silent.length === 1 ? `layer ${silent[0]} gives` : `layers ${silent.join(', ')} give`} only zeros`;
  return `the network gives the same answer for every image${where}`;
}

function rangeOf(values: Float32Array, column: number, columns: number): number {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = column; i < values.length; i += columns) {
    const value = values[i] as number;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return high - low;
}

/** The ReLU layers, and layers with a ReLU inside, whose output is zero everywhere. */
async function silentLayers(model: tfl.LayersModel, input: () => tf.Tensor4D): Promise<string[]> {
  const layers = model.layers.filter(
    (layer) =>
      layer.inboundNodes.length === 1 &&
      (layer.getClassName() === 'ReLU' || (layer.getConfig() as { activation?: unknown }).activation === 'relu'),
  );
  if (layers.length === 0) return [];
  const outputs = layers.map((layer) => layer.output as tfl.SymbolicTensor);
  const probe = tfl.model({ inputs: model.inputs, outputs });
  const largest = tf.tidy(() => {
    const results = probe.apply(input(), { training: false }) as tf.Tensor | tf.Tensor[];
    return tf.stack((Array.isArray(results) ? results : [results]).map((result) => tf.max(result)));
  });
  const values = await largest.data();
  largest.dispose();
  return layers.filter((_, i) => values[i] === 0).map(({ name }) => name);
}
