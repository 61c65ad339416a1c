/** A trained classifier on disk: TF.js's own LayersModel files, and `residual.json` with class names and preprocessing.
 *  Without tfjs-node TF.js has no file handler in Node; with this one no step can leave a model half written. */

import type * as tf from '@tensorflow/tfjs-core';
import { io } from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import './batch-normalization.ts'; // so that loading makes our layers
import { ModelError } from './errors.ts';
import { codeOf, node, writeAside } from './files.ts';
import type { ModelInfo } from './info.ts';

const MODEL = 'model.json';
const INFO = 'residual.json';
const WEIGHTS = /^weights\.[0-9a-f]{8}\.bin$/;

/**
 * Writes `model.json`, its weights, and `residual.json` into `folder`, which is made if it is missing.
 *
 * Each file is written aside and renamed. The weights' name holds their checksum and `model.json`, which names them,
 * comes last: a kill at any moment leaves the old model or the new one, and weights of old models are removed at the
 * end only.
 *
 * @throws WriteError for a full disk or a folder that may not be written; the model that was there still loads
 */
export async function saveModel(model: tfl.LayersModel, info: ModelInfo, folder: string): Promise<void> {
  const { fs, path, zlib } = node();
  const save = async (artifacts: tf.io.ModelArtifacts): Promise<tf.io.SaveResult> => {
    const weights = new Uint8Array(io.CompositeArrayBuffer.join(artifacts.weightData as ArrayBuffer));
    const weightsName = `weights.${zlib.crc32(weights).toString(16).padStart(8, '0')}.bin`;
    const manifest = [{ paths: [weightsName], weights: artifacts.weightSpecs ?? [] }];
    const { modelTopology, format, generatedBy, convertedBy, userDefinedMetadata, trainingConfig } = artifacts;
    const described = { format, generatedBy, convertedBy, modelTopology, trainingConfig, userDefinedMetadata };
    const json = { ...described, weightsManifest: manifest };
    await writeAside(path.join(folder, weightsName), [weights]);
    await writeAside(path.join(folder, INFO), [`${JSON.stringify(info, null, 2)}\n`]);
    await writeAside(path.join(folder, MODEL), [`${JSON.stringify(json)}\n`]);
    for (const name of await fs.promises.readdir(folder)) {
      if (WEIGHTS.test(name) && name !== weightsName) await fs.promises.rm(path.join(folder, name), { force: true });
    }
    return { modelArtifactsInfo: io.getModelArtifactsInfoForJSON(artifacts) };
  };
  await model.save({ save });
}

/**
 * Loads what `saveModel` wrote.
 *
 * @param folder The folder, or the `model.json` in it.
 * @throws ModelError for a missing file or a wrong format
 */
export async function loadModel(folder: string): Promise<{ model: tfl.LayersModel; info: ModelInfo }> {
  const { home, info, json } = await readFiles(folder);
  const load = () => io.getModelArtifactsForJSON(json, (manifest) => readWeights(home, manifest));
  const model = await tfl.loadLayersModel({ load });
  const outputs = model.outputs[0]?.shape.at(-1);
  if (outputs !== info.classes.length) {
    throw new ModelError(`${home}: ${INFO} names ${info.classes.length} classes, the model has ${outputs} outputs`);
  }
  return { model, info };
}

/**
 * What `saveModel` wrote, but for the values: nothing is built.
 *
 * @throws ModelError as `loadModel`
 */
export async function describeModel(
  folder: string,
): Promise<{ info: ModelInfo; weights: readonly { readonly name: string; readonly shape: readonly number[] }[] }> {
  const { info, json } = await readFiles(folder);
  return { info, weights: io.getWeightSpecs(json.weightsManifest) };
}

async function readFiles(folder: string): Promise<{ home: string; info: ModelInfo; json: tf.io.ModelJSON }> {
  const { path } = node();
  const home = path.basename(folder) === MODEL ? path.dirname(folder) : folder;
  const info = checkedInfo(await readJson(home, INFO), path.join(home, INFO));
  const json = (await readJson(home, MODEL)) as Partial<tf.io.ModelJSON> | null;
  const format = json?.format;
  if (!json?.modelTopology || !json.weightsManifest || (format !== undefined && format !== 'layers-model')) {
    throw new ModelError(
      `${path.join(home, MODEL)}: must be a TF.js model of format layers-model, is ${format ?? 'none'}`,
    );
  }
  return { home, info, json: json as tf.io.ModelJSON };
}

async function readJson(folder: string, name: string): Promise<unknown> {
  const { path } = node();
  const file = path.join(folder, name);
  const text = new TextDecoder().decode(await read(folder, name));
  try {
    return JSON.parse(text);
  } catch {
    throw new ModelError(`${file}: is not JSON`);
  }
}

async function read(folder: string, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const { fs, path } = node();
  const file = path.join(folder, name);
  try {
    return await fs.promises.readFile(file);
  } catch (error) {
    const code = codeOf(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw new ModelError(`${file}: cannot be read (${code})`);
    const there = await fs.promises.stat(folder).catch(() => undefined);
    if (!there) throw new ModelError(`${folder}: there is no such folder`);
    throw new ModelError(`${folder}: is no saved model, ${name} is missing`);
  }
}

async function readWeights(
  folder: string,
  manifest: tf.io.WeightsManifestConfig,
): Promise<[tf.io.WeightsManifestEntry[], ArrayBuffer]> {
  const specs = manifest.flatMap(({ weights }) => weights);
  const parts = await Promise.all(manifest.flatMap(({ paths }) => paths).map((name) => read(folder, name)));
  const data = io.CompositeArrayBuffer.join(
    parts.map(({ buffer, byteOffset, byteLength }) => buffer.slice(byteOffset, byteOffset + byteLength)),
  );
  const expected = io.getWeightSpecs(manifest).reduce((sum, spec) => sum + bytesOf(spec), 0);
  if (data.byteLength !== expected) {
    throw new ModelError(`${folder}: the weights have ${data.byteLength} bytes, model.json describes ${expected}`);
  }
  return [specs, data];
}

function bytesOf({ shape, dtype, quantization, name }: tf.io.WeightsManifestEntry): number {
  const stored = quantization?.dtype ?? dtype;
  const size = { float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2, complex64: 8, string: Number.NaN }[
    stored
  ];
  if (Number.isNaN(size)) throw new ModelError(`weight ${name}: dtype ${stored} is not a number`);
  return shape.reduce((product, n) => product * n, size);
}

function checkedInfo(value: unknown, file: string): ModelInfo {
  const info = value as Partial<ModelInfo> | null;
  if (info?.format !== 'residual/1') {
    throw new ModelError(`${file}: format must be 'residual/1', is ${JSON.stringify(info?.format)}`);
  }
  if (!Array.isArray(info.classes) || !info.preprocessing || !info.architecture) {
    throw new ModelError(`${file}: must have architecture, classes and preprocessing`);
  }
  return info as ModelInfo;
}
