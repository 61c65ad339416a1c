/** The inference graph: a trained classifier as a short list of plain operations, with nothing of training left in it.
 *  Every exporter and the quantizer start from it, so that what they must agree on is decided once. */

import type { Preprocessing } from '../../models/info.ts';

/** Sizes of one sample, row-major, channels last: the batch dimension comes before them and is open. */
export type Shape = readonly number[];

/** Zeros (or, for a max-pool, nothing) around the pixels. */
export type Padding = readonly [top: number, bottom: number, left: number, right: number];

/** Rows, columns. */
export type Pair = readonly [rows: number, columns: number];

/** What is applied to a result before it is stored: max(x, 0), or min(max(x, 0), 6). */
export type Activation = 'none' | 'relu' | 'relu6';

/** Trained numbers, row-major. */
export interface Constant {
  readonly shape: Shape;
  readonly values: Float32Array;
}

interface Base {
  /** The name of the layer that it comes from; unique in its graph. */
  readonly name: string;
  /** Names of values: the graph's input or other nodes' outputs. */
  readonly inputs: readonly string[];
  /** The name of the value that it makes; unique in its graph. */
  readonly output: string;
  /** Of the value that it makes. */
  readonly shape: Shape;
}

/** What both kinds of convolution have. */
interface Convolution extends Base {
  readonly filter: Constant;
  readonly bias: Constant;
  readonly strides: Pair;
  readonly dilation: Pair;
  readonly padding: Padding;
  readonly activation: Activation;
}

/** y[o] = bias[o] + Σ x[i] · filter[row, column, i, o] over a window: a cross-correlation, as in every framework. */
export interface Conv2D extends Convolution {
  readonly op: 'conv2d';
  /** [rows, columns, inputs, outputs] */
  readonly filter: Constant;
  /** [outputs] */
  readonly bias: Constant;
}

/** Each channel c with filters of its own: output channel c · multiplier + m. */
export interface DepthwiseConv2D extends Convolution {
  readonly op: 'depthwiseConv2d';
  /** [rows, columns, channels, multiplier] */
  readonly filter: Constant;
  /** [channels · multiplier] */
  readonly bias: Constant;
}

/** [inputs] → [outputs] */
export interface Dense extends Base {
  readonly op: 'dense';
  /** [inputs, outputs] */
  readonly weights: Constant;
  /** [outputs] */
  readonly bias: Constant;
  readonly activation: Activation;
}

/** y = x · scale + offset, channel by channel: a normalisation that no convolution could take in. */
export interface Affine extends Base {
  readonly op: 'affine';
  /** [channels] */
  readonly scale: Constant;
  /** [channels] */
  readonly offset: Constant;
  readonly activation: Activation;
}

/** The sum of two values of one shape. */
export interface Add extends Base {
  readonly op: 'add';
  readonly activation: Activation;
}

/** The product of two values; the second may be [1, 1, channels] beside a first of [rows, columns, channels]. */
export interface Mul extends Base {
  readonly op: 'mul';
}

/** Padding never wins: it counts as −∞. Every window holds at least one pixel. */
export interface MaxPool extends Base {
  readonly op: 'maxPool';
  readonly size: Pair;
  readonly strides: Pair;
  readonly padding: Padding;
}

export interface AveragePool extends Base {
  readonly op: 'averagePool';
  readonly size: Pair;
  readonly strides: Pair;
  readonly padding: Padding;
  /** Whether padding counts as zeros in the mean (true), or the mean is that of the pixels in the window alone. */
  readonly countPadding: boolean;
}

/** The mean over all pixels: [rows, columns, channels] → [channels]. */
export interface GlobalAveragePool extends Base {
  readonly op: 'globalAveragePool';
}

/** Zeros around the pixels, where they cannot be part of what follows. */
export interface Pad extends Base {
  readonly op: 'pad';
  readonly padding: Padding;
}

/** One function for every number of a value: what could not be fused into what makes the value. */
export interface Elementwise extends Base {
  readonly op: 'relu' | 'relu6' | 'sigmoid';
}

/** eˣ / Σ eˣ over the last axis. */
export interface Softmax extends Base {
  readonly op: 'softmax';
}

/** The same numbers in the same order in another shape; a flattening is one. */
export interface Reshape extends Base {
  readonly op: 'reshape';
}

/** Values one after the other along the last axis. */
export interface Concat extends Base {
  readonly op: 'concat';
}

export type GraphNode =
  | Conv2D
  | DepthwiseConv2D
  | Dense
  | Affine
  | Add
  | Mul
  | MaxPool
  | AveragePool
  | GlobalAveragePool
  | Pad
  | Elementwise
  | Softmax
  | Reshape
  | Concat;

export type Op = GraphNode['op'];

export interface GraphInput {
  readonly name: string;
  /** [height, width, channels] */
  readonly shape: Shape;
  /** `normalised`: the caller applies mean and std. `bytes`: numbers 0–255 as a picture has them. */
  readonly range: 'normalised' | 'bytes';
}

/** A classifier, ready to be run or written. Plain data: it may be printed, compared and rewritten freely. */
export interface InferenceGraph {
  /** The architecture, e.g. `resnet18`. */
  readonly name: string;
  readonly input: GraphInput;
  /** In an order in which they can be computed. */
  readonly nodes: readonly GraphNode[];
  /** The name of the value that the graph gives: [classes]. */
  readonly output: string;
  /** What that value is: before the last function, or after it. */
  readonly gives: 'logits' | 'probabilities';
  /** The name of each output. */
  readonly classes: readonly string[];
  /** How a picture becomes the input. Its mean and std are part of the nodes where the input's range is `bytes`. */
  readonly preprocessing: Preprocessing;
}

/** How many numbers a value of this shape has. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** True where a node's last step leaves nothing below zero. */
export function isClamped(node: GraphNode): boolean {
  switch (node.op) {
    case 'relu':
    case 'relu6':
    case 'sigmoid':
    case 'softmax':
      return true;
    default:
      return 'activation' in node && node.activation !== 'none';
  }
}

/** The shape of every value by its name. */
export function shapesOf(graph: Pick<InferenceGraph, 'input' | 'nodes'>): Map<string, Shape> {
  return new Map([
    [graph.input.name, graph.input.shape],
    ...graph.nodes.map(({ output, shape }) => [output, shape] as const),
  ]);
}

/** The trained numbers of a node, under the names that exporters give them after the node's own. */
export function constantsOf(node: GraphNode): Readonly<Record<string, Constant>> {
  switch (node.op) {
    case 'conv2d':
    case 'depthwiseConv2d':
      return { weight: node.filter, bias: node.bias };
    case 'dense':
      return { weight: node.weights, bias: node.bias };
    case 'affine':
      return { scale: node.scale, offset: node.offset };
    default:
      return {};
  }
}
