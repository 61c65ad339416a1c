/** The graph that a file was written from, found again: to hold the file's layers against it long after the export. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { ModelInfo } from '../models/info.ts';
import { equalize } from '../quantize/equalize.ts';
import { Likeness } from '../quantize/signal.ts';
import type { ArtefactInfo } from './artefact.ts';
import { inferenceGraph } from './graph/from-model.ts';
import { constantsOf, type InferenceGraph } from './graph/graph.ts';

/**
 * @param said what the file says of itself
 * @param written the file as a graph, where it can be read: its weights tell whether it was equalised
 * @throws ModelError as `inferenceGraph`
 */
export async function sourceGraph(
  model: LayersModel,
  info: ModelInfo,
  { range, gives }: Pick<ArtefactInfo, 'range' | 'gives'>,
  written?: InferenceGraph,
): Promise<InferenceGraph> {
  const softmax = gives === 'logits' ? 'drop' : 'add';
  const graph = await inferenceGraph(model, info, { softmax, input: range });
  if (!written) return graph;
  const { graph: equalized } = equalize(graph);
  return likenessOf(equalized, written) > likenessOf(graph, written) ? equalized : graph;
}

/** How near two graphs' weights are, in decibels. */
function likenessOf(graph: InferenceGraph, written: InferenceGraph): number {
  const likeness = new Likeness();
  // Readers of files name nodes by the values that they make.
  const theirs = new Map(written.nodes.map((node) => [node.output, constantsOf(node)]));
  for (const node of graph.nodes) {
    for (const [name, { values }] of Object.entries(constantsOf(node))) {
      const given = theirs.get(node.output)?.[name]?.values;
      if (given?.length === values.length) likeness.add(values, given);
    }
  }
  return likeness.sqnr;
}
