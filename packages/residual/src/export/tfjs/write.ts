/** `writeTfjs`: a trained classifier as a TF.js graph model, which `loadGraphModel` runs in pages without our package. */

import { ModelError } from '../../models/errors.ts';
import { artefactOf, type Precision } from '../artefact.ts';
import type { ExportFile } from '../format.ts';
import type { InferenceGraph } from '../graph/graph.ts';
import { artefactToJson } from '../tensorflow/artefact-json.ts';
import { dataTypes, type Edge, type NodeDef } from '../tensorflow/graph-def.ts';
import { lowerToTensorflow } from '../tensorflow/lower.ts';
import { nodeToJson, shapeToJson } from './graph-json.ts';
import { type NamedWeight, storeWeights, type WeightStorage } from './stored-weights.ts';

export interface TfjsOptions {
  /**
   * How weights are stored: `float16` halves the files, `uint8` quarters them. Biases stay float32, and TF.js computes in
   * float32 in any case. Default `float32`.
   */
  readonly weights?: WeightStorage;
  /**
   * The input's type. `int32` takes pictures as `tf.browser.fromPixels` gives them, and needs a graph that was made with
   * `input: 'bytes'`. Default `float32`.
   */
  readonly type?: 'float32' | 'int32';
  /** Of the program that writes, for the file. */
  readonly version?: string;
}

/** What the files say of how their weights are stored. */
const precisions: Readonly<Record<WeightStorage, Precision>> = {
  float32: 'float32',
  float16: 'float16',
  uint8: 'dynamic',
  uint16: 'dynamic',
};

/**
 * The files of a graph model: shards of at most 4 MB, and `model.json` last. Input `input` [batch, height, width,
 * channels], output `output` [batch, classes], any batch. Labels and preprocessing are in `userDefinedMetadata`.
 *
 * @throws ModelError for impossible options, and for float16 where a weight is beyond its range
 * @example for (const { path, bytes } of writeTfjs(graph)) await writeFile(`site/net/${path}`, bytes)
 * // in the page: const net = await tf.loadGraphModel('net/model.json'); net.predict(images)
 */
export function writeTfjs(graph: InferenceGraph, options: TfjsOptions = {}): ExportFile[] {
  const { weights: storage = 'float32', type = 'float32', version = '' } = options;
  if (type === 'int32' && graph.input.range !== 'bytes') {
    throw new ModelError(
      `tfjs: an input of int32 needs a graph whose input is 'bytes', received '${graph.input.range}'`,
    );
  }
  const weights: NamedWeight[] = [];
  const lowered = lowerToTensorflow(graph, {
    fused: true,
    input: type,
    trained: (name, { shape, values }, kind) => {
      weights.push({ name, shape, values, roundable: kind === 'weights' });
      const attributes = { dtype: { type: 'float32' }, shape: { shape } } as const;
      return [{ name, op: 'Const', inputs: [], attributes }];
    },
  });
  for (const node of lowered.nodes) weights.push(...numbersIn(node));
  const { manifest, files } = storeWeights(weights, storage);
  const json = {
    format: 'graph-model',
    generatedBy: `residual ${version}`.trim(),
    convertedBy: null,
    signature: { inputs: { input: edge(lowered.input) }, outputs: { output: edge(lowered.output) } },
    userDefinedMetadata: artefactToJson(artefactOf(graph, 'NHWC', precisions[storage])),
    modelTopology: { node: lowered.nodes.map(nodeToJson), library: {}, versions: { producer: 134 } },
    weightsManifest: manifest,
  };
  return [...files, { path: 'model.json', bytes: new TextEncoder().encode(`${JSON.stringify(json)}\n`) }];
}

/** Sizes and axes are weights too: TF.js keeps no numbers in the graph itself. */
function numbersIn({ name, attributes: { value } }: NodeDef): NamedWeight[] {
  if (!value || !('tensor' in value)) return [];
  const { type, shape, values } = value.tensor;
  if (type === 'string') throw new Error(`internal: ${name} is a text`);
  const numbers = type === 'int32' ? Int32Array.from(values) : Float32Array.from(values);
  return [{ name, shape, values: numbers, roundable: false }];
}

function edge({ node, type, shape }: Edge) {
  return { name: `${node}:0`, dtype: dataTypes[type].name, tensorShape: shapeToJson(shape) };
}
