/** Bias correction: rounded weights move the mean of what a layer gives, and the bias can take that back.
 *  (Nagel et al. 2019, §4.2, with means from calibration images in place of those of batch normalisation.) */

import type { Conv2D, Dense, DepthwiseConv2D, GraphNode, InferenceGraph } from '../export/graph/graph.ts';
import { openGraph, shapesOf, sizeOf } from '../export/graph/index.ts';
import { trainedOf } from './assign.ts';
import type { Quantization } from './parameters.ts';
import { dequantizeWeights, quantizeBias } from './weights.ts';

/** The mean of every value over the images, number by number. */
export class Means {
  private readonly sums = new Map<string, Float64Array>();
  private readonly counts = new Map<string, number>();
  private readonly sizes: ReadonlyMap<string, number>;

  constructor(graph: InferenceGraph) {
    this.sizes = new Map([...shapesOf(graph)].map(([name, shape]) => [name, sizeOf(shape)]));
  }

  /** @param numbers of a value, for some images: as `calibrate` gives them to `onValue` */
  add(value: string, numbers: Float32Array): void {
    const size = this.sizes.get(value);
    if (size === undefined) throw new Error(`internal: no value ${value}`);
    const sums = this.sums.get(value) ?? new Float64Array(size);
    this.sums.set(value, sums);
    for (let start = 0; start < numbers.length; start += size) {
      for (let i = 0; i < size; i++) sums[i] += numbers[start + i];
    }
    this.counts.set(value, (this.counts.get(value) ?? 0) + numbers.length / size);
  }

  /** @throws Error, internal, where the value was never seen */
  of(value: string): Float32Array {
    const [sums, count] = [this.sums.get(value), this.counts.get(value)];
    if (!sums || !count) throw new Error(`internal: no mean of ${value}`);
    return Float32Array.from(sums, (sum) => sum / count);
  }
}

/**
 * The same scales and weights, with biases that take back what rounding the weights adds on average.
 *
 * A layer is linear before its activation, so the mean of its error is the error of the mean input: one run of each layer
 * with (rounded − original) weights on one mean image, padding and strides included.
 *
 * @example const means = new Means(graph); await calibrate(graph, images, { onValue: (name, n) => means.add(name, n) })
 */
export async function correctBiases(
  graph: InferenceGraph,
  quantization: Quantization,
  means: Pick<Means, 'of'>,
): Promise<Quantization> {
  const biases = { ...quantization.biases };
  for (const node of graph.nodes) {
    const weights = quantization.weights[node.name];
    const trained = weights && trainedOf(node);
    if (!trained) continue;
    const rounded = dequantizeWeights(weights);
    const shifts = await meanOutput(
      graph,
      node,
      rounded.map((value, i) => value - trained.weights[i]),
      means,
    );
    const bias = trained.bias.map((value, c) => value - shifts[c]);
    biases[node.name] = quantizeBias(bias, quantization.values[node.inputs[0]].scale, weights.scales);
  }
  return { ...quantization, biases };
}

/** What a layer with other weights and no bias gives on average, for each output channel. */
async function meanOutput(
  graph: InferenceGraph,
  node: GraphNode,
  weights: Float32Array,
  means: Pick<Means, 'of'>,
): Promise<Float64Array> {
  const [input] = node.inputs;
  const shape = shapesOf(graph).get(input);
  if (!shape) throw new Error(`internal: no value ${input}`);
  const alone: InferenceGraph = {
    ...graph,
    input: { name: input, shape, range: 'normalised' },
    nodes: [withoutBias(node, weights)],
    output: node.output,
  };
  const running = openGraph(alone);
  try {
    const outputs = (await running.run(means.of(input))).get(node.output) ?? new Float32Array();
    const channels = node.shape.at(-1) ?? 1;
    const sums = new Float64Array(channels);
    outputs.forEach((output, i) => {
      sums[i % channels] += output;
    });
    return sums.map((sum) => sum / (outputs.length / channels));
  } finally {
    running.dispose();
  }
}

function withoutBias(node: GraphNode, values: Float32Array): GraphNode {
  const none = <N extends Conv2D | DepthwiseConv2D | Dense>({ bias }: N) => ({
    bias: { ...bias, values: new Float32Array(bias.values.length) },
    activation: 'none' as const,
  });
  switch (node.op) {
    case 'conv2d':
    case 'depthwiseConv2d':
      return { ...node, ...none(node), filter: { ...node.filter, values } };
    case 'dense':
      return { ...node, ...none(node), weights: { ...node.weights, values } };
    case 'affine': {
      const offset = { ...node.offset, values: new Float32Array(node.offset.values.length) };
      return { ...node, scale: { ...node.scale, values }, offset, activation: 'none' };
    }
    default:
      throw new Error(`internal: ${node.name} (${node.op}) has no weights`);
  }
}
