/** Weights as TF.js stores them: a list of specifications and the bytes of all, in shards that browsers cache one by one.
 *  https://github.com/tensorflow/tfjs/blob/master/tfjs-core/src/io/types.ts, WeightsManifestEntry */

import { float16Of } from '../float16.ts';
import type { ExportFile } from '../format.ts';
import type { Shape } from '../graph/graph.ts';

/**
 * How many bits a weight is stored in. `uint8` and `uint16` have one scale and one least value for each weight, as TF.js's
 * own converter makes them; it computes in float32 in any case.
 */
export type WeightStorage = 'float32' | 'float16' | 'uint8' | 'uint16';

export interface NamedWeight {
  readonly name: string;
  readonly shape: Shape;
  readonly values: Float32Array | Int32Array;
  /** Never rounded where it is `false`. */
  readonly roundable: boolean;
}

/** One weight in the manifest of a model.json. */
export interface WeightEntry {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: 'float32' | 'int32';
  readonly quantization?: {
    readonly dtype: 'float16' | 'uint8' | 'uint16';
    readonly min?: number;
    readonly scale?: number;
    readonly original_dtype: 'float32';
  };
}

export interface StoredWeights {
  readonly manifest: readonly { readonly paths: readonly string[]; readonly weights: readonly WeightEntry[] }[];
  readonly files: readonly ExportFile[];
}

/** As TF.js's converter cuts them. In bytes. */
const SHARD = 4 * 2 ** 20;

/** @throws ModelError for float16 where a weight is beyond its range */
export function storeWeights(weights: readonly NamedWeight[], storage: WeightStorage): StoredWeights {
  const stored = weights.map((weight) => storedAs(weight, storage));
  const all = new Uint8Array(stored.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let end = 0;
  for (const { bytes } of stored) {
    all.set(bytes, end);
    end += bytes.length;
  }
  const count = Math.max(1, Math.ceil(all.length / SHARD));
  const files = Array.from({ length: count }, (_, i) => ({
    path: `group1-shard${i + 1}of${count}.bin`,
    bytes: all.subarray(i * SHARD, (i + 1) * SHARD),
  }));
  return { manifest: [{ paths: files.map(({ path }) => path), weights: stored.map(({ entry }) => entry) }], files };
}

function storedAs(weight: NamedWeight, storage: WeightStorage): { entry: WeightEntry; bytes: Uint8Array } {
  const { name, shape, values, roundable } = weight;
  const plain = { name, shape, dtype: values instanceof Int32Array ? 'int32' : 'float32' } as const;
  if (!roundable || values instanceof Int32Array || storage === 'float32') {
    return { entry: plain, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
  }
  if (storage === 'float16') {
    const bytes = new Uint8Array(float16Of(name, values).buffer);
    return { entry: { ...plain, quantization: { dtype: 'float16', original_dtype: 'float32' } }, bytes };
  }
  const { integers, min, scale } = affine(values, storage);
  const quantization = { dtype: storage, min, scale, original_dtype: 'float32' } as const;
  return { entry: { ...plain, quantization }, bytes: new Uint8Array(integers.buffer) };
}

/** value = integer · scale + min, with 0 among the values that there are: a pruned weight stays 0. */
function affine(values: Float32Array, storage: 'uint8' | 'uint16') {
  const most = storage === 'uint8' ? 255 : 65_535;
  let [low, high] = [0, 0];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const scale = (high - low) / most || 1;
  const min = -Math.round(-low / scale) * scale;
  const integers = storage === 'uint8' ? new Uint8Array(values.length) : new Uint16Array(values.length);
  for (const [i, value] of values.entries())
    integers[i] = Math.min(most, Math.max(0, Math.round((value - min) / scale)));
  // −0 is no JSON.
  return { integers, min: min || 0, scale };
}
