/** A SavedModel that we wrote, back as an inference graph: its graph, its checkpoint, and what it says of itself.
 *  Nothing in JavaScript runs SavedModels, so this is also how they are proven. */

import { ModelError } from '../../models/errors.ts';
import { memorySiblings } from '../../weights/reader.ts';
import { bytesSource } from '../../weights/source.ts';
import { readTensorflow } from '../../weights/tensorflow/tensorflow.ts';
import type { ArtefactInfo } from '../artefact.ts';
import type { ExportFile } from '../format.ts';
import type { InferenceGraph } from '../graph/graph.ts';
import { artefactFromJson } from '../tensorflow/artefact-json.ts';
import { fileIn, filesBeside } from '../tensorflow/files.ts';
import { nodeOf } from '../tensorflow/graph-def.ts';
import { raiseTensorflow } from '../tensorflow/raise.ts';
import { decodeSavedModel } from './decode.ts';
import { SIGNATURE } from './encode.ts';
import { ARTEFACT, MAIN, VARIABLES } from './write.ts';

export interface ReadSavedModel {
  readonly graph: InferenceGraph;
  readonly info: ArtefactInfo;
  /** Of the input: `DT_UINT8` where it takes pictures as they are. */
  readonly input: 'float32' | 'uint8';
}

/** @throws ModelError, WeightsError for operators and forms that our files do not have, and for damaged files */
export async function readSavedModel(given: readonly ExportFile[]): Promise<ReadSavedModel> {
  const files = filesBeside(MAIN, given);
  if (!files) throw new ModelError(`${MAIN}: there is no such file, or more than one`);
  const info = infoIn(fileIn(files, ARTEFACT));
  const saved = decodeSavedModel(fileIn(files, MAIN), MAIN, SIGNATURE);
  const { inputs, outputs } = saved;
  const [input = '', output = ''] = [Object.values(inputs)[0], Object.values(outputs)[0]].map((name) =>
    nodeOf(name ?? ''),
  );
  if (Object.keys(inputs).length !== 1 || Object.keys(outputs).length !== 1) {
    throw new ModelError(`${MAIN}: its signature must have one input and one output`);
  }
  const constants = new Map(saved.constants);
  const bundle = await readTensorflow(bytesSource(fileIn(files, `${VARIABLES}.index`), `${VARIABLES}.index`), (name) =>
    memorySiblings({ [name]: fileIn(files, `variables/${name}`) })(name),
  );
  for (const tensor of bundle.tensors) {
    constants.set(tensor.key, { shape: tensor.shape, values: await tensor.read() });
  }
  const graph = raiseTensorflow(saved.nodes, { input, output, constants, info, file: MAIN });
  const placeholder = saved.nodes.find(({ name }) => name === input)?.attributes.dtype;
  const type = placeholder && 'type' in placeholder && placeholder.type === 'uint8' ? 'uint8' : 'float32';
  return { graph, info, input: type };
}

function infoIn(bytes: Uint8Array): ArtefactInfo {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new ModelError(`${ARTEFACT}: is not JSON`);
  }
  return artefactFromJson(json, ARTEFACT);
}
