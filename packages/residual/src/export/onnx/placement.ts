/** Which values of a network become 8-bit integers in an ONNX file: where QuantizeLinear and DequantizeLinear stand.
 *  Runtimes fuse the pairs with the operators around them, each by rules of its own, so there is a placement for each. */

import type { Quantization } from '../../quantize/parameters.ts';
import type { GraphNode, InferenceGraph } from '../graph/graph.ts';

/**
 * For whom a file of integers is made.
 *
 * `cpu`: ONNX Runtime, which makes an integer kernel of an operator whose inputs and output all have a pair.
 * `tensorrt`: TensorRT (Jetson), which has zero points of 0 only, wants floats as biases, and joins convolution, sum and
 * ReLU into one kernel where only the sum's other input has a pair ("Q/DQ layer-placement recommendations" of its guide).
 * `tensorrt8`: the same for TensorRT 8 (JetPack 5), whose parser takes no int8 constants: weights are floats behind a
 * pair, so the file is as large as one of floats.
 */
export type QuantizationProfile = (typeof quantizationProfiles)[number];

export const quantizationProfiles = ['cpu', 'tensorrt', 'tensorrt8'] as const;

/** Which `scheme` of `assignQuantization` a profile needs. */
export function schemeOf(profile: QuantizationProfile): 'asymmetric' | 'symmetric' {
  return profile === 'cpu' ? 'asymmetric' : 'symmetric';
}

/** Names of the values that are rounded to integers, for all who read them. What the network gives is never one. */
export function roundedValues(
  graph: InferenceGraph,
  quantization: Pick<Quantization, 'float'>,
  profile: QuantizationProfile,
): ReadonlySet<string> {
  const integer = graph.nodes.filter(({ name }) => !quantization.float.has(name));
  const rounded = new Set<string>();
  for (const node of integer) {
    const { inputs, output } = node;
    if (profile === 'cpu') {
      for (const value of inIntegers(node) ? [...inputs, output] : []) rounded.add(value);
    } else if (isQuantizedByTensorRt(node)) {
      const free = node.op === 'add' ? fusedAddend(graph, node, quantization) : undefined;
      for (const value of inputs) if (value !== free) rounded.add(value);
    }
  }
  rounded.delete(graph.output);
  // Logits keep their floats on the way to the last softmax: no operator follows that integers would make faster.
  const last = graph.nodes.find(({ output }) => output === graph.output);
  const ends = last?.op === 'softmax' || last?.op === 'sigmoid';
  if (ends && readersOf(graph, last.inputs[0]).length === 1) rounded.delete(last.inputs[0] ?? '');
  return rounded;
}

/** Softmax and affine maps are computed in floats; what stands around them decides what is rounded. */
function inIntegers({ op }: GraphNode): boolean {
  return op !== 'softmax' && op !== 'affine';
}

/** Activations and products are fused as they are. */
function isQuantizedByTensorRt({ op }: GraphNode): boolean {
  switch (op) {
    case 'conv2d':
    case 'depthwiseConv2d':
    case 'dense':
    case 'add':
    case 'maxPool':
    case 'averagePool':
    case 'globalAveragePool':
    case 'concat':
      return true;
    default:
      return false;
  }
}

/** The input of a sum that comes straight from a convolution: of two, the one that is made last, which waits for nothing. */
function fusedAddend(
  graph: InferenceGraph,
  { inputs }: GraphNode,
  { float }: Pick<Quantization, 'float'>,
): string | undefined {
  const made = graph.nodes.filter(
    (node) =>
      (node.op === 'conv2d' || node.op === 'depthwiseConv2d') &&
      node.activation === 'none' &&
      !float.has(node.name) &&
      inputs.includes(node.output) &&
      readersOf(graph, node.output).length === 1,
  );
  return made.at(-1)?.output;
}

function readersOf(graph: InferenceGraph, value: string | undefined): GraphNode[] {
  return graph.nodes.filter(({ inputs }) => value !== undefined && inputs.includes(value));
}
