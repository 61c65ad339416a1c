/** Weights out of a TF.js model: a model.json (layers or graph format), and its shards, quantised ones included.
 *  The numbers are those that tfjs-core's `io.decodeWeights` gives, read one weight at a time. */

import { WeightsError } from '../errors.ts';
import { elementsOf, toFloat32, WIDTHS } from '../floats.ts';
import { LeftOut } from '../left-out.ts';
import { checkSiblingName, type Siblings, show } from '../reader.ts';
import type { ByteSource } from '../source.ts';
import type { StoredType, WeightFile, WeightTensor } from '../tensor.ts';
import { checkedManifest, type WeightGroup, type WeightSpec } from './manifest.ts';
import { joined } from './shards.ts';

/** A model.json beyond this size is none: a network of 10,000 nodes takes 5 MB. In bytes. */
const LARGEST_JSON = 64 * 2 ** 20;

export interface TfjsFile extends WeightFile {
  readonly format: 'tfjs';
  /** `modelTopology` as it stands in model.json: a Keras configuration, or a GraphDef; undefined in a bare manifest. */
  readonly topology: unknown;
}

/**
 * Reads a TF.js `model.json`, or the bare `weights_manifest.json` of older converters. A tensor's type is that in which
 * it is stored: `uint8`, `uint16` or `float16` for quantised weights, which are read as what they stand for.
 *
 * `metadata` has `format` (`layers-model`, `graph-model`), `generatedBy`, `convertedBy`, and under `left out` the weights
 * that are texts or complex numbers, or an optimizer's state (those of the manifest's group `optimizer`).
 *
 * @throws WeightsError for what is no TF.js model, is damaged, misses a shard, or names one outside of its folder
 */
export async function readTfjs(source: ByteSource, siblings: Siblings): Promise<TfjsFile> {
  const json = await readJson(source);
  const groups = checkedManifest(Array.isArray(json) ? json : json.weightsManifest, source.name);
  for (const { paths } of groups) for (const path of paths) checkSiblingName(path, source.name);
  const tensors = new Map<string, WeightTensor>();
  const leftOut = new LeftOut();
  const shards: ByteSource[] = [];
  for (const group of groups) {
    const opened: ByteSource[] = [];
    for (const path of group.paths) opened.push(await siblings(path));
    const bytes = joined(opened, source.name);
    shards.push(bytes);
    for (const { spec, offset, length } of await placed(group, bytes)) {
      const numbers = spec.dtype !== 'string' && spec.dtype !== 'complex64';
      if (!numbers || spec.group === 'optimizer') {
        leftOut.add(spec.name, numbers ? 'optimizer' : spec.dtype);
        continue;
      }
      const { name, shape } = spec;
      if (tensors.has(name)) throw new WeightsError(`${source.name}: has two weights of the name ${show(name)}`);
      const read = async () => valuesOf(await bytes.read(offset, length), spec);
      tensors.set(name, { name, type: storedType(spec), shape, read });
    }
  }
  return {
    format: 'tfjs',
    name: source.name,
    tensors: [...tensors.values()],
    topology: Array.isArray(json) ? undefined : json.modelTopology,
    metadata: metadata(json, leftOut),
    async close() {
      for (const shard of shards) await shard.close();
      await source.close();
    },
  };
}

async function readJson(source: ByteSource): Promise<Record<string, unknown> | unknown[]> {
  if (source.size > LARGEST_JSON) {
    throw new WeightsError(`${source.name}: ${source.size} bytes are too many for the JSON of a TF.js model`);
  }
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(await source.read(0, source.size)));
  } catch (error) {
    if (error instanceof WeightsError) throw error;
    throw new WeightsError(`${source.name}: is no TF.js model: it is not JSON`);
  }
  if (Array.isArray(json)) return json;
  if (typeof json !== 'object' || json === null || !('weightsManifest' in json)) {
    throw new WeightsError(`${source.name}: is no TF.js model: it has no weightsManifest`);
  }
  return json as Record<string, unknown>;
}

/** The weights of a group with their places in its bytes: they follow each other without gaps. */
async function placed({ weights }: WeightGroup, bytes: ByteSource) {
  const places: { readonly spec: WeightSpec; readonly offset: number; readonly length: number }[] = [];
  let offset = 0;
  for (const spec of weights) {
    const what = `${bytes.name}: weight ${show(spec.name)}`;
    const elements = elementsOf(spec.shape, what);
    const length =
      spec.dtype === 'string'
        ? await textBytes(bytes, offset, elements)
        : elements * widthOf(spec.quantization?.dtype ?? spec.dtype);
    if (offset + length > bytes.size) {
      const ends = `ends at byte ${offset + length} of its group, the shards have ${bytes.size}`;
      throw new WeightsError(`${what}: ${ends}: a shard is cut off or missing`);
    }
    places.push({ spec, offset, length });
    offset += length;
  }
  if (offset !== bytes.size) {
    throw new WeightsError(`${bytes.name}: the shards of a group have ${bytes.size} bytes, its weights take ${offset}`);
  }
  return places;
}

function widthOf(dtype: 'complex64' | 'float32' | 'int32' | 'bool' | 'uint8' | 'uint16' | 'float16'): number {
  return dtype === 'complex64' ? 8 : WIDTHS[dtype];
}

/** Far more than the labels that a graph may hold. */
const MOST_TEXTS = 100_000;

/** Each text is preceded by its length, a uint32. */
async function textBytes(bytes: ByteSource, begin: number, count: number): Promise<number> {
  if (count > MOST_TEXTS) throw new WeightsError(`${bytes.name}: has a weight of ${count} texts, which are too many`);
  let offset = begin;
  for (let i = 0; i < count; i++) {
    const length = new DataView((await bytes.read(offset, 4)).buffer).getUint32(0, true);
    offset += 4 + length;
  }
  return offset - begin;
}

function storedType({ dtype, quantization }: WeightSpec): StoredType {
  return quantization?.dtype ?? (dtype as 'float32' | 'int32' | 'bool');
}

function valuesOf(bytes: Uint8Array<ArrayBuffer>, spec: WeightSpec): Float32Array {
  const { dtype, quantization } = spec;
  const stored = toFloat32(bytes, storedType(spec));
  if (!quantization || quantization.dtype === 'float16') return stored;
  const { scale, min } = quantization;
  // In 64 bits, rounded once, as TF.js does.
  return stored.map((value) => (dtype === 'int32' ? Math.round(value * scale + min) | 0 : value * scale + min));
}

function metadata(json: Record<string, unknown> | unknown[], leftOut: LeftOut): Record<string, string> {
  const entries: [string, string][] = [];
  if (!Array.isArray(json)) {
    for (const key of ['format', 'generatedBy', 'convertedBy']) {
      const value = json[key];
      if (typeof value === 'string') entries.push([key, value]);
    }
  }
  return Object.fromEntries([...entries, ...leftOut.entries()]);
}
