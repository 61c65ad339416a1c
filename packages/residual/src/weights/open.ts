/** Opens weights of any format: recognises it by its content, loads the reader for it, and closes what it opened.
 *  Only the reader that is needed is loaded: HDF5's alone is larger than all others together. */

import { WeightsError } from './errors.ts';
import { checkSiblingName, noSiblings, type Siblings, show, type WeightReader } from './reader.ts';
import { recognise } from './recognise.ts';
import { type ByteSource, blobSource, bytesSource } from './source.ts';
import type { WeightFile, WeightFormat } from './tensor.ts';

export interface OpenWeightsOptions {
  /** For messages; default a File's own name. */
  readonly name?: string;
  /**
   * The files beside it, for formats that need them: shards, a checkpoint's data. The `files` of a page's
   * `<input type="file" multiple>` will do.
   */
  readonly siblings?: Siblings | readonly File[];
}

/** How the reader of each format is loaded. */
const readers: Readonly<Record<WeightFormat, () => Promise<WeightReader>>> = {
  safetensors: async () => (await import('./safetensors.ts')).readSafetensors,
  pytorch: async () => (await import('./pytorch/index.ts')).readPyTorch,
  keras: async () => (await import('./keras/read-keras.ts')).readKeras,
  onnx: async () => (await import('./onnx/onnx.ts')).readOnnx,
  tfjs: async () => (await import('./tfjs/tfjs.ts')).readTfjs,
  tensorflow: async () => (await import('./tensorflow/tensorflow.ts')).readTensorflow,
};

/**
 * Opens a file of weights: safetensors, PyTorch, Keras, ONNX, TF.js or TensorFlow, whatever it is called. Shapes are
 * known at once; values are read as `WeightTensor.read` asks for them.
 *
 * ```ts
 * const weights = await openWeights(input.files[0], { siblings: [...input.files] });
 * for (const { name, type, shape } of weights.tensors) console.log(name, type, shape);
 * await weights.close();
 * ```
 *
 * @throws WeightsError where it is in none of these formats, is damaged, or a file beside it is missing
 */
export async function openWeights(
  input: Blob | Uint8Array | ByteSource,
  { name, siblings = noSiblings }: OpenWeightsOptions = {},
): Promise<WeightFile> {
  const opened: ByteSource[] = [];
  const keep = (source: ByteSource) => {
    const kept = once(source);
    opened.push(kept);
    return kept;
  };
  const close = async () => {
    for (const source of opened.splice(0)) await source.close();
  };
  const find = typeof siblings === 'function' ? siblings : fileSiblings(siblings);
  try {
    const source = keep(sourceOf(input, name));
    const read = await readers[await recognise(source)]();
    const file = await read(source, async (sibling) => keep(await find(checkSiblingName(sibling, source.name))));
    const closeFile = async () => {
      await file.close();
      await close();
    };
    return { ...file, close: closeFile };
  } catch (error) {
    await close();
    throw error;
  }
}

function sourceOf(input: Blob | Uint8Array | ByteSource, name?: string): ByteSource {
  if (input instanceof Uint8Array) return bytesSource(input, name ?? 'the bytes');
  if (input instanceof Blob) return blobSource(input, name ?? (input instanceof File ? input.name : 'the blob'));
  return input;
}

/** Closes once, however often it is asked to: readers close their files, and so does `openWeights`. */
function once(source: ByteSource): ByteSource {
  let closed: Promise<void> | undefined;
  return {
    name: source.name,
    size: source.size,
    read: (offset, length) => source.read(offset, length),
    close() {
      closed ??= source.close();
      return closed;
    },
  };
}

/** Files that a page was given: by their path where a whole folder was chosen, by their name otherwise. */
function fileSiblings(files: readonly File[]): Siblings {
  return async (name) => {
    const file =
      files.find(({ webkitRelativePath: path }) => path !== '' && path?.endsWith(`/${name}`)) ??
      files.find((each) => each.name === name.split('/').at(-1));
    if (!file) throw new WeightsError(`${show(name)}: the file is needed, and is not among those that were given`);
    return blobSource(file, file.name);
  };
}
