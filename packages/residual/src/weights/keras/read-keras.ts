/** Reads Keras's files: `.h5` weights and whole models of Keras 2 and 3, `.weights.h5`, and `.keras` zips.
 *  HDF5 itself is read by h5wasm; only what is asked for is fetched from the file. */

import { WeightsError } from '../errors.ts';
import { type Siblings, show } from '../reader.ts';
import type { ByteSource } from '../source.ts';
import { Hdf5File } from './hdf5-file.ts';
import type { KerasFile, KerasLayer } from './keras-file.ts';
import { legacyLayers, legacyRoot } from './legacy-layout.ts';
import { hasWeightsLayout, weightsLayers } from './weights-layout.ts';

/**
 * Opens a Keras file; which kind, its content says.
 *
 * Tensors are named by their path in the file, e.g. `conv2d/conv2d/kernel:0` (layer, then weight) or
 * `layers/conv2d/vars/0`. float16, float64, big-endian and gzip-compressed datasets are converted.
 *
 * @throws WeightsError where it is no Keras file, is damaged, or needs a filter other than HDF5's own
 */
export async function readKeras(source: ByteSource, _siblings: Siblings): Promise<KerasFile> {
  return readHdf5(source);
}

/** `config` is the model's, where it is kept elsewhere. */
async function readHdf5(source: ByteSource, config?: unknown): Promise<KerasFile> {
  const file = await Hdf5File.open(source);
  try {
    const root = await legacyRoot(file);
    const modelConfig = config ?? (await configOf(file));
    if (root !== undefined) {
      const layers = await legacyLayers(file, root, modelConfig);
      return kerasFile(file, layers, 'model', modelConfig, await attributesOf(file, root));
    }
    if (await hasWeightsLayout(file)) {
      const layers = await weightsLayers(file, modelConfig);
      return kerasFile(file, layers, modelConfig === undefined ? 'class' : 'model', modelConfig, {});
    }
    const names = (await file.names('/')).slice(0, 5).map(show).join(', ');
    throw new WeightsError(
      `${source.name}: is HDF5, but no Keras file: has neither layer_names, model_weights nor layers; it begins with ${names || 'nothing'}`,
    );
  } catch (error) {
    file.release();
    throw error;
  }
}

function kerasFile(
  file: Hdf5File,
  layers: readonly KerasLayer[],
  order: 'model' | 'class',
  modelConfig: unknown,
  metadata: Readonly<Record<string, string>>,
): KerasFile {
  const tensors = layers.flatMap((layer) => layer.tensors);
  const names = new Set<string>();
  for (const { name } of tensors) {
    if (names.has(name)) throw new WeightsError(`${file.source.name}: lists ${show(name)} twice`);
    names.add(name);
  }
  const base = { format: 'keras', name: file.source.name, tensors, layers, order, metadata } as const;
  return { ...base, ...(modelConfig !== undefined && { modelConfig }), close: () => file.close() };
}

/** The configuration of a whole model, an attribute of the file. */
async function configOf(file: Hdf5File): Promise<unknown> {
  const [text] = (await file.text('/', 'model_config')) ?? [];
  return text === undefined ? undefined : parseConfig(text, `${file.source.name}: model_config`);
}

export function parseConfig(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new WeightsError(`${what} is not JSON`);
  }
}

async function attributesOf(file: Hdf5File, root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of ['keras_version', 'backend']) {
    const [value] = (await file.text(root, name)) ?? [];
    if (value !== undefined) found[name] = value;
  }
  return found;
}
