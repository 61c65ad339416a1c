/** A pass: a ReLU becomes part of the convolution, dense layer, sum or affine map whose value it alone reads. */

import { readCounts } from './drop.ts';
import type { GraphNode } from './graph.ts';

export function fuseActivations(nodes: readonly GraphNode[], output: string): readonly GraphNode[] {
  const reads = readCounts(nodes, output);
  const made = new Map<string, GraphNode>();
  for (const node of nodes) {
    const [from = ''] = node.inputs;
    const before = made.get(from);
    const isRelu = node.op === 'relu' || node.op === 'relu6';
    if (isRelu && before && 'activation' in before && before.activation === 'none' && reads.get(from) === 1) {
      made.delete(from);
      made.set(node.output, { ...before, output: node.output, activation: node.op });
    } else {
      made.set(node.output, node);
    }
  }
  return [...made.values()];
}
