/** A trained classifier as a TF.js layers model: every layer as it was trained, for pages that go on training it.
 *  Our batch normalisation is stored as TF.js's own, so that `loadLayersModel` needs nothing of ours. */

import { io } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { ModelError } from '../../models/errors.ts';
import type { ModelInfo } from '../../models/info.ts';
import type { ArtefactInfo, Precision } from '../artefact.ts';
import type { ExportFile } from '../format.ts';
import { artefactToJson } from '../tensorflow/artefact-json.ts';
import { type NamedWeight, storeWeights, type WeightStorage } from './stored-weights.ts';

export interface TfjsLayersOptions {
  /** How kernels are stored, as in `TfjsOptions`. Default `float32`. */
  readonly weights?: WeightStorage;
  /** What is said of it. Default `float32`. */
  readonly precision?: Precision;
  /** The function at the end: as the model has it, left out, or a softmax in any case. Default `keep`. */
  readonly softmax?: 'keep' | 'drop' | 'add';
  /** Of the program that writes, for the file. */
  readonly version?: string;
}

/** A layer in the topology. */
interface LayerJson {
  readonly class_name: string;
  readonly config: Record<string, unknown> & { readonly name?: string; activation?: string };
}

/**
 * The files of a layers model: shards of at most 4 MB, and `model.json` last, with labels and preprocessing in
 * `userDefinedMetadata`.
 *
 * @throws ModelError where the last layer has no activation that could be changed as `softmax` asks
 */
export async function writeTfjsLayers(
  model: LayersModel,
  info: ModelInfo,
  options: TfjsLayersOptions = {},
): Promise<ExportFile[]> {
  const { weights: storage = 'float32', precision = 'float32', softmax = 'keep', version = '' } = options;
  const { modelTopology, weightSpecs = [], weightData } = await artefactsOf(model);
  const data = new Uint8Array(io.CompositeArrayBuffer.join(weightData));
  const topology = structuredClone(modelTopology) as object;
  const gives = setEnd(topology, softmax);
  const { manifest, files } = storeWeights(weightsIn(weightSpecs, data), storage);
  const { architecture, classes, preprocessing } = info;
  const artefact: ArtefactInfo = {
    architecture,
    classes,
    preprocessing,
    layout: 'NHWC',
    range: 'normalised',
    gives,
    precision,
  };
  const json = {
    format: 'layers-model',
    generatedBy: `residual ${version}`.trim(),
    convertedBy: null,
    userDefinedMetadata: artefactToJson(artefact),
    modelTopology: topology,
    weightsManifest: manifest,
  };
  return [...files, { path: 'model.json', bytes: new TextEncoder().encode(`${JSON.stringify(json)}\n`) }];
}

async function artefactsOf(model: LayersModel): Promise<io.ModelArtifacts> {
  let saved: io.ModelArtifacts | undefined;
  await model.save({
    save: async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: io.getModelArtifactsInfoForJSON(artifacts) };
    },
  });
  if (!saved) throw new Error('internal: TF.js saved nothing');
  return saved;
}

/** Only kernels are rounded: what normalises is little and bears none. */
function weightsIn(specs: readonly io.WeightsManifestEntry[], data: Uint8Array): NamedWeight[] {
  let offset = 0;
  return specs.map(({ name, shape, dtype }) => {
    if (dtype !== 'float32') throw new ModelError(`weight ${name}: must be float32, is ${dtype}`);
    const bytes = shape.reduce((product, size) => product * size, 4);
    const values = new Float32Array(data.slice(offset, offset + bytes).buffer);
    offset += bytes;
    return { name, shape, values, roundable: shape.length > 1 };
  });
}

/** Changes the last layer's activation. @returns what the model gives then */
function setEnd(topology: object, softmax: 'keep' | 'drop' | 'add'): 'logits' | 'probabilities' {
  const last = lastLayer(topology);
  const { config, class_name: kind } = last;
  const has = kind === 'Softmax' ? 'softmax' : config.activation;
  const ends = has === 'softmax' || has === 'sigmoid';
  if (softmax === 'keep' || (softmax === 'add' && ends)) return ends ? 'probabilities' : 'logits';
  if (softmax === 'drop' && !ends) return 'logits';
  if (has === undefined || kind === 'Softmax' || (softmax === 'add' && has !== 'linear')) {
    const what = softmax === 'drop' ? 'be dropped from' : 'be added to';
    throw new ModelError(`layer ${config.name}: a softmax cannot ${what} a ${kind} in a layers model; tfjs files can`);
  }
  config.activation = softmax === 'drop' ? 'linear' : 'softmax';
  return softmax === 'drop' ? 'logits' : 'probabilities';
}

function lastLayer(topology: object): LayerJson {
  const { config } = topology as { config: LayerJson[] | { layers: LayerJson[]; output_layers?: [string][] } };
  const layers = Array.isArray(config) ? config : config.layers;
  const name = Array.isArray(config) ? undefined : config.output_layers?.[0]?.[0];
  const last = name === undefined ? layers.at(-1) : layers.find((layer) => layer.config.name === name);
  if (!last) throw new ModelError('the model has no last layer');
  return last;
}
