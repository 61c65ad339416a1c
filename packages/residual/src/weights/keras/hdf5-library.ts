/** The HDF5 library, compiled to WebAssembly by the npm package h5wasm, as instances that can be thrown away.
 *  A damaged file can leave an instance in any state; the next file then gets a fresh one. */

import { WeightsError } from '../errors.ts';
import { EndedCall } from './watchdog.ts';

/** What HDF5 says of a dataset or an attribute (h5wasm's own names). */
export interface Hdf5Metadata {
  /** H5T_class_t: 0 integer, 1 float, 3 string, 5 opaque, 8 enumeration. */
  readonly type: number;
  /** Bytes of one element. */
  readonly size: number;
  readonly signed: boolean;
  readonly littleEndian: boolean;
  /** Strings of variable length: an element is a pointer. */
  readonly vlen: boolean;
  readonly cset?: number;
  /** Elements. */
  readonly total_size: number;
  /** `null` for an empty data space. */
  readonly shape: readonly number[] | null;
  readonly chunks: readonly number[] | null;
  readonly virtual_sources?: readonly unknown[];
}

/** What is given to HDF5 to make a dataset or an attribute. */
export interface Hdf5WriteMetadata
  extends Pick<Hdf5Metadata, 'type' | 'size' | 'signed' | 'littleEndian' | 'vlen' | 'cset'> {
  readonly shape: readonly bigint[];
  readonly maxshape: readonly bigint[];
}

export interface Hdf5FileNode {
  usedBytes: number;
  stream_ops: object;
}

/** The functions of h5wasm's module that are used here: HDF5's C functions, and Emscripten's file system in memory. */
export interface Hdf5Module {
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  UTF8ToString(pointer: number): string;
  open(path: string, mode: number): bigint;
  close_file(file: bigint): number;
  get_type(file: bigint, path: string): number;
  get_names(file: bigint, path: string, recursive: boolean): string[];
  get_attribute_names(file: bigint, path: string): string[];
  get_attribute_metadata(file: bigint, path: string, name: string): Hdf5Metadata;
  get_attribute_data(file: bigint, path: string, name: string, pointer: bigint): number;
  reclaim_vlen_memory(file: bigint, path: string, name: string, pointer: bigint): number;
  get_dataset_metadata(file: bigint, path: string): Hdf5Metadata;
  get_dataset_filters(file: bigint, path: string): { readonly id: number; readonly name: string }[];
  get_dataset_data(
    file: bigint,
    path: string,
    count: readonly bigint[] | null,
    offset: readonly bigint[] | null,
    strides: readonly bigint[] | null,
    pointer: bigint,
  ): number;
  create_group(file: bigint, path: string): number;
  create_dataset(file: bigint, path: string, pointer: bigint, metadata: Hdf5WriteMetadata): number;
  create_attribute(file: bigint, path: string, name: string, pointer: bigint, metadata: Hdf5WriteMetadata): number;
  create_vlen_str_attribute(
    file: bigint,
    path: string,
    name: string,
    values: readonly string[],
    metadata: Hdf5WriteMetadata,
  ): number;
  readonly FS: {
    readonly ErrnoError: new (errno: number) => Error;
    create(path: string, mode: number): Hdf5FileNode;
    mkdir(path: string): unknown;
    unlink(path: string): void;
    readFile(path: string): Uint8Array<ArrayBuffer>;
    getStream(descriptor: number): { stream_ops: object };
  };
}

export const MODE = { read: 0, truncate: 2 } as const;
export const TYPE = { integer: 0, float: 1, string: 3, opaque: 5, enumeration: 8 } as const;

/** Past this many bytes of memory, which WebAssembly never gives back, an idle instance is replaced. */
const WORN_BYTES = 96 * 2 ** 20;
/** An error thrown through WebAssembly's frames leaks their stack and handles: so many, and the instance is replaced. */
const WORN_ERRORS = 24;

/** One instance of HDF5. Its calls are synchronous. */
export class Hdf5Library {
  readonly module: Hdf5Module;
  /** Files open at the moment. */
  users = 0;
  /** Files opened so far: what goes wrong with the first is that file's own fault. */
  served = 0;
  #broken = false;
  #errors = 0;

  constructor(module: Hdf5Module) {
    this.module = module;
  }

  /** Stopped in the middle of a function: nothing may be called any more. */
  get broken(): boolean {
    return this.#broken;
  }

  get worn(): boolean {
    return this.#broken || this.#errors >= WORN_ERRORS || (this.users === 0 && this.module.HEAPU8.length > WORN_BYTES);
  }

  /**
   * Calls into the library.
   *
   * @throws Hdf5Failure where it reports an error, or stops; or what `use` itself throws between calls of it
   */
  call<T>(use: (module: Hdf5Module) => T): T {
    if (this.#broken) throw new Hdf5Failure('the HDF5 library has stopped');
    try {
      return use(this.module);
    } catch (error) {
      if (error instanceof Hdf5Failure || error instanceof WeightsError) throw error;
      this.#errors++;
      if (error instanceof EndedCall) {
        this.#broken = true;
        throw error;
      }
      // Only `throw_error` of h5wasm's own code throws a plain Error; it does so between two calls of HDF5.
      const orderly = error instanceof Error && error.constructor === Error;
      if (!orderly) this.#broken = true;
      throw new Hdf5Failure(orderly ? 'the HDF5 library finds it so' : 'the HDF5 library stopped on it', {
        cause: error,
      });
    }
  }
}

/** HDF5 did not do what it was asked to. Never leaves this folder: files turn it into a WeightsError with their name. */
export class Hdf5Failure extends Error {}

let current: Promise<Hdf5Library> | undefined;
let stopped: Hdf5Module | undefined;

/**
 * The instance for the next file: the one in use, or a fresh one where that is broken or worn.
 *
 * @throws WeightsError in a page whose only instance has stopped
 */
export function hdf5Library(): Promise<Hdf5Library> {
  const before = current?.catch(() => undefined) ?? Promise.resolve(undefined);
  current = before.then((library) => (library && !library.worn ? library : renewed(library)));
  return current;
}

type Factory = (options: object) => Promise<Hdf5Module>;

async function renewed(worn: Hdf5Library | undefined): Promise<Hdf5Library> {
  if (worn?.broken) stopped = worn.module;
  const module = await instance();
  if (module === stopped) {
    throw new WeightsError('the HDF5 library stopped on a damaged file: reload the page to read others');
  }
  // A page has one instance; worn, it must do until it breaks.
  if (module === worn?.module) return worn;
  // What HDF5 prints of its errors is for its own developers.
  const silent = { write: (_: unknown, __: unknown, ___: unknown, length: number) => length };
  for (const descriptor of [1, 2]) module.FS.getStream(descriptor).stream_ops = silent;
  module.FS.mkdir('/files');
  return new Hdf5Library(module);
}

/**
 * In Node a new instance; in a page always the same, as bundlers see only the package's entry.
 * h5wasm's build for pages is used in Node too: that for Node lets HDF5 open files of the machine, and a file can name
 * others (external links and external storage).
 */
async function instance(): Promise<Hdf5Module> {
  const inNode = globalThis.process?.getBuiltinModule !== undefined;
  if (!inNode) return (await import('h5wasm')).ready as Promise<unknown> as Promise<Hdf5Module>;
  const factory = new URL('./hdf5_util.js', import.meta.resolve('h5wasm')).href;
  const { default: make } = (await import(/* @vite-ignore */ factory)) as { readonly default: Factory };
  return make({ noInitialRun: true });
}
