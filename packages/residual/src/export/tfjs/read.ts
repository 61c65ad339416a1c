/** A TF.js graph model that we wrote, back as an inference graph, so that our own engine runs it. */

import { ModelError } from '../../models/errors.ts';
import type { ExportFile } from '../format.ts';
import type { InferenceGraph } from '../graph/graph.ts';
import { nodeOf } from '../tensorflow/graph-def.ts';
import { raiseTensorflow } from '../tensorflow/raise.ts';
import { nodesFromJson } from './graph-json.ts';
import { infoOf, modelFiles, weightsOf } from './model-json.ts';

/** @throws ModelError, WeightsError for operators and forms that our files do not have, and for damaged files */
export async function readTfjsGraph(given: readonly ExportFile[]): Promise<InferenceGraph> {
  const files = modelFiles(given, 'graph-model');
  const { name, json } = files;
  const edges = json.signature as { inputs?: object; outputs?: object } | undefined;
  const [input, output] = [edges?.inputs, edges?.outputs].map((side) => {
    const [only, ...others] = Object.values(side ?? {}) as { name?: unknown }[];
    if (typeof only?.name !== 'string' || others.length > 0) {
      throw new ModelError(`${name}: its signature must have one input and one output`);
    }
    return nodeOf(only.name);
  }) as [string, string];
  const nodes = nodesFromJson(json.modelTopology, name);
  return raiseTensorflow(nodes, { input, output, constants: await weightsOf(files), info: infoOf(files), file: name });
}
