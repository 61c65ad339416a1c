/** How small the weights of a model become in an archive: what zeros and shared values are worth on the way to a phone. */

import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { node } from '../models/files.ts';

export interface PackedSize {
  /** Of the weights in single precision. */
  readonly bytes: number;
  /** After deflate, as zip files and app packages do it. */
  readonly packed: number;
}

/** Needs Node. */
export async function packedSizeOf(model: tfl.LayersModel): Promise<PackedSize> {
  const { zlib } = node();
  const parts = await Promise.all(model.weights.map((weight) => (weight.read() as tf.Tensor).data()));
  let [bytes, packed] = [0, 0];
  for (const part of parts) {
    bytes += part.byteLength;
    packed += zlib.deflateRawSync(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), { level: 9 }).length;
  }
  return { bytes, packed };
}
