/** Reads Keras's files: `.h5` weights and whole models of Keras 2 and 3, `.weights.h5`, and `.keras` zips.
 *  HDF5 itself is read by h5wasm; only what is asked for is fetched from the file. */

import { WeightsError } from '../errors.ts';
import { type Siblings, show } from '../reader.ts';
import type { ByteSource } from '../source.ts';
import { openZip, type Zip } from '../zip.ts';
import { Hdf5File } from './hdf5-file.ts';
import type { Hdf5View } from './hdf5-view.ts';
import type { KerasFile, KerasLayer } from './keras-file.ts';
import { legacyLayers, legacyRoot } from './legacy-layout.ts';
import { hasWeightsLayout, weightsLayers } from './weights-layout.ts';

/** Of a model's configuration, in bytes. */
const LARGEST_CONFIG = 2 ** 25;

/**
 * Opens a Keras file; which kind, its content says.
 *
 * Tensors are named by their path in the file, e.g. `conv2d/conv2d/kernel:0` (layer, then weight) or
 * `layers/conv2d/vars/0`. float16, float64, big-endian and gzip-compressed datasets are converted.
 *
 * @throws WeightsError where it is no Keras file, is damaged, or needs a filter other than HDF5's own
 */
export async function readKeras(source: ByteSource, _siblings: Siblings): Promise<KerasFile> {
  const start = source.size >= 4 ? await source.read(0, 4) : new Uint8Array();
  return String.fromCharCode(...start.subarray(0, 2)) === 'PK' ? readArchive(source) : readHdf5(source, source.name);
}

/** A `.keras` file. */
async function readArchive(source: ByteSource): Promise<KerasFile> {
  const zip = await openZip(source);
  const weights = 'model.weights.h5';
  if (!zip.entries.has(weights)) {
    const names = [...zip.entries.keys()].slice(0, 5).map(show).join(', ');
    throw new WeightsError(
      `${source.name}: is a zip, but no Keras model: has no ${weights}; it holds ${names || 'nothing'}`,
    );
  }
  const config = await json(zip, 'config.json', source.name);
  const metadata = await json(zip, 'metadata.json', source.name);
  const file = await readHdf5(await zip.open(weights), source.name, config);
  const told = Object.entries(metadata ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  const close = async () => {
    await file.close();
    await source.close();
  };
  return { ...file, metadata: { ...file.metadata, ...Object.fromEntries(told) }, close };
}

async function json(zip: Zip, name: string, who: string): Promise<unknown> {
  if (!zip.entries.has(name)) return undefined;
  return parsed(new TextDecoder().decode(await zip.read(name, LARGEST_CONFIG)), `${who}: ${name}`);
}

/** `config` is the model's, where it is kept elsewhere. */
async function readHdf5(source: ByteSource, name: string, config?: unknown): Promise<KerasFile> {
  const file = await Hdf5File.open(source);
  try {
    const { root, weights, text, metadata, names } = await file.use(overview);
    const modelConfig = config ?? (text === undefined ? undefined : parsed(text, `${name}: model_config`));
    if (root !== undefined) {
      return kerasFile(file, name, await legacyLayers(file, root, modelConfig), 'model', modelConfig, metadata);
    }
    if (weights) {
      const order = modelConfig === undefined ? 'class' : 'model';
      return kerasFile(file, name, await weightsLayers(file, modelConfig), order, modelConfig, metadata);
    }
    const begins = names.slice(0, 5).map(show).join(', ') || 'nothing';
    const problem = 'is HDF5, but no Keras file: has neither layer_names, model_weights nor layers';
    throw new WeightsError(`${name}: ${problem}; it begins with ${begins}`);
  } catch (error) {
    file.release();
    throw error;
  }
}

function overview(view: Hdf5View) {
  const root = legacyRoot(view);
  const metadata: Record<string, string> = {};
  for (const name of ['keras_version', 'backend']) {
    const value = view.text(root ?? '/', name)?.[0];
    if (value !== undefined) metadata[name] = value;
  }
  const text = view.text('/', 'model_config')?.[0];
  return { root, metadata, text, weights: hasWeightsLayout(view), names: view.names('/') };
}

function kerasFile(
  file: Hdf5File,
  name: string,
  layers: readonly KerasLayer[],
  order: 'model' | 'class',
  modelConfig: unknown,
  metadata: Readonly<Record<string, string>>,
): KerasFile {
  const tensors = layers.flatMap((layer) => layer.tensors);
  const seen = new Set<string>();
  for (const tensor of tensors) {
    if (seen.has(tensor.name)) throw new WeightsError(`${name}: lists ${show(tensor.name)} twice`);
    seen.add(tensor.name);
  }
  const base = { format: 'keras', name, tensors, layers, order, metadata } as const;
  return { ...base, ...(modelConfig !== undefined && { modelConfig }), close: () => file.close() };
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new WeightsError(`${what} is not JSON`);
  }
}
