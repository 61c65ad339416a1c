/** Runs TF.js models in TF.js itself, on the backend that is set: `@tensorflow/tfjs-converter` for graph models (an
 *  optional dependency, loaded when a file is run) and `@tensorflow/tfjs-layers` for layers models. */

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ModelError } from '../../models/errors.ts';
import type { ExportFile } from '../format.ts';
import type { RunningFile } from '../runtime.ts';
import { handlerFor, infoOf, type ModelFiles, modelFiles } from './model-json.ts';

type Converter = typeof import('@tensorflow/tfjs-converter');

async function load(): Promise<Converter> {
  try {
    return await import('@tensorflow/tfjs-converter');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    const install = 'npm install @tensorflow/tfjs-converter';
    throw new ModelError(`TF.js graph models are run by TF.js's converter, which is not installed: ${install}`, {
      cause,
    });
  }
}

/** @throws ModelError where TF.js refuses the files, or they do not say their labels and preprocessing */
export async function openGraphModel(given: readonly ExportFile[]): Promise<RunningFile> {
  const files = modelFiles(given, 'graph-model');
  const info = infoOf(files);
  const { loadGraphModel, version_converter: version } = await load();
  const model = await refusedBy('loadGraphModel', files, () => loadGraphModel(handlerFor(files)));
  const [input] = model.inputs;
  const type = input?.dtype === 'int32' ? 'int32' : 'float32';
  const run = running(files, type, (images) => model.predict(images) as tf.Tensor);
  return {
    info,
    runtime: `TF.js ${version} graph model, ${tf.getBackend()}`,
    input: type,
    run,
    close: async () => model.dispose(),
  };
}

/** @throws ModelError as `openGraphModel` does */
export async function openLayersModel(given: readonly ExportFile[]): Promise<RunningFile> {
  const files = modelFiles(given, 'layers-model');
  const info = infoOf(files);
  const model = await refusedBy('loadLayersModel', files, () => tfl.loadLayersModel(handlerFor(files)));
  const run = running(files, 'float32', (images) => model.predict(images) as tf.Tensor);
  const runtime = `TF.js ${tfl.version_layers} layers, ${tf.getBackend()}`;
  return { info, runtime, input: 'float32', run, close: async () => void model.dispose() };
}

async function refusedBy<M>(loader: string, { name }: ModelFiles, open: () => Promise<M>): Promise<M> {
  try {
    return await open();
  } catch (cause) {
    if (cause instanceof ModelError) throw cause;
    throw new ModelError(`${name}: ${loader} refuses it: ${(cause as Error).message}`, { cause });
  }
}

function running(
  files: ModelFiles,
  type: 'float32' | 'int32',
  predict: (images: tf.Tensor) => tf.Tensor,
): RunningFile['run'] {
  const { inputShape } = infoOf(files).preprocessing;
  return async (images, batch) => {
    const given = type === 'int32' ? Int32Array.from(images, Math.round) : images;
    const output = tf.tidy(() => predict(tf.tensor(given, [batch, ...inputShape], type)));
    try {
      return Float32Array.from(await output.data());
    } finally {
      output.dispose();
    }
  };
}
