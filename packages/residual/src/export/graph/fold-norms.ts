/** A pass: batch normalisation and the normalisation of the input become part of a neighbouring convolution or dense
 *  layer. All products are made in double precision and rounded once. */

import { readCounts } from './drop.ts';
import type { Affine, Constant, Conv2D, Dense, DepthwiseConv2D, GraphNode } from './graph.ts';
import type { DraftNode, Norm } from './layers.ts';

type Linear = Conv2D | DepthwiseConv2D | Dense;

/** A linear node with its numbers in double precision, as long as something may still be folded into it. */
interface Wide {
  readonly op: 'wide';
  readonly node: Linear;
  readonly weights: Float64Array;
  readonly bias: Float64Array;
}

/** Norms that no neighbour can take become affine nodes. */
export function foldNorms(draft: readonly DraftNode[], output: string): readonly GraphNode[] {
  const reads = readCounts(draft, output);
  /** By the name of the value they make. */
  const made = new Map<string, Wide | Norm | GraphNode>();
  for (const node of draft) {
    const [from = ''] = node.inputs;
    const before = reads.get(from) === 1 ? made.get(from) : undefined;
    if (node.op === 'norm') {
      if (before?.op === 'wide') {
        made.delete(from);
        made.set(node.output, scaled(before, node));
      } else if (before?.op === 'norm') {
        made.delete(from);
        made.set(node.output, joined(before, node));
      } else {
        made.set(node.output, node);
      }
    } else if (!isLinear(node)) {
      made.set(node.output, node);
    } else if (before?.op === 'norm' && seesNoPadding(node)) {
      made.delete(from);
      made.set(node.output, afterNorm(wide(node), before));
    } else {
      made.set(node.output, wide(node));
    }
  }
  return [...made.values()].map((value) => {
    if (value.op === 'wide') return narrow(value);
    return value.op === 'norm' ? affine(value) : value;
  });
}

function isLinear(node: GraphNode): node is Linear {
  return node.op === 'conv2d' || node.op === 'depthwiseConv2d' || node.op === 'dense';
}

/** Where zeros are padded, a normalised zero would be another number than a padded one. */
function seesNoPadding(node: Linear): boolean {
  return node.op === 'dense' || node.padding.every((pixels) => pixels === 0);
}

function wide(node: Linear): Wide {
  return {
    op: 'wide',
    node,
    weights: Float64Array.from(weightsOf(node).values),
    bias: Float64Array.from(node.bias.values),
  };
}

function weightsOf(node: Linear): Constant {
  return node.op === 'dense' ? node.weights : node.filter;
}

/** (w·x + b) · scale + offset. In every layout the last axes of the weights, joined, are the outputs. */
function scaled({ node, weights, bias }: Wide, { scale, offset, output }: Norm): Wide {
  const outputs = bias.length;
  return {
    op: 'wide',
    node: { ...node, output },
    weights: weights.map((weight, i) => weight * scale[i % outputs]),
    bias: bias.map((value, o) => value * scale[o] + offset[o]),
  };
}

/** w·(x · scale + offset) + b. */
function afterNorm({ node, weights, bias }: Wide, { inputs, scale, offset }: Norm): Wide {
  const outputs = bias.length;
  const perInput = outputs / (node.op === 'depthwiseConv2d' ? scale.length : 1);
  const inputOf =
    node.op === 'depthwiseConv2d'
      ? (i: number) => Math.floor((i % outputs) / perInput)
      : (i: number) => Math.floor(i / outputs) % scale.length;
  const moved = Float64Array.from(bias);
  weights.forEach((weight, i) => {
    moved[i % outputs] += weight * offset[inputOf(i)];
  });
  return {
    op: 'wide',
    node: { ...node, inputs },
    weights: weights.map((weight, i) => weight * scale[inputOf(i)]),
    bias: moved,
  };
}

function joined(first: Norm, second: Norm): Norm {
  return {
    ...second,
    inputs: first.inputs,
    scale: first.scale.map((value, c) => value * second.scale[c]),
    offset: first.offset.map((value, c) => value * second.scale[c] + second.offset[c]),
  };
}

function narrow({ node, weights, bias }: Wide): Linear {
  // Plus 0: what was pruned stays 0, and not −0 where a scale is negative.
  const rounded = { shape: weightsOf(node).shape, values: Float32Array.from(weights, (weight) => weight + 0) };
  const offsets = { shape: node.bias.shape, values: Float32Array.from(bias) };
  return node.op === 'dense'
    ? { ...node, weights: rounded, bias: offsets }
    : { ...node, filter: rounded, bias: offsets };
}

function affine({ name, inputs, output, shape, scale, offset }: Norm): Affine {
  const constant = (values: Float64Array) => ({ shape: [values.length], values: Float32Array.from(values) });
  const constants = { scale: constant(scale), offset: constant(offset) };
  return { op: 'affine', name, inputs, output, shape, ...constants, activation: 'none' };
}
