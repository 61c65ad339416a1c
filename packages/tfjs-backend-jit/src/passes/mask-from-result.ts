/**
 * ReLU's gradient is dy · step(x), which keeps x, the input of the ReLU, alive until the backward pass.
 * Where y = relu(x) exists, step(y) is the same mask (x > 0 ⟺ y > 0, and NaN stays NaN), and x can go.
 */
import type { Graph, Value } from '../graph/graph.ts';
import { rewrite } from './rewrite.ts';

export function maskFromResult(graph: Graph): Graph {
  const results = new Map<Value, Value>();
  for (const value of graph.values) {
    if (value.op.kind === 'apply' && value.op.fn === 'relu') results.set(value.op.args[0], value);
  }
  if (results.size === 0) return graph;
  return rewrite(graph, (g, value, old) => {
    if (value.op.kind !== 'apply' || value.op.fn !== 'step' || old.op.kind !== 'apply') return null;
    const [, alpha] = value.op.args;
    if (!results.has(old.op.args[0]) || alpha.op.kind !== 'const' || alpha.op.value !== 0) return null;
    // The ReLU may come later in the old order; it costs nothing to make it here, equal values are shared.
    return g.apply('step', g.apply('relu', value.op.args[0]), alpha);
  });
}
