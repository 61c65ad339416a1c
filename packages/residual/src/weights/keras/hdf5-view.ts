/** What is asked of an open HDF5 file: kinds, names, texts and descriptions. All synchronous, as HDF5 is.
 *  What a hostile file claims (sizes, shapes, chunks, lengths) is checked before memory is asked for. */

import { WeightsError } from '../errors.ts';
import { show } from '../reader.ts';
import type { ByteSource } from '../source.ts';
import type { StoredType } from '../tensor.ts';
import { Hdf5Failure, type Hdf5Metadata, type Hdf5Module, TYPE } from './hdf5-library.ts';

/** The most that an attribute may hold, in bytes. Keras's largest, the configuration of a model, is far below. */
const MOST_ATTRIBUTE = 2 ** 24;
/** What a dataset may hold beyond the size of its file, in bytes: weights shrink by a tenth, not to a thousandth. */
const MOST_BEYOND_FILE = 2 ** 26;
/** The longest text that names something. */
const LONGEST_PATH = 4096;
/** HDF5's own filters; others are plug-ins, which such a file needs and this build has not. */
const FILTERS: ReadonlySet<number> = new Set([1, 2, 3, 5, 6]);

export interface Hdf5Dataset {
  readonly path: string;
  readonly type: StoredType;
  /** Bytes of one element. */
  readonly size: number;
  readonly shape: readonly number[];
}

export class Hdf5View {
  readonly #module: Hdf5Module;
  readonly #id: bigint;
  readonly #source: ByteSource;

  constructor(module: Hdf5Module, id: bigint, source: ByteSource) {
    this.#module = module;
    this.#id = id;
    this.#source = source;
  }

  /** What stands at a path; links are followed within the file. */
  kind(path: string): 'group' | 'dataset' | undefined {
    if (path.length > LONGEST_PATH) throw this.error(`has a name of ${path.length} characters, ${show(path)}`);
    const type = this.#module.get_type(this.#id, path);
    return type === 0 ? 'group' : type === 1 ? 'dataset' : undefined;
  }

  /** The names within a group, in the order of their creation where the file keeps it, else sorted. */
  names(group: string): string[] {
    return this.#module.get_names(this.#id, group, false) ?? [];
  }

  attributes(path: string): string[] {
    return this.#module.get_attribute_names(this.#id, path) ?? [];
  }

  /** The text of an attribute, or its list of texts; undefined where there is none, or it holds no text. */
  text(path: string, name: string): string[] | undefined {
    if (!this.attributes(path).includes(name)) return undefined;
    const [module, id] = [this.#module, this.#id];
    const { type, size, total_size, vlen } = module.get_attribute_metadata(id, path, name);
    if (type !== TYPE.string) return undefined;
    const bytes = size * total_size;
    if (!(bytes >= 0 && bytes <= MOST_ATTRIBUTE)) {
      throw this.error(`the attribute ${show(name)} of ${show(path)} says it holds ${bytes} bytes`);
    }
    const pointer = allocate(module, bytes);
    try {
      if (module.get_attribute_data(id, path, name, BigInt(pointer)) < 0) return undefined;
      const data = module.HEAPU8.slice(pointer, pointer + bytes);
      if (!vlen) return fixedTexts(data, size);
      const texts = Array.from(new Uint32Array(data.buffer), (at) => (at === 0 ? '' : module.UTF8ToString(at)));
      module.reclaim_vlen_memory(id, path, name, BigInt(pointer));
      return texts;
    } finally {
      module._free(pointer);
    }
  }

  /** @throws WeightsError where it holds no numbers, or cannot hold what it says */
  dataset(path: string): Hdf5Dataset {
    const metadata = this.#module.get_dataset_metadata(this.#id, path);
    const marked = metadata.type === TYPE.opaque ? this.text(path, 'dtype') : undefined;
    const type = storedType(metadata, marked?.[0]);
    if (!type) {
      const found = `HDF5 class ${metadata.type}, ${metadata.size} bytes`;
      throw this.error(`${show(path)} holds no numbers of a known type (${found})`);
    }
    for (const { id, name } of this.#module.get_dataset_filters(this.#id, path)) {
      if (FILTERS.has(id)) continue;
      const called = name ? `${show(name)} (HDF5 filter ${id})` : `HDF5 filter ${id}`;
      throw this.error(`${show(path)} is compressed with ${called}, which cannot be read; gzip can`);
    }
    if (metadata.virtual_sources) throw this.error(`${show(path)} is a view of other files, which are not read`);
    const { size, chunks } = metadata;
    const shape = metadata.shape ?? [0];
    const limit = this.#source.size + MOST_BEYOND_FILE;
    for (const [what, lengths] of [
      ['', shape],
      ['a chunk of ', chunks ?? []],
    ] as const) {
      const bytes = lengths.reduce((product, n) => product * Math.max(1, n), size);
      if (bytes >= 0 && bytes <= limit) continue;
      throw this.error(`${what}${show(path)} says it holds ${bytes} bytes, in a file of ${this.#source.size}`);
    }
    return { path, type, size, shape };
  }

  /** Some rows of a dataset into `all`, in place; all of it where it has no dimensions. */
  readRows({ path, size, shape }: Hdf5Dataset, row: number, count: number, all: Uint8Array): void {
    const [module, id] = [this.#module, this.#id];
    const rowBytes = shape.slice(1).reduce((product, n) => product * n, size);
    const big = (first: number, rest: (n: number) => number) => shape.map((n, i) => BigInt(i ? rest(n) : first));
    const [counts, offsets, strides] =
      shape.length === 0 ? [null, null, null] : [big(count, (n) => n), big(row, () => 0), big(1, () => 1)];
    const pointer = allocate(module, count * rowBytes);
    try {
      if (module.get_dataset_data(id, path, counts, offsets, strides, BigInt(pointer)) < 0) {
        throw this.error(`the values of ${show(path)} cannot be read: they are cut off or damaged`);
      }
      all.set(module.HEAPU8.subarray(pointer, pointer + count * rowBytes), row * rowBytes);
    } finally {
      module._free(pointer);
    }
  }

  error(text: string): WeightsError {
    return new WeightsError(`${this.#source.name}: ${text}`);
  }
}

/** Zeroed: where a read fails half-way, nothing of an earlier file is left in it. */
function allocate(module: Hdf5Module, bytes: number): number {
  const pointer = module._malloc(Math.max(1, bytes)) >>> 0;
  if (pointer === 0) throw new Hdf5Failure(`no memory for ${bytes} bytes`);
  module.HEAPU8.fill(0, pointer, pointer + bytes);
  return pointer;
}

/** Texts of a fixed length end at the first zero. */
function fixedTexts(data: Uint8Array, size: number): string[] {
  const decoder = new TextDecoder();
  return Array.from({ length: data.length / size }, (_, i) => {
    const bytes = data.subarray(i * size, (i + 1) * size);
    const end = bytes.indexOf(0);
    return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
  });
}

function storedType({ type, size, signed }: Hdf5Metadata, marked: string | undefined): StoredType | undefined {
  const bits = size * 8;
  if (type === TYPE.float && [2, 4, 8].includes(size)) return `float${bits as 16 | 32 | 64}`;
  if (type === TYPE.integer && [1, 2, 4, 8].includes(size)) {
    return `${signed ? 'int' : 'uint'}${bits as 8 | 16 | 32 | 64}`;
  }
  // h5py writes numpy's bool as an enumeration of FALSE and TRUE, and Keras 3 bfloat16 as two bytes with a mark.
  if (type === TYPE.enumeration && size === 1) return 'bool';
  if (type === TYPE.opaque && size === 2 && marked === 'bfloat16') return 'bfloat16';
  return undefined;
}
