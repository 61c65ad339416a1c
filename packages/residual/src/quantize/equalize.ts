/** Cross-layer equalisation: channels between two layers are scaled so that none has weights much smaller than the others,
 *  which one scale for all would round away. The network computes what it computed before.
 *  (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", §4.1.) */

import type { Conv2D, Dense, DepthwiseConv2D, GraphNode, InferenceGraph } from '../export/graph/graph.ts';

type Linear = Conv2D | DepthwiseConv2D | Dense;

/** Two layers with nothing between them but what lets a positive factor pass. */
export interface EqualizedPair {
  readonly first: string;
  readonly second: string;
}

export interface Equalized {
  readonly graph: InferenceGraph;
  /** In the order of the graph; none where no two layers may be equalised. */
  readonly pairs: readonly EqualizedPair[];
}

export interface EqualizeOptions {
  /** Three layers in a row depend on each other, so all pairs are gone through until they rest. Default at most 20 times. */
  readonly rounds?: number;
}

/** Factors this near to 1 change nothing that 8 bits could see. */
const AT_REST = 1e-3;

/**
 * Equalises every pair of layers where it is legal: the first ends in a ReLU or in nothing, and its value is read by the
 * second alone, through pooling and padding at most. A residual connection reads it too, and ReLU6 has a corner that
 * would move: both forbid it.
 *
 * @returns a graph that gives the same outputs (up to rounding of its floats), whose inner values have other scales
 * @example const { graph: equal, pairs } = equalize(graph)
 */
export function equalize(graph: InferenceGraph, { rounds = 20 }: EqualizeOptions = {}): Equalized {
  const pairs = pairsOf(graph);
  const nodes = new Map(graph.nodes.map((node) => [node.name, node]));
  // Where batch normalisation left a channel almost no weights, a factor could blow its bias up beyond all others.
  const loudest = new Map(pairs.map(({ first }) => [first, largest((nodes.get(first) as Linear).bias.values)]));
  for (let round = 0; round < rounds; round++) {
    let moved = 0;
    for (const { first, second } of pairs) {
      const [a, b] = [nodes.get(first) as Linear, nodes.get(second) as Linear];
      const factors = factorsOf(a, b, loudest.get(first) ?? 0);
      moved = factors.reduce((most, factor) => Math.max(most, Math.abs(Math.log(factor))), moved);
      nodes.set(first, withOutputs(a, factors));
      nodes.set(second, withInputs(b, factors));
    }
    if (moved < AT_REST) break;
  }
  return { graph: { ...graph, nodes: graph.nodes.map(({ name }) => nodes.get(name) as GraphNode) }, pairs };
}

/** Every pair that may be equalised. */
export function pairsOf({ nodes, output }: InferenceGraph): EqualizedPair[] {
  const readers = new Map<string, GraphNode[]>();
  for (const node of nodes) {
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  const pairs: EqualizedPair[] = [];
  for (const first of nodes) {
    if (!isLinear(first) || first.activation === 'relu6') continue;
    let value = first.output;
    for (;;) {
      const [reader, ...others] = readers.get(value) ?? [];
      if (value === output || reader === undefined || others.length > 0) break;
      if (isLinear(reader) && inputsOf(reader) === first.bias.values.length) {
        pairs.push({ first: first.name, second: reader.name });
      }
      if (!letsPass(reader)) break;
      value = reader.output;
    }
  }
  return pairs;
}

function isLinear(node: GraphNode): node is Linear {
  return node.op === 'conv2d' || node.op === 'depthwiseConv2d' || node.op === 'dense';
}

/** f(s · x) = s · f(x) for a positive s for each channel. */
function letsPass({ op }: GraphNode): boolean {
  return op === 'relu' || op === 'maxPool' || op === 'averagePool' || op === 'globalAveragePool' || op === 'pad';
}

function weightsOf(node: Linear): Float32Array {
  return node.op === 'dense' ? node.weights.values : node.filter.values;
}

function inputsOf(node: Linear): number {
  return node.op === 'dense' ? node.weights.shape[0] : node.filter.shape[2];
}

/** Of each weight, the input channel that it is multiplied with: the last axis but one in every layout. */
function inputOf(node: Linear): (i: number) => number {
  const last = (node.op === 'dense' ? node.weights : node.filter).shape.at(-1) ?? 1;
  const inputs = inputsOf(node);
  return (i) => Math.floor(i / last) % inputs;
}

/** s = √(r₁ / r₂): the first layer's output channel divided by it and the second's input channel times it are equal. */
function factorsOf(first: Linear, second: Linear, loudest: number): Float64Array {
  const channels = first.bias.values.length;
  const ranges = [new Float64Array(channels), new Float64Array(channels)] as const;
  weightsOf(first).forEach((weight, i) => {
    const c = i % channels;
    ranges[0][c] = Math.max(ranges[0][c], Math.abs(weight));
  });
  const input = inputOf(second);
  weightsOf(second).forEach((weight, i) => {
    const c = input(i);
    ranges[1][c] = Math.max(ranges[1][c], Math.abs(weight));
  });
  return Float64Array.from({ length: channels }, (_, c) => {
    const factor = Math.sqrt(ranges[0][c] / ranges[1][c]);
    // A channel that one of the two does not use says nothing.
    if (!Number.isFinite(factor) || factor === 0) return 1;
    return Math.max(factor, Math.abs(first.bias.values[c]) / (loudest || 1));
  });
}

function withOutputs(node: Linear, factors: Float64Array): Linear {
  const divided = (values: Float32Array) => values.map((value, i) => value / factors[i % factors.length]);
  return withNumbers(node, divided(weightsOf(node)), divided(node.bias.values));
}

function withInputs(node: Linear, factors: Float64Array): Linear {
  const input = inputOf(node);
  return withNumbers(
    node,
    weightsOf(node).map((value, i) => value * factors[input(i)]),
    node.bias.values,
  );
}

function withNumbers(node: Linear, weights: Float32Array, bias: Float32Array): Linear {
  const offset = { ...node.bias, values: bias };
  return node.op === 'dense'
    ? { ...node, weights: { ...node.weights, values: weights }, bias: offset }
    : { ...node, filter: { ...node.filter, values: weights }, bias: offset };
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
