/** The graph as text, a line for each live value: `%12 f32[128,32,32,64] = mul %10 %11`. */
import { type Graph, liveValues, type Op, operands } from './graph.ts';

export function printGraph(graph: Graph): string {
  const lines = liveValues(graph).map((v) => `%${v.id} ${v.lane}[${v.shape}] = ${describe(v.op)}`);
  return `${lines.join('\n')}\nreturn ${graph.outputs.map((v) => `%${v.id}`).join(' ')}`;
}

function describe(op: Op): string {
  const args = operands(op)
    .map((v) => `%${v.id}`)
    .join(' ');
  switch (op.kind) {
    case 'input':
      return `input ${op.index}`;
    case 'const':
      return `const ${op.value}`;
    case 'index':
      return `index ${op.axis}`;
    case 'apply':
      return `${op.fn} ${args}`;
    case 'view':
      return `view ${args} +${op.offset} [${op.strides}]`;
    case 'reduce':
      return `reduce.${op.fn} ${args} over [${op.reduced.flatMap((r, axis) => (r ? [axis] : []))}]`;
    case 'recipe':
      return `${op.name} ${args} {${op.key}}`;
    case 'result':
      return `result ${op.index} of ${args}`;
    case 'reshape':
    case 'copy':
      return `${op.kind} ${args}`;
    default:
      return op satisfies never;
  }
}
