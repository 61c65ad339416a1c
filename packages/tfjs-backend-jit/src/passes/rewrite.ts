/** Rebuilds a graph value by value, letting a rule put something else in a value's place. */
import { Graph, type Value } from '../graph/graph.ts';

/** Given the new graph and a value whose operands are already rebuilt, returns its replacement, or null to keep it. */
export type RewriteRule = (g: Graph, value: Value, old: Value) => Value | null;

export function rewrite(graph: Graph, rule: RewriteRule): Graph {
  const out = new Graph();
  const map = new Map<Value, Value>();
  const get = (value: Value): Value => {
    const found = map.get(value);
    if (found === undefined) throw new Error('internal: a value is read before it is made');
    return found;
  };
  for (const value of graph.values) {
    const rebuilt = rebuild(out, value, get);
    map.set(value, rule(out, rebuilt, value) ?? rebuilt);
  }
  out.outputs = graph.outputs.map((value) => out.dense(get(value)));
  return out;
}

function rebuild(g: Graph, value: Value, get: (value: Value) => Value): Value {
  const { op, shape, lane } = value;
  switch (op.kind) {
    case 'input':
      return g.input(shape, lane);
    case 'const':
      return g.constant(op.value, shape, lane);
    case 'index':
      return g.index(shape, op.axis);
    case 'apply':
      return g.apply(op.fn, ...op.args.map(get));
    case 'reshape':
      return g.reshape(get(op.of), shape);
    case 'view':
      return g.viewOf(get(op.of), op.offset, op.strides, shape);
    case 'copy':
      return g.copy(get(op.of));
    case 'reduce':
      return g.reduce(op.fn, get(op.of), op.reduced);
    case 'recipe':
      return g.recipeValue({ ...op, inputs: op.inputs.map(get) });
    case 'result':
      return g.result(get(op.of), op.index, shape, lane);
    default:
      return op satisfies never;
  }
}
