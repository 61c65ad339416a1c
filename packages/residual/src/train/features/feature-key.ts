/** What features are a function of, as one checksum: the trunk's weights and layers, the pictures, and what is done to
 *  them. A cache that was made of anything else is never taken for the right one. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Transform } from '../../augment/transform.ts';
import type { Dataset, Normalization } from '../../data/dataset.ts';
import { node } from '../../models/files.ts';
import { graphTo } from '../../models/transfer/graph.ts';

/** Everything but trunk and pictures that changes a feature, if only in its last bit. */
export interface FeatureSettings {
  readonly normalize: Normalization;
  readonly batchSize: number;
  /** As a training step computes them, or as prediction does: the same numbers but for rounding. */
  readonly training: boolean;
  readonly transforms: readonly Transform[];
  readonly views: number;
  readonly seed: number;
}

/** Pictures that are read at once. */
const AT_ONCE = 256;

/** 32 hexadecimal digits of a SHA-256. */
export async function featureKey(trunk: LayersModel, dataset: Dataset, settings: FeatureSettings): Promise<string> {
  // A view is the same however many there are.
  const { seed, views: _, ...rest } = settings;
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  // Without augmentation the seed changes nothing.
  hash.update(JSON.stringify([tf.getBackend(), rest, settings.transforms.length > 0 ? seed : 0]));
  await addTrunk(hash, trunk);
  await addPictures(hash, dataset);
  return hash.digest('hex').slice(0, 32);
}

interface Hash {
  update(data: string | Uint8Array): unknown;
}

/** Layers by what they do, not by their names or how they started: those may differ between two processes. */
async function addTrunk(hash: Hash, trunk: LayersModel): Promise<void> {
  const [output] = trunk.outputs;
  if (!output) throw new Error('internal: a trunk has no output');
  const { order, sources } = graphTo(output);
  for (const layer of order) {
    const config = Object.entries(layer.getConfig()).filter(([key]) => !/^name$|^trainable$|Initializer$/.test(key));
    const from = (sources.get(layer) ?? []).map((source) => order.indexOf(source));
    hash.update(JSON.stringify([layer.getClassName(), config, from]));
    for (const weight of layer.getWeights()) hash.update(bytesOf((await weight.data()) as Float32Array));
  }
}

/** Files by name, size and time of change; pictures in memory by their bytes. */
async function addPictures(hash: Hash, dataset: Dataset): Promise<void> {
  const { name, size, labels, imageShape, fileOf } = dataset;
  hash.update(JSON.stringify([name, size, imageShape]));
  hash.update(bytesOf(labels));
  if (fileOf) {
    const { fs } = node();
    for (let i = 0; i < size; i++) {
      const file = fileOf(i);
      const found = fs.statSync(file, { throwIfNoEntry: false });
      hash.update(JSON.stringify([file, found?.size, found?.mtimeMs]));
    }
    return;
  }
  for (let start = 0; start < size; start += AT_ONCE) {
    const count = Math.min(AT_ONCE, size - start);
    const { images } = await dataset.read(Int32Array.from({ length: count }, (_, i) => start + i));
    hash.update(images);
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
