/**
 * A copy of permuted axes goes to the transposition's own kernel: it moves square blocks through registers,
 * where a loop would gather element by element (5 GB/s at strides of a power of two, against 10 to 60).
 */
import type { Graph, Value } from '../graph/graph.ts';
import { isDense, sizeOf } from '../graph/shape.ts';
import { transposeCopy } from '../kernels/move.ts';
import { rewrite } from './rewrite.ts';

export function transposes(graph: Graph): Graph {
  return rewrite(graph, (g, value) => {
    const { op, shape, lane } = value;
    if (op.kind !== 'copy' || op.of.op.kind !== 'view') return null;
    const order = permutation(op.of);
    if (order === null) return null;
    const { of } = op.of.op;
    const source = order.map((axis) => shape[axis]);
    const perm = shape.map((_, axis) => order.indexOf(axis));
    return g.recipe({
      name: 'transpose',
      key: `${source} ${perm}`,
      inputs: [g.reshape(of, source)],
      outputs: [{ shape, lane }],
      build: (features) => transposeCopy(source, perm, features),
    })[0];
  });
}

/** The view's axes in the order in which the memory below has them, if the view is that memory with its axes permuted. */
function permutation({ op, shape }: Value): number[] | null {
  if (op.kind !== 'view' || op.offset !== 0 || sizeOf(shape) !== sizeOf(op.of.shape)) return null;
  const order = [...shape.keys()].sort((a, b) => op.strides[b] - op.strides[a] || a - b);
  const ordered = order.map((axis) => shape[axis]);
  return isDense(
    ordered,
    order.map((axis) => op.strides[axis]),
  )
    ? order
    : null;
}
