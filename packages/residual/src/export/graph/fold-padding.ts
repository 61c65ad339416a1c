/** A pass: a layer that pads with zeros becomes the padding of the convolution or pool that reads it. */

import { type GraphNode, isClamped, type MaxPool, type Pad, type Padding } from './graph.ts';

export function foldPadding(nodes: readonly GraphNode[]): readonly GraphNode[] {
  const made = new Map<string, GraphNode>();
  for (const node of nodes) {
    const before = made.get(node.inputs[0] ?? '');
    made.set(node.output, before?.op === 'pad' ? padded(node, before, made) : node);
  }
  return [...made.values()];
}

/** The node with the padding before it taken in, or the node itself where that would change its values. */
function padded(node: GraphNode, pad: Pad, made: ReadonlyMap<string, GraphNode>): GraphNode {
  switch (node.op) {
    case 'conv2d':
    case 'depthwiseConv2d':
    case 'pad':
      return { ...node, inputs: pad.inputs, padding: sum(pad.padding, node.padding) };
    case 'averagePool': {
      const counted = node.countPadding || node.padding.every((pixels) => pixels === 0);
      return counted
        ? { ...node, inputs: pad.inputs, padding: sum(pad.padding, node.padding), countPadding: true }
        : node;
    }
    case 'maxPool': {
      // No number is below zero, so that a padded zero only wins where a real one would have done as well.
      const merged = { ...node, inputs: pad.inputs, padding: sum(pad.padding, node.padding) };
      return notNegative(pad.inputs[0] ?? '', made) && seesPixels(merged, pad) ? merged : node;
    }
    default:
      return node;
  }
}

function sum(a: Padding, b: Padding): Padding {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]];
}

/** Whether a value holds nothing below zero, whatever the weights are. */
function notNegative(value: string, made: ReadonlyMap<string, GraphNode>): boolean {
  const node = made.get(value);
  if (!node) return false;
  switch (node.op) {
    case 'maxPool':
    case 'averagePool':
    case 'reshape':
    case 'concat':
      return node.inputs.every((input) => notNegative(input, made));
    default:
      return isClamped(node);
  }
}

/** Every window holds a pixel: a window of padding alone would be −∞ instead of 0. */
function seesPixels({ size, strides, padding, shape }: MaxPool, pad: Pad): boolean {
  const axes = [0, 1] as const;
  return axes.every((axis) => {
    const before = padding[2 * axis];
    const pixels = pad.shape[axis] - pad.padding[2 * axis] - pad.padding[2 * axis + 1];
    const lastStart = (shape[axis] - 1) * strides[axis] - before;
    return before < size[axis] && lastStart < pixels;
  });
}
