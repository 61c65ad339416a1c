/** Which values cannot be below 0, by the operations that make them.
 *  Padding a maximum with zeros is then as good as leaving the padding out, and faster in every runtime. */

import { type GraphNode, type InferenceGraph, isClamped } from '../graph/graph.ts';

export function neverNegative(graph: InferenceGraph, value: string): boolean {
  if (value === graph.input.name) return graph.input.range === 'bytes';
  const node = graph.nodes.find(({ output }) => output === value);
  if (!node) throw new Error(`internal: no value ${value}`);
  return isClamped(node) || (keeps(node) && node.inputs.every((input) => neverNegative(graph, input)));
}

/** Operations that make nothing negative of what is not. */
function keeps({ op }: GraphNode): boolean {
  switch (op) {
    case 'add':
    case 'mul':
    case 'maxPool':
    case 'averagePool':
    case 'globalAveragePool':
    case 'pad':
    case 'reshape':
    case 'concat':
      return true;
    default:
      return false;
  }
}
