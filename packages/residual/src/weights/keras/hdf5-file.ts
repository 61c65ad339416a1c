/** An HDF5 file as groups, datasets and attributes of text: what Keras's files are made of, no more.
 *  What a hostile file claims (sizes, shapes, chunks, lengths) is checked before memory is asked for. */

import { WeightsError } from '../errors.ts';
import { show } from '../reader.ts';
import type { ByteSource } from '../source.ts';
import type { StoredType } from '../tensor.ts';
import {
  Hdf5Failure,
  type Hdf5Library,
  type Hdf5Metadata,
  type Hdf5Module,
  hdf5Library,
  MODE,
  TYPE,
} from './hdf5-library.ts';
import { LazyFile } from './lazy-file.ts';

/** The most that an attribute may hold, in bytes. Keras's largest, the configuration of a model, is far below. */
const MOST_ATTRIBUTE = 2 ** 24;
/** What a dataset may hold beyond the size of its file, in bytes: compressed weights shrink by a tenth, not a thousandth. */
const MOST_BEYOND_FILE = 2 ** 26;
/** Rows are read so many bytes at a time: HDF5's memory is never given back. */
const SLAB = 2 ** 24;
/** The longest text that names something. */
const LONGEST_PATH = 4096;
/** HDF5's own filters; others are plug-ins, which a file needs and this build has not. */
const FILTERS: Readonly<Record<number, string>> = {
  1: 'gzip',
  2: 'shuffle',
  3: 'fletcher32',
  5: 'nbit',
  6: 'scaleoffset',
};

export interface Hdf5Dataset {
  readonly type: StoredType;
  readonly shape: readonly number[];
  /** All values, row-major, little-endian, of `type`. */
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

interface Session {
  readonly library: Hdf5Library;
  readonly lazy: LazyFile;
  readonly id: bigint;
}

export class Hdf5File {
  readonly source: ByteSource;
  #session: Session | undefined;
  #closed = false;

  private constructor(source: ByteSource) {
    this.source = source;
  }

  /** @throws WeightsError where it is no HDF5 file, or one that HDF5 itself cannot read */
  static async open(source: ByteSource): Promise<Hdf5File> {
    const file = new Hdf5File(source);
    await file.#open();
    return file;
  }

  /** What stands at a path; links are followed within the file. */
  async kind(path: string): Promise<'group' | 'dataset' | undefined> {
    this.#checkPath(path);
    const type = await this.#call((module, id) => module.get_type(id, path));
    return type === 0 ? 'group' : type === 1 ? 'dataset' : undefined;
  }

  /** The names within a group, in the order of their creation where the file keeps it, else sorted. */
  async names(group: string): Promise<string[]> {
    return (await this.#call((module, id) => module.get_names(id, group, false))) ?? [];
  }

  /** The text of an attribute, or its list of texts; undefined where there is none, or it holds no text. */
  async text(path: string, name: string): Promise<string[] | undefined> {
    const there = await this.attributes(path);
    if (!there.includes(name)) return undefined;
    const { type, size, total_size, vlen } = await this.#call((module, id) =>
      module.get_attribute_metadata(id, path, name),
    );
    if (type !== TYPE.string) return undefined;
    const bytes = size * total_size;
    if (!(bytes >= 0 && bytes <= MOST_ATTRIBUTE)) {
      throw this.#error(`the attribute ${show(name)} of ${show(path)} says it holds ${bytes} bytes`);
    }
    return this.#call((module, id) => {
      const pointer = allocate(module, bytes);
      try {
        // Pointers stay null where a read fails half-way.
        module.HEAPU8.fill(0, pointer, pointer + bytes);
        if (module.get_attribute_data(id, path, name, BigInt(pointer)) < 0) return undefined;
        const data = module.HEAPU8.slice(pointer, pointer + bytes);
        if (!vlen) return fixedTexts(data, size);
        const texts = Array.from(new Uint32Array(data.buffer), (at) => (at === 0 ? '' : module.UTF8ToString(at)));
        module.reclaim_vlen_memory(id, path, name, BigInt(pointer));
        return texts;
      } finally {
        module._free(pointer);
      }
    });
  }

  async attributes(path: string): Promise<string[]> {
    return (await this.#call((module, id) => module.get_attribute_names(id, path))) ?? [];
  }

  /** @throws WeightsError where it holds no numbers, or cannot hold what it says */
  async dataset(path: string): Promise<Hdf5Dataset> {
    const metadata = await this.#call((module, id) => module.get_dataset_metadata(id, path));
    const filters = await this.#call((module, id) => module.get_dataset_filters(id, path));
    const marked = metadata.type === TYPE.opaque ? await this.text(path, 'dtype') : undefined;
    const type = storedType(metadata, marked?.[0]);
    if (!type)
      throw this.#error(
        `${show(path)} holds no numbers of a known type (HDF5 class ${metadata.type}, ${metadata.size} bytes)`,
      );
    for (const { id, name } of filters) {
      if (FILTERS[id]) continue;
      const called = name ? `${show(name)} (HDF5 filter ${id})` : `HDF5 filter ${id}`;
      throw this.#error(
        `${show(path)} is compressed with ${called}, which cannot be read: save it with gzip, or with none`,
      );
    }
    if (metadata.virtual_sources) throw this.#error(`${show(path)} is a view of other files, which are not read`);
    const { shape, size, chunks } = metadata;
    const bytes = (shape ?? [0]).reduce((product, n) => product * n, size);
    const limit = this.source.size + MOST_BEYOND_FILE;
    const chunkBytes = (chunks ?? []).reduce((product, n) => product * n, size);
    for (const [what, count] of [
      ['', bytes],
      ['a chunk of ', chunkBytes],
    ] as const) {
      if (count >= 0 && count <= limit) continue;
      throw this.#error(`${what}${show(path)} says it holds ${count} bytes, in a file of ${this.source.size}`);
    }
    return { type, shape: shape ?? [0], read: () => this.#read(path, shape ?? [0], size, bytes) };
  }

  /** Lets go of HDF5's handles and leaves the source open. */
  release(): void {
    this.#closed = true;
    this.#end();
  }

  async close(): Promise<void> {
    this.release();
    await this.source.close();
  }

  async #read(path: string, shape: readonly number[], size: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const all = new Uint8Array(bytes);
    if (bytes === 0) return all;
    const [rows = 1] = shape;
    const rowBytes = bytes / rows;
    const step = Math.max(1, Math.floor(SLAB / rowBytes));
    for (let row = 0; row < rows; row += step) {
      const count = Math.min(step, rows - row);
      const big = (first: number, rest: (n: number) => number) =>
        shape.map((n, i) => BigInt(i === 0 ? first : rest(n)));
      const whole = shape.length === 0;
      const status = await this.#call((module, id) => {
        const pointer = allocate(module, count * rowBytes);
        try {
          // Memory of the library may hold what an earlier file left.
          module.HEAPU8.fill(0, pointer, pointer + count * rowBytes);
          const [counts, offsets, strides] = whole
            ? [null, null, null]
            : [big(count, (n) => n), big(row, () => 0), big(1, () => 1)];
          const status = module.get_dataset_data(id, path, counts, offsets, strides, BigInt(pointer));
          if (status >= 0) all.set(module.HEAPU8.subarray(pointer, pointer + count * rowBytes), row * rowBytes);
          return status;
        } finally {
          module._free(pointer);
        }
      });
      if (status < 0)
        throw this.#error(`${show(path)} cannot be read (it is ${size}-byte numbers, ${show(String(shape))})`);
    }
    return all;
  }

  /** A call of HDF5, made again until all bytes that it needs are there. */
  async #call<T>(use: (module: Hdf5Module, id: bigint) => T): Promise<T> {
    for (let tries = 0; ; tries++) {
      const session = this.#session?.library.broken === false ? this.#session : await this.#open();
      const { library, lazy, id } = session;
      let result: T | undefined;
      let failure: unknown;
      try {
        result = library.call((module) => use(module, id));
      } catch (error) {
        failure = error;
      }
      if (lazy.starved && !library.broken) {
        await lazy.fetch(tries);
        continue;
      }
      lazy.trim();
      if (failure instanceof Hdf5Failure) throw this.#error('is damaged', failure);
      if (failure) throw failure;
      return result as T;
    }
  }

  /** Opens the file, or opens it again in another instance after the library has stopped. */
  async #open(): Promise<Session> {
    if (this.#closed) throw this.#error('is closed');
    this.#end();
    const library = await hdf5Library();
    library.users++;
    const lazy = new LazyFile(library.module, this.source);
    let id = -1n;
    try {
      for (let tries = 0; ; tries++) {
        id = library.call((module) => module.open(lazy.path, MODE.read));
        if (!lazy.starved) break;
        if (id >= 0n) library.call((module) => module.close_file(id));
        await lazy.fetch(tries);
      }
    } catch (error) {
      release(library, lazy);
      throw error instanceof Hdf5Failure ? this.#error('is damaged', error) : error;
    }
    if (id < 0n) {
      release(library, lazy);
      throw this.#error('is no HDF5 file, or is damaged');
    }
    this.#session = { library, lazy, id };
    return this.#session;
  }

  #end(): void {
    const session = this.#session;
    this.#session = undefined;
    if (!session) return;
    const { library, lazy, id } = session;
    if (!library.broken) {
      try {
        library.call((module) => module.close_file(id));
      } catch (error) {
        if (!(error instanceof Hdf5Failure)) throw error;
      }
    }
    release(library, lazy);
  }

  #checkPath(path: string): void {
    if (path.length > LONGEST_PATH) throw this.#error(`has a name of ${path.length} characters, ${show(path)}`);
  }

  #error(text: string, cause?: unknown): WeightsError {
    return new WeightsError(`${this.source.name}: ${text}`, { cause });
  }
}

function release(library: Hdf5Library, lazy: LazyFile): void {
  library.users--;
  lazy.remove();
}

function allocate(module: Hdf5Module, bytes: number): number {
  const pointer = module._malloc(Math.max(1, bytes)) >>> 0;
  if (pointer === 0) throw new Hdf5Failure(`no memory for ${bytes} bytes`);
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
  if (type === TYPE.integer && [1, 2, 4, 8].includes(size))
    return `${signed ? 'int' : 'uint'}${bits as 8 | 16 | 32 | 64}`;
  // h5py writes numpy's bool as an enumeration of FALSE and TRUE, and Keras 3 bfloat16 as two bytes with a mark.
  if (type === TYPE.enumeration && size === 1) return 'bool';
  if (type === TYPE.opaque && size === 2 && marked === 'bfloat16') return 'bfloat16';
  return undefined;
}
