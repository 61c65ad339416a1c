/** What tests of quantization share: small graphs of plain layers, and how well integers keep what they give. */

import { Random } from '../data/random.ts';
import { checkGraph } from '../export/graph/check.ts';
import type {
  Activation,
  Constant,
  Conv2D,
  Dense,
  DepthwiseConv2D,
  GraphNode,
  InferenceGraph,
  Shape,
} from '../export/graph/graph.ts';

const SIZE = 6;
const KERNEL = 3;

function numbers(shape: Shape, seed: number, spread: number): Constant {
  const random = Random.at(seed);
  const length = shape.reduce((a, b) => a * b, 1);
  return { shape, values: Float32Array.from({ length }, () => random.uniform(-spread, spread)) };
}

/** A 3×3 convolution of pictures that keep their size. */
export function conv(name: string, input: string, channels: readonly [number, number], activation: Activation): Conv2D {
  const [from, to] = channels;
  return {
    ...{ op: 'conv2d', name, inputs: [input], output: name, shape: [SIZE, SIZE, to], activation },
    filter: numbers([KERNEL, KERNEL, from, to], name.length * 31 + to, Math.sqrt(3 / (9 * from))),
    bias: numbers([to], name.length * 17 + 5, 0.2),
    ...{ strides: [1, 1], dilation: [1, 1], padding: [1, 1, 1, 1] },
  };
}

export function depthwise(name: string, input: string, channels: number): DepthwiseConv2D {
  return {
    ...{
      op: 'depthwiseConv2d',
      name,
      inputs: [input],
      output: name,
      shape: [SIZE, SIZE, channels],
      activation: 'relu',
    },
    filter: numbers([KERNEL, KERNEL, channels, 1], name.length * 13 + 7, 0.6),
    bias: numbers([channels], name.length + 3, 0.2),
    ...{ strides: [1, 1], dilation: [1, 1], padding: [1, 1, 1, 1] },
  };
}

export function dense(name: string, input: string, channels: readonly [number, number]): Dense {
  const [from, to] = channels;
  return {
    ...{ op: 'dense', name, inputs: [input], output: name, shape: [to], activation: 'none' },
    weights: numbers([from, to], name.length * 7 + 1, Math.sqrt(3 / from)),
    bias: numbers([to], name.length + 9, 0.2),
  };
}

/** Nodes in a row behind pictures of 6 × 6 pixels in 3 channels; the last gives five classes. */
export function graphOf(nodes: readonly GraphNode[]): InferenceGraph {
  const last = nodes.at(-1);
  if (!last) throw new Error('internal: no nodes');
  const graph: InferenceGraph = {
    name: 'small',
    input: { name: 'input', shape: [SIZE, SIZE, 3], range: 'normalised' },
    nodes,
    output: last.output,
    gives: 'logits',
    classes: ['a', 'b', 'c', 'd', 'e'],
    preprocessing: { inputShape: [SIZE, SIZE, 3], resize: 'cover', mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  };
  checkGraph(graph);
  return graph;
}

export function imagesFor(count: number, seed = 4): Float32Array {
  const random = Random.at(seed);
  return Float32Array.from({ length: count * SIZE * SIZE * 3 }, () => random.uniform(-1, 2));
}

/** The same layer, whose output channel c is `factors[c]` times as large. */
export function louder<N extends Conv2D | DepthwiseConv2D>(node: N, factors: readonly number[]): N {
  const scaled = (constant: Constant): Constant => ({
    ...constant,
    values: constant.values.map((value, i) => value * factors[i % factors.length]),
  });
  return { ...node, filter: scaled(node.filter), bias: scaled(node.bias) };
}
