/** `writeSavedModel`: a trained classifier as a SavedModel, for TensorFlow, TF Serving and all that starts from one.
 *  A folder: `saved_model.pb`, `variables/`, the class names in `assets/`, and what the model says of itself. */

import { ModelError } from '../../models/errors.ts';
import { artefactOf, type Precision } from '../artefact.ts';
import type { ExportFile } from '../format.ts';
import type { InferenceGraph } from '../graph/graph.ts';
import { artefactToJson } from '../tensorflow/artefact-json.ts';
import { constantNode } from '../tensorflow/graph-def.ts';
import { lowerToTensorflow } from '../tensorflow/lower.ts';
import { writeBundle } from './bundle.ts';
import { encodeSavedModel } from './encode.ts';
import { type VariableStorage, Variables } from './variables.ts';

export interface SavedModelOptions {
  /** How weights are kept. Default `float32`. */
  readonly weights?: VariableStorage;
  /** The input's type: `uint8` for pictures as they are, where the graph's input is `'bytes'`. Default `float32`. */
  readonly type?: 'float32' | 'uint8';
}

export const MAIN = 'saved_model.pb';
export const VARIABLES = 'variables/variables';
/** Loaders leave `assets.extra` alone: it is for what is not TensorFlow's. */
export const ARTEFACT = 'assets.extra/residual.json';
const LABELS = 'labels.txt';

const precisions: Readonly<Record<VariableStorage, Precision>> = {
  float32: 'float32',
  float16: 'float16',
  int8: 'dynamic',
};

/**
 * The files of a SavedModel with the tag `serve` and the signature `serving_default`: `input` [batch, height, width,
 * channels] → `output` [batch, classes], any batch. `assets/labels.txt` has a class a line, in the order of the outputs;
 * `assets.extra/residual.json` labels and preprocessing. `saved_model.pb` comes last.
 *
 * @throws ModelError for impossible options, and for float16 where a weight is beyond its range
 * @example for (const { path, bytes } of writeSavedModel(graph)) await writeFile(`net/1/${path}`, bytes)
 * // tensorflow_model_server --model_name=net --model_base_path=/net
 */
export function writeSavedModel(graph: InferenceGraph, options: SavedModelOptions = {}): ExportFile[] {
  const { weights = 'float32', type = 'float32' } = options;
  if (type === 'uint8' && graph.input.range !== 'bytes') {
    throw new ModelError(
      `saved-model: an input of uint8 needs a graph whose input is 'bytes', received '${graph.input.range}'`,
    );
  }
  const variables = new Variables(weights);
  const lowered = lowerToTensorflow(graph, {
    fused: false,
    input: type,
    trained: (name, constant, kind) => variables.keep(name, constant, kind),
  });
  const labels = 'residual/labels';
  const { index, data } = writeBundle(variables.all);
  const bytes = encodeSavedModel({
    nodes: [
      ...lowered.nodes,
      constantNode(labels, { type: 'string', shape: [], values: [`assets/${LABELS}`] }),
      ...variables.saver(),
    ],
    variables: variables.all,
    inputs: { input: lowered.input },
    outputs: { output: lowered.output },
    assets: { [labels]: LABELS },
  });
  const artefact = artefactToJson(artefactOf(graph, 'NHWC', precisions[weights]));
  const text = (content: string) => new TextEncoder().encode(content);
  return [
    { path: `${VARIABLES}.data-00000-of-00001`, bytes: data },
    { path: `${VARIABLES}.index`, bytes: index },
    {
      path: `assets/${LABELS}`,
      bytes: text(graph.classes.map((name) => `${name.replaceAll(/\s+/g, ' ')}\n`).join('')),
    },
    { path: ARTEFACT, bytes: text(`${JSON.stringify(artefact, null, 2)}\n`) },
    { path: MAIN, bytes },
  ];
}
