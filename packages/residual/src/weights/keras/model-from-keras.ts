/** A whole model out of a Keras file, architecture and weights, as a LayersModel that gives the same outputs. */

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '../../models/batch-normalization.ts'; // so that its layers are ours, which freeze and train as Keras's
import { WeightsError } from '../errors.ts';
import { show } from '../reader.ts';
import type { WeightFile } from '../tensor.ts';
import { field } from './class-names.ts';
import { isKerasFile, type KerasFile, type KerasLayer } from './keras-file.ts';
import { type TfjsConfig, tfjsConfig } from './model-config.ts';

/**
 * Builds the model that a `.keras` file or a whole-model `.h5` describes, and sets its weights.
 *
 * Layers keep their names and `trainable`; what the model was compiled with is not read. Functional and sequential models
 * of layers that TF.js has; models within models too.
 *
 * @throws WeightsError where the file holds weights alone, needs what TF.js has not, or weights and model do not agree
 * @example const model = await modelFromKeras(await openWeights('model.keras'))
 */
export async function modelFromKeras(file: WeightFile): Promise<tfl.LayersModel> {
  const who = file.name;
  if (!isKerasFile(file))
    throw new WeightsError(`${who}: is a ${file.format} file; only Keras's hold a model of layers`);
  if (file.modelConfig === undefined) {
    throw new WeightsError(`${who}: holds weights without their model: build the model, then load the weights into it`);
  }
  const config = tfjsConfig(file.modelConfig, who);
  checkSizes(config, file);
  const model = await build(config, who);
  try {
    await setWeights(model, file);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}

async function build(config: TfjsConfig, who: string): Promise<tfl.LayersModel> {
  try {
    return await tfl.models.modelFromJSON(config as unknown as Parameters<typeof tfl.models.modelFromJSON>[0]);
  } catch (error) {
    const [line = ''] = String((error as Error).message).split('\n');
    throw new WeightsError(`${who}: TensorFlow.js cannot build its model: ${show(line)}`, { cause: error });
  }
}

/** Before memory is taken: the layers that have most of it must be as large as their weights in the file. */
function checkSizes(config: TfjsConfig, { layers, name: who }: KerasFile): void {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  for (const layer of (config.config.layers ?? []) as TfjsConfig[]) {
    const { class_name: className, config: options } = layer;
    if (className !== 'Conv2D' && className !== 'Dense') continue;
    const name = String(options.name);
    const kernel = byName.get(name)?.tensors[0]?.shape;
    const expected = [...(className === 'Conv2D' ? pair(options.kernel_size) : []), options.filters ?? options.units];
    const found = kernel && (className === 'Conv2D' ? [kernel[0], kernel[1], kernel[3]] : [kernel[1]]);
    if (!found || found.some((size, i) => size !== expected[i])) {
      const is = kernel ? `the kernel in the file is [${kernel}]` : 'the file has none';
      throw new WeightsError(`${who}: layer ${show(name)} must have a kernel for [${expected}], ${is}`);
    }
  }
}

const pair = (size: unknown): unknown[] => (Array.isArray(size) ? size : [size, size]);

async function setWeights(model: tfl.LayersModel, file: KerasFile): Promise<void> {
  const layers = layersByName(model, file.name);
  const stillEmpty = new Set([...layers.values()].filter((layer) => !isModel(layer) && layer.weights.length > 0));
  for (const stored of file.layers) {
    const layer = layers.get(stored.name);
    if (!layer)
      throw new WeightsError(`${file.name}: has weights of ${show(stored.name)}, a layer that its model has not`);
    await setLayer(layer, stored, file.name);
    for (const inner of isModel(layer) ? layersByName(layer, file.name).values() : [layer]) stillEmpty.delete(inner);
  }
  const missing = [...stillEmpty].map(({ name }) => show(name));
  if (missing.length > 0) {
    const names = missing.slice(0, 3).join(', ');
    throw new WeightsError(`${file.name}: has no weights for ${missing.length} layers of its model, e.g. ${names}`);
  }
}

/** All layers, those of models within it too; the models themselves, as the legacy layout stores each as one layer. */
function layersByName(model: tfl.LayersModel, who: string): Map<string, tfl.layers.Layer> {
  const found = new Map<string, tfl.layers.Layer>();
  const visit = (layer: tfl.layers.Layer) => {
    if (found.has(layer.name)) throw new WeightsError(`${who}: two layers of its model are named ${show(layer.name)}`);
    found.set(layer.name, layer);
    if (isModel(layer)) layer.layers.forEach(visit);
  };
  model.layers.forEach(visit);
  return found;
}

const isModel = (layer: tfl.layers.Layer): layer is tfl.LayersModel =>
  Array.isArray(field(layer, 'layers') ?? (layer as tfl.LayersModel).layers);

async function setLayer(layer: tfl.layers.Layer, { name, tensors }: KerasLayer, who: string): Promise<void> {
  const shapes = layer.weights.map(({ shape }) => shape.join('×'));
  const stored = tensors.map(({ shape }) => shape.join('×'));
  if (shapes.length !== stored.length || shapes.some((shape, i) => shape !== stored[i])) {
    const text = `needs weights of ${shapes.join(', ')}; the file has ${stored.join(', ')}`;
    throw new WeightsError(`${who}: layer ${show(name)} ${text}`);
  }
  const values: tf.Tensor[] = [];
  try {
    for (const { read, shape } of tensors) values.push(tf.tensor(await read(), [...shape], 'float32'));
    layer.setWeights(values);
  } finally {
    tf.dispose(values);
  }
}
