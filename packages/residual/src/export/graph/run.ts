/** Runs a graph on the TF.js backend that is set: the reference that exported files are held against, and the way to
 *  see every value on its way through, as calibration must. */

import * as tf from '@tensorflow/tfjs-core';
import { ModelError } from '../../models/errors.ts';
import { traced } from '../../models/traced.ts';
import {
  type Activation,
  type Constant,
  constantsOf,
  type GraphNode,
  type InferenceGraph,
  type Padding,
  sizeOf,
} from './graph.ts';

/** A graph whose constants are on the backend. */
export interface RunningGraph {
  readonly graph: InferenceGraph;
  /**
   * Runs a batch.
   *
   * @param images batch × height × width × channels, in the range that the graph's input says
   * @param wanted names of values: the input's, or any node's output. Default the graph's own output.
   * @returns each wanted value, the batch first, row-major
   * @throws ModelError where the length is no whole number of images, or the graph has no value of a wanted name
   */
  run(images: Float32Array | Uint8Array, wanted?: readonly string[]): Promise<Map<string, Float32Array>>;
  /** Frees the constants. */
  dispose(): void;
}

export interface RunOptions {
  /** Changes each value before it is read, the input included: to see what rounding it does, say. */
  readonly each?: (name: string, value: tf.Tensor) => tf.Tensor;
}

/** @example const running = openGraph(graph); const logits = (await running.run(images)).get(graph.output) */
export function openGraph(graph: InferenceGraph, { each = (_, value) => value }: RunOptions = {}): RunningGraph {
  const constants = new Map<Constant, tf.Tensor>();
  for (const node of graph.nodes) {
    for (const constant of Object.values(constantsOf(node))) {
      constants.set(constant, tf.keep(tf.tensor(constant.values, [...constant.shape], 'float32')));
    }
  }
  const length = sizeOf(graph.input.shape);
  const outputOf = traced(
    (given: tf.Tensor) => compute(graph, given, [graph.output], constants, each)[0] as tf.Tensor,
    () => [...constants.values()],
  );
  return {
    graph,
    async run(images, wanted = [graph.output]) {
      checkRun(graph, images, wanted);
      const outputs = tf.tidy(() => {
        const given = tf.tensor(Float32Array.from(images), [images.length / length, ...graph.input.shape], 'float32');
        const isAnswer = wanted.length === 1 && wanted[0] === graph.output;
        return isAnswer ? [outputOf(given)] : compute(graph, given, wanted, constants, each);
      });
      const result = new Map<string, Float32Array>();
      try {
        for (const [i, tensor] of outputs.entries()) {
          result.set(wanted[i] as string, (await tensor.data()) as Float32Array);
        }
      } finally {
        tf.dispose(outputs);
      }
      return result;
    },
    dispose() {
      tf.dispose([...constants.values()]);
      constants.clear();
    },
  };
}

/** @throws ModelError where the length is no whole number of images, or the graph has no value of a wanted name */
export function checkRun(graph: InferenceGraph, images: ArrayLike<number>, wanted: readonly string[]): void {
  const length = sizeOf(graph.input.shape);
  if (images.length === 0 || images.length % length !== 0) {
    const shape = graph.input.shape.join(' x ');
    throw new ModelError(`graph ${graph.name}: images of ${shape} have ${length} values, received ${images.length}`);
  }
  const known = new Set([graph.input.name, ...graph.nodes.map(({ output }) => output)]);
  for (const name of wanted) {
    if (!known.has(name)) throw new ModelError(`graph ${graph.name}: has no value ${name}`);
  }
}

/** Runs a graph once: its output, [batch, classes] row-major. */
export async function runGraph(graph: InferenceGraph, images: Float32Array | Uint8Array): Promise<Float32Array> {
  const running = openGraph(graph);
  try {
    const output = (await running.run(images)).get(graph.output);
    if (!output) throw new Error('internal: the graph gave nothing');
    return output;
  } finally {
    running.dispose();
  }
}

function compute(
  { input, nodes }: InferenceGraph,
  given: tf.Tensor,
  wanted: readonly string[],
  constants: ReadonlyMap<Constant, tf.Tensor>,
  each: NonNullable<RunOptions['each']>,
): tf.Tensor[] {
  const values = new Map<string, tf.Tensor>();
  values.set(input.name, each(input.name, given));
  for (const node of nodes) {
    const inputs = node.inputs.map((name) => {
      const value = values.get(name);
      if (!value) throw new Error(`internal: ${name} is not made yet`);
      return value;
    });
    const made = applyNode(node, inputs, (constant) => {
      const tensor = constants.get(constant);
      if (!tensor) throw new Error(`internal: a constant of ${node.name} is not there`);
      return tensor;
    });
    values.set(node.output, each(node.output, made));
  }
  return wanted.map((name) => values.get(name) as tf.Tensor);
}

/** One node's value, with its constants as `constant` gives them. */
export function applyNode(
  node: GraphNode,
  inputs: readonly tf.Tensor[],
  constant: (of: Constant) => tf.Tensor,
): tf.Tensor {
  const [x, y = x] = inputs as readonly [tf.Tensor, tf.Tensor?];
  const batch = x.shape[0] ?? 0;
  switch (node.op) {
    case 'conv2d': {
      const filter = constant(node.filter) as tf.Tensor4D;
      const [strides, dilation] = [[...node.strides], [...node.dilation]] as [number, number][];
      const sums = tf.conv2d(x as tf.Tensor4D, filter, strides, explicit(node.padding), 'NHWC', dilation);
      return activated(tf.add(sums, constant(node.bias)), node.activation);
    }
    case 'depthwiseConv2d': {
      const filter = constant(node.filter) as tf.Tensor4D;
      const [strides, dilation] = [[...node.strides], [...node.dilation]] as [number, number][];
      // Padded before: not every backend takes explicit padding here.
      const sums = tf.depthwiseConv2d(padded(x, node.padding), filter, strides, 'valid', 'NHWC', dilation);
      return activated(tf.add(sums, constant(node.bias)), node.activation);
    }
    case 'dense': {
      const sums = tf.matMul(x as tf.Tensor2D, constant(node.weights) as tf.Tensor2D);
      return activated(tf.add(sums, constant(node.bias)), node.activation);
    }
    case 'affine':
      return activated(tf.add(tf.mul(x, constant(node.scale)), constant(node.offset)), node.activation);
    case 'add':
      return activated(tf.add(x, y), node.activation);
    case 'mul':
      return tf.mul(x, y);
    case 'maxPool':
      return tf.maxPool(x as tf.Tensor4D, [...node.size], [...node.strides], explicit(node.padding));
    case 'averagePool': {
      const [size, strides] = [[...node.size], [...node.strides]] as [number, number][];
      if (node.countPadding) return tf.avgPool(padded(x, node.padding), size, strides, 'valid');
      return tf.avgPool(x as tf.Tensor4D, size, strides, explicit(node.padding));
    }
    case 'globalAveragePool':
      return tf.mean(x, [1, 2]);
    case 'pad':
      return padded(x, node.padding);
    case 'relu':
      return tf.relu(x);
    case 'relu6':
      return tf.relu6(x);
    case 'sigmoid':
      return tf.sigmoid(x);
    case 'softmax':
      return tf.softmax(x);
    case 'reshape':
      return tf.reshape(x, [batch, ...node.shape]);
    case 'concat':
      return tf.concat([...inputs], -1);
    default:
      return node satisfies never;
  }
}

/** A result as it is stored. */
export function activated(x: tf.Tensor, activation: Activation): tf.Tensor {
  if (activation === 'none') return x;
  return activation === 'relu' ? tf.relu(x) : tf.relu6(x);
}

function padded(x: tf.Tensor, [top, bottom, left, right]: Padding): tf.Tensor4D {
  if (top + bottom + left + right === 0) return x as tf.Tensor4D;
  return tf.pad(x as tf.Tensor4D, [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]);
}

/** TF.js's explicit padding; 'valid' where there is none, which every kernel knows. */
function explicit([top, bottom, left, right]: Padding): tf.backend_util.ExplicitPadding | 'valid' {
  if (top + bottom + left + right === 0) return 'valid';
  return [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
}
