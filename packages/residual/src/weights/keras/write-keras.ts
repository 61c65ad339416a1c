/** Writes a model as a Keras `.h5`: its weights in the layout of Keras 2, which Keras 3 reads too, and its architecture.
 *  https://github.com/keras-team/keras: keras/src/legacy/saving/legacy_h5_format.py. */

import type * as tfl from '@tensorflow/tfjs-layers';
import { writeAside } from '../../models/files.ts';
import { WeightsError } from '../errors.ts';
import { show } from '../reader.ts';
import { Hdf5Failure, type Hdf5Module, type Hdf5WriteMetadata, hdf5Library, MODE, TYPE } from './hdf5-library.ts';
import { kerasConfig } from './keras-config.ts';

/** Attributes stand in the header of an object, which HDF5 limits; longer lists are cut into pieces, as Keras does. */
const LONGEST_LIST = 64_512;
/** The last version of Keras that wrote this layout as its own. */
const VERSION = '2.15.0';

export interface KerasH5Options {
  /** Leave the architecture out: what Keras's `save_weights` writes instead of `save`. Default false. */
  readonly weightsOnly?: boolean;
}

/**
 * Writes a `.h5` file for Keras 2 (`tf_keras`) and Keras 3: `load_model`, or `load_weights` by name or in order into the
 * same network built there. Layers keep their names and order; values are stored bit for bit.
 *
 * @throws WriteError for a full disk or a folder that may not be written; the file that was there stays
 * @throws WeightsError for weights that are not float32
 * @example await writeKerasH5(model, 'resnet18.h5')
 */
export async function writeKerasH5(model: tfl.LayersModel, file: string, options: KerasH5Options = {}): Promise<void> {
  await writeAside(file, [await kerasH5(model, options)]);
}

/** The same as bytes, for a page. */
export async function kerasH5(model: tfl.LayersModel, options: KerasH5Options = {}): Promise<Uint8Array<ArrayBuffer>> {
  const layers: { name: string; weights: StoredWeight[] }[] = [];
  for (const layer of model.layers) {
    const weights = await weightsOf(layer);
    if (weights.length > 0) layers.push({ name: layer.name, weights });
  }
  const library = await hdf5Library();
  const path = `/files/${crypto.randomUUID()}`;
  try {
    return library.call((module) => {
      const file = new Hdf5Writer(module, path);
      const root = options.weightsOnly ? '' : '/model_weights';
      if (root !== '') file.group(root);
      for (const group of root === '' ? ['/'] : ['/', root]) {
        file.text(group, 'backend', 'tensorflow');
        file.text(group, 'keras_version', VERSION);
      }
      if (!options.weightsOnly) file.text('/', 'model_config', JSON.stringify(kerasConfig(model)));
      file.texts(
        root || '/',
        'layer_names',
        layers.map(({ name }) => name),
      );
      for (const { name, weights } of layers) {
        const group = `${root}/${name}`;
        file.group(group);
        file.texts(
          group,
          'weight_names',
          weights.map((weight) => weight.name),
        );
        for (const weight of weights) file.floats(`${group}/${weight.name}`, weight.shape, weight.values);
      }
      return file.finish();
    });
  } catch (error) {
    if (!(error instanceof Hdf5Failure)) throw error;
    throw new WeightsError(`model ${show(model.name)}: HDF5 could not write it: ${error.message}`, { cause: error });
  }
}

interface StoredWeight {
  /** e.g. `conv1/kernel:0`. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

async function weightsOf(layer: tfl.layers.Layer): Promise<StoredWeight[]> {
  const found: StoredWeight[] = [];
  const used = new Set<string>();
  for (const weight of layer.weights) {
    const tensor = weight.read();
    if (tensor.dtype !== 'float32') throw new WeightsError(`weight ${weight.name} is ${tensor.dtype}, must be float32`);
    let name = `${weight.originalName}:0`;
    for (let n = 1; used.has(name); n++) name = `${weight.originalName}_${n}:0`;
    used.add(name);
    // `data` may give the backend's own array, which a later step overwrites.
    found.push({ name, shape: tensor.shape, values: (await tensor.data<'float32'>()).slice() });
  }
  return found;
}

/** A file of HDF5's file system in memory that is being written. */
class Hdf5Writer {
  readonly #module: Hdf5Module;
  readonly #path: string;
  readonly #id: bigint;
  readonly #groups = new Set(['', '/']);

  constructor(module: Hdf5Module, path: string) {
    this.#module = module;
    this.#path = path;
    this.#id = module.open(path, MODE.truncate);
    this.#check(Number(this.#id), 'file');
  }

  /** A group, and those that it is in. */
  group(path: string): void {
    if (this.#groups.has(path)) return;
    this.group(path.slice(0, path.lastIndexOf('/')));
    this.#check(this.#module.create_group(this.#id, path), path);
    this.#groups.add(path);
  }

  text(group: string, name: string, value: string): void {
    const metadata = describe({ type: TYPE.string, size: 4, vlen: true, cset: 1 }, []);
    this.#check(this.#module.create_vlen_str_attribute(this.#id, group, name, [value], metadata), name);
  }

  /** A list of names, all as long as the longest, as numpy stores them. */
  texts(group: string, name: string, values: readonly string[]): void {
    const encoder = new TextEncoder();
    const encoded = values.map((value) => encoder.encode(value));
    const size = 1 + Math.max(0, ...encoded.map(({ length }) => length));
    const pieces = Math.max(1, Math.ceil((size * values.length) / LONGEST_LIST));
    // As numpy's array_split: the first pieces are longer by one.
    const length = (piece: number) => Math.floor(values.length / pieces) + (piece < values.length % pieces ? 1 : 0);
    for (let piece = 0, from = 0; piece < pieces; from += length(piece++)) {
      const bytes = new Uint8Array(size * length(piece));
      for (let i = 0; i < length(piece); i++) bytes.set(encoded[from + i] ?? [], i * size);
      const metadata = describe({ type: TYPE.string, size, cset: 0 }, [length(piece)]);
      const called = pieces === 1 ? name : `${name}${piece}`;
      this.#with(bytes, (at) => this.#module.create_attribute(this.#id, group, called, at, metadata), called);
    }
  }

  floats(path: string, shape: readonly number[], { buffer, byteOffset, byteLength }: Float32Array): void {
    this.group(path.slice(0, path.lastIndexOf('/')));
    const metadata = describe({ type: TYPE.float, size: 4 }, shape);
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    this.#with(bytes, (at) => this.#module.create_dataset(this.#id, path, at, metadata), path);
  }

  /** Closes and removes the file, and gives its bytes. */
  finish(): Uint8Array<ArrayBuffer> {
    this.#check(this.#module.close_file(this.#id), 'file');
    const bytes = this.#module.FS.readFile(this.#path);
    this.#module.FS.unlink(this.#path);
    return bytes;
  }

  #with(bytes: Uint8Array, create: (pointer: bigint) => number, what: string): void {
    const pointer = this.#module._malloc(Math.max(1, bytes.length)) >>> 0;
    if (pointer === 0) throw new Hdf5Failure(`no memory for ${bytes.length} bytes`);
    try {
      this.#module.HEAPU8.set(bytes, pointer);
      this.#check(create(BigInt(pointer)), what);
    } finally {
      this.#module._free(pointer);
    }
  }

  #check(status: number, what: string): void {
    if (status < 0) throw new Hdf5Failure(`it refused ${show(what)}`);
  }
}

function describe(type: Partial<Hdf5WriteMetadata>, shape: readonly number[]): Hdf5WriteMetadata {
  const lengths = shape.map(BigInt);
  return {
    type: 0,
    size: 0,
    signed: false,
    littleEndian: true,
    vlen: false,
    ...type,
    shape: lengths,
    maxshape: lengths,
  };
}
