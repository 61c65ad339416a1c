/** A pass that takes out the values that nobody reads, and the counting that other passes share. */

import type { GraphNode } from './graph.ts';

/** What passes must know of a node, whether it is a draft or not. */
interface Wired {
  readonly inputs: readonly string[];
  readonly output: string;
}

/** How often each value is read; the graph's own output is read once more, by the caller. */
export function readCounts(nodes: readonly Wired[], output: string): Map<string, number> {
  const reads = new Map([[output, 1]]);
  for (const { inputs } of nodes) for (const name of inputs) reads.set(name, (reads.get(name) ?? 0) + 1);
  return reads;
}

export function dropUnread(nodes: readonly GraphNode[], output: string): readonly GraphNode[] {
  const needed = new Set([output]);
  const kept: GraphNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!needed.has(node.output)) continue;
    kept.push(node);
    for (const input of node.inputs) needed.add(input);
  }
  return kept.reverse();
}
