/** Weights out of a TensorFlow checkpoint (`X.index` and `X.data-…`), which is also what a SavedModel's `variables` are.
 *  Names are those of the variables, where the checkpoint has them; numbers are checked by their CRC as they are read. */

import { maskedCrc32c } from '../crc32c.ts';
import { WeightsError } from '../errors.ts';
import { elementsOf, toFloat32, WIDTHS } from '../floats.ts';
import { LeftOut } from '../left-out.ts';
import { type Siblings, show } from '../reader.ts';
import { type ByteSource, bytesSource } from '../source.ts';
import type { WeightFile, WeightTensor } from '../tensor.ts';
import { type BundleEntry, bundleEntry, bundleHeader, DT_STRING } from './bundle.ts';
import { type GraphVariable, OBJECT_GRAPH, objectGraph, purposeOf, shortKey } from './object-graph.ts';
import { tableEntries } from './table.ts';

export interface TensorflowTensor extends WeightTensor {
  /** Under which the checkpoint has it, e.g. `layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE`. */
  readonly key: string;
}

export interface TensorflowFile extends WeightFile {
  readonly format: 'tensorflow';
  readonly tensors: readonly TensorflowTensor[];
}

/**
 * Reads a checkpoint by its `.index`; of a SavedModel, `variables/variables.index`.
 *
 * A tensor's name is that of its variable (`conv1/kernel`), which TensorFlow 2 keeps in a graph of objects beside the
 * path of objects that leads to it (`layer_with_weights-0/kernel`); the path where there is no such name, or another
 * variable has the same. A variable that is saved under several paths by Keras 3's `export` is given once. The order
 * is that of the graph, and that of the keys where there is none.
 *
 * Variables of optimizers and metrics, counters, texts, complex numbers, and variables that are cut into slices are left
 * out; `metadata` tells them under `left out`. The rule of what is an optimizer's is that of `purposeOf`.
 *
 * @throws WeightsError for what is no checkpoint, is damaged, or misses a data file
 */
export async function readTensorflow(source: ByteSource, siblings: Siblings): Promise<TensorflowFile> {
  const { name } = source;
  const [first, ...rest] = await tableEntries(source);
  if (first?.key !== '') throw new WeightsError(`${name}: is no index of a TensorFlow checkpoint: no header`);
  const { shards, littleEndian } = await bundleHeader(first, name);
  const files = new ShardFiles(name, shards, siblings);
  const entries = new Map<string, BundleEntry>();
  const leftOut = new LeftOut();
  for (const raw of rest) {
    // Slices of variables, whose own entry says so, have keys that begin with a zero.
    if (raw.key.startsWith('\0')) continue;
    const entry = await bundleEntry(raw, name);
    if (entries.has(entry.key)) throw new WeightsError(`${name}: has two tensors under the key ${show(entry.key)}`);
    entries.set(entry.key, entry);
  }
  const graph = await readGraph(entries.get(OBJECT_GRAPH), files);
  const chosen: BundleEntry[] = [];
  for (const entry of inOrder(entries, graph)) {
    const reason = whyNot(entry, graph);
    if (reason === undefined) chosen.push(entry);
    else if (entry.key !== OBJECT_GRAPH) leftOut.add(shortKey(entry.key), reason);
  }
  const tensors: TensorflowTensor[] = [];
  for (const [own, entry] of named(name, chosen, graph, leftOut)) {
    const { key, type, shape, shard, offset, size, crc32c } = entry;
    const what = `${name}: tensor ${show(key)}`;
    if (type === undefined) continue;
    const bytes = elementsOf(shape, what) * WIDTHS[type];
    if (size !== bytes) {
      throw new WeightsError(`${what}: ${type} of shape [${shape}] takes ${bytes} bytes, the index says ${size}`);
    }
    const file = await files.get(shard);
    if (offset < 0 || offset + size > file.size) {
      throw new WeightsError(`${what}: ends at byte ${offset + size} of ${file.name}, which has ${file.size}`);
    }
    const read = async () => {
      const stored = await file.read(offset, size);
      if (maskedCrc32c(stored) !== crc32c) throw new WeightsError(`${what}: its bytes in ${file.name} are damaged`);
      return toFloat32(stored, type, littleEndian);
    };
    tensors.push({ name: own, key, type, shape, read });
  }
  return {
    format: 'tensorflow',
    name,
    tensors,
    metadata: Object.fromEntries(leftOut.entries()),
    async close() {
      await files.close();
      await source.close();
    },
  };
}

/** The data files beside an index, opened when they are first needed. */
class ShardFiles {
  private readonly open = new Map<number, ByteSource>();
  private readonly index: string;
  private readonly count: number;
  private readonly siblings: Siblings;

  constructor(index: string, count: number, siblings: Siblings) {
    this.index = index;
    this.count = count;
    this.siblings = siblings;
  }

  async get(shard: number): Promise<ByteSource> {
    const known = this.open.get(shard);
    if (known) return known;
    if (!(shard >= 0 && shard < this.count)) {
      throw new WeightsError(`${this.index}: is damaged: names data file ${shard} of ${this.count}`);
    }
    const five = (number: number) => `${number}`.padStart(5, '0');
    const prefix = (this.index.split(/[/\\]/).at(-1) ?? '').replace(/\.index$/, '');
    const file = await this.siblings(`${prefix}.data-${five(shard)}-of-${five(this.count)}`);
    this.open.set(shard, file);
    return file;
  }

  async close(): Promise<void> {
    for (const file of this.open.values()) await file.close();
  }
}

async function readGraph(entry: BundleEntry | undefined, files: ShardFiles): Promise<Map<string, GraphVariable>> {
  if (entry?.dtype !== DT_STRING) return new Map();
  const file = await files.get(entry.shard);
  const bytes = await file.read(entry.offset, entry.size);
  // One text: its length as a varint, four bytes of a CRC of the length, and the text.
  const last = bytes.findIndex((byte) => byte < 128);
  if (last < 0) throw new WeightsError(`${file.name}: is damaged: the graph of objects has no length`);
  return objectGraph(bytesSource(bytes.subarray(last + 5), `${file.name}: the graph of objects`));
}

/** What the graph has in its order, then what it does not. */
function* inOrder(
  entries: ReadonlyMap<string, BundleEntry>,
  graph: ReadonlyMap<string, GraphVariable>,
): Generator<BundleEntry> {
  for (const key of graph.keys()) {
    const entry = entries.get(key);
    if (entry) yield entry;
  }
  for (const entry of entries.values()) if (!graph.has(entry.key)) yield entry;
}

function whyNot({ key, dtype, type, sliced }: BundleEntry, graph: ReadonlyMap<string, GraphVariable>) {
  const purpose = purposeOf(key, graph.get(key)?.slot ?? false);
  if (purpose) return purpose;
  if (sliced) return 'cut into slices';
  if (type) return undefined;
  return dtype === DT_STRING ? 'text' : `data type ${dtype}`;
}

/** Pairs of name and entry, the names being different. */
function named(
  file: string,
  entries: readonly BundleEntry[],
  graph: ReadonlyMap<string, GraphVariable>,
  leftOut: LeftOut,
): [string, BundleEntry][] {
  const byName = new Map<string, BundleEntry[]>();
  const contents = new Set<string>();
  for (const entry of entries) {
    const { key, dtype, shape, size, crc32c } = entry;
    const own = graph.get(key)?.fullName || shortKey(key);
    const content = JSON.stringify([own, dtype, shape, size, crc32c]);
    // Keras 3's exports save each variable a second time, under a list of all.
    if (key.startsWith('_all_variables/') && contents.has(content)) {
      leftOut.add(shortKey(key), 'the same once more');
      continue;
    }
    contents.add(content);
    const others = byName.get(own);
    if (others) others.push(entry);
    else byName.set(own, [entry]);
  }
  const pairs: [string, BundleEntry][] = [];
  const used = new Set<string>();
  for (const [own, same] of byName) {
    for (const entry of same) {
      const short = shortKey(entry.key);
      // The whole key is the only name that is sure to be of one tensor.
      const name = [own, short].find((one, i) => (i > 0 || same.length === 1) && !used.has(one)) ?? entry.key;
      if (used.has(name)) throw new WeightsError(`${file}: has two tensors of the name ${show(name)}`);
      used.add(name);
      pairs.push([name, entry]);
    }
  }
  return pairs;
}
