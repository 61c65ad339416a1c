/** All passes over the graph, by name, in order. Each is pure: a graph in, a graph out. */
import type { Graph } from '../graph/graph.ts';
import { foldPadding } from './fold-padding.ts';
import { maskFromResult } from './mask-from-result.ts';
import { transposes } from './transposes.ts';

export function runPasses(graph: Graph): Graph {
  return [foldPadding, maskFromResult, transposes].reduce((g, pass) => pass(g), graph);
}
