/** Each node of a quantized graph as one call of a kernel for integers: its constants, made once, and the call itself.
 *  How sums are rounded is left to the rules of the file that the graph comes from. */

import * as tf from '@tensorflow/tfjs-core';
import {
  type Add,
  type Affine,
  type AveragePool,
  type Conv2D,
  type Dense,
  type DepthwiseConv2D,
  type GraphNode,
  type MaxPool,
  type Mul,
  type Padding,
  type Shape,
  sizeOf,
} from '../../export/graph/graph.ts';
import type { AffineParameters, Quantization } from '../parameters.ts';
import { onnxRules } from './onnx-rules.ts';
import { packDepthwise, packFilter, packParameters, wordsOf } from './packing.ts';
import { type Rescaling, type Rules, reach } from './rules.ts';
import { tfliteRules } from './tflite-rules.ts';

/** What a node's call reads beside its inputs. */
export type Constants = Readonly<Record<string, Int32Array>>;

export interface Step {
  readonly constants: Constants;
  /** Inputs and result are int32 tensors as the kernels have them, for `batch` images. */
  call(inputs: readonly tf.Tensor[], constants: Readonly<Record<string, tf.Tensor>>, batch: number): tf.Tensor;
}

/** A shape of every value without the batch, and its parameters. */
export interface Surroundings {
  readonly quantization: Quantization;
  readonly shapes: ReadonlyMap<string, Shape>;
}

export function rulesOf({ rules }: Quantization): Rules {
  return rules === 'onnx' ? onnxRules : tfliteRules;
}

export function runKernel(name: string, inputs: Readonly<Record<string, tf.Tensor>>, attrs: object): tf.Tensor {
  return tf.engine().runKernel<tf.Tensor>(name, inputs as never, attrs as never);
}

/** @returns undefined where the kernels cannot compute the node exactly */
export function stepOf(node: GraphNode, around: Surroundings): Step | undefined {
  const shape = around.shapes.get(node.inputs[0]) ?? [];
  const [input, output] = [node.inputs[0], node.output].map((name) => around.quantization.values[name]);
  const same = node.inputs.every((name) => equal(around.quantization.values[name], output));
  const rules = rulesOf(around.quantization);
  switch (node.op) {
    case 'conv2d':
    case 'depthwiseConv2d':
    case 'dense':
    case 'affine':
      return convolution(node, shape, around);
    case 'add':
      return sum(node, around);
    case 'mul':
      return product(node, around);
    case 'maxPool':
    case 'averagePool':
      return same ? pool(node, shape, output, rules) : undefined;
    case 'globalAveragePool':
      return mean(shape, rules.mean({ pixels: pixelsOf(shape), channels: shape.at(-1) ?? 1 }, input, output));
    case 'pad':
      return same ? { constants: {}, call: ([x]) => padded(x, node.padding, output) } : undefined;
    case 'relu':
    case 'relu6':
    case 'sigmoid':
      return lookup(shape, rules.table(node.op, input, output));
    case 'softmax':
      return softmax(shape, rules.softmax(input, output, shape.at(-1) ?? 0));
    case 'reshape':
      return same ? { constants: {}, call: ([x], _, batch) => reshaped(x, shape, node.shape, batch) } : undefined;
    case 'concat':
      return same
        ? { constants: {}, call: (inputs, _, batch) => joined(inputs, node.inputs, around, batch) }
        : undefined;
    default:
      return node satisfies never;
  }
}

const equal = (a: AffineParameters, b: AffineParameters) => a.scale === b.scale && a.zeroPoint === b.zeroPoint;
const pixelsOf = (shape: Shape): number => sizeOf(shape) / (shape.at(-1) ?? 1);

/** Convolutions and dense layers: a dense layer is a convolution of images with one pixel. */
function convolution(
  node: Conv2D | DepthwiseConv2D | Dense | Affine,
  shape: Shape,
  { quantization }: Surroundings,
): Step | undefined {
  const [input, output] = [node.inputs[0], node.output].map((name) => quantization.values[name]);
  const { values: w, scales } = quantization.weights[node.name];
  const biases = quantization.biases[node.name];
  const sums = { op: node.op, biases, scales, largest: largestSums(w, biases, reach(input)) };
  const rescaling = rulesOf(quantization).layer({ ...sums, activation: node.activation }, input, output);
  if (!rescaling) return undefined;
  const { factors, rounding } = rescaling;
  const outputs = biases.length;
  const flat = node.op === 'dense' || node.op === 'affine';
  const channels = shape.at(-1) ?? 1;
  const single = node.op === 'depthwiseConv2d' || node.op === 'affine';
  const filter = single ? packDepthwise(w, outputs) : packFilter(w, channels, outputs);
  const kernel = single ? 'Int8DepthwiseConv2D' : 'Int8Conv2D';
  const window = flat
    ? { size: [1, 1], strides: [1, 1], padding: [0, 0, 0, 0] }
    : {
        size: node.filter.shape.slice(0, 2),
        strides: [...node.strides],
        dilations: [...node.dilation],
        padding: [...node.padding],
      };
  return {
    constants: { filter, factors },
    call([x], constants, batch) {
      const image = flat ? [1, batch, pixelsOf(shape), channels] : [batch, ...shape];
      const y = runKernel(kernel, { x, ...constants }, { shape: image, outputs, rounding, ...window });
      return tf.reshape(y, [batch, ...wordsOf(node.shape)]);
    },
  };
}

/** What no sum of an output channel exceeds, whatever the inputs are. */
function largestSums(weights: Int8Array, biases: Int32Array, largest: number): Float64Array {
  const sums = new Float64Array(biases.length);
  for (let i = 0; i < weights.length; i++) sums[i % sums.length] += Math.abs(weights[i]) * largest;
  return sums.map((sum, c) => sum + Math.abs(biases[c]));
}

function sum(node: Add, { quantization, shapes }: Surroundings): Step | undefined {
  const [a, b, output] = [...node.inputs, node.output].map((name) => quantization.values[name]);
  const rescaling = rulesOf(quantization).add([a, b], output, node.activation);
  const shape = shapes.get(node.output) ?? [];
  return (
    rescaling && {
      constants: { factors: rescaling.factors },
      call: ([x, y], { factors }, batch) =>
        runKernel('Int8Add', { a: x, b: y, factors }, { shape: [batch, ...shape], rounding: rescaling.rounding }),
    }
  );
}

function product(node: Mul, { quantization, shapes }: Surroundings): Step | undefined {
  const [a, b, output] = [...node.inputs, node.output].map((name) => quantization.values[name]);
  const rescaling = rulesOf(quantization).mul([a, b], output);
  if (!rescaling) return undefined;
  const { factors, rounding } = rescaling;
  const [shape, other] = node.inputs.map((name) => shapes.get(name) ?? []);
  const broadcast = sizeOf(other) !== sizeOf(shape);
  return {
    constants: { factors },
    call: ([x, y], constants, batch) =>
      runKernel('Int8Mul', { a: x, b: y, ...constants }, { shape: [batch, ...shape], broadcast, rounding }),
  };
}

function pool(node: MaxPool | AveragePool, shape: Shape, output: AffineParameters, { rounding }: Rules): Step {
  const isMean = node.op === 'averagePool';
  const counts = isMean && node.countPadding;
  const [top, bottom, left, right] = node.padding;
  const image = counts ? [shape[0] + top + bottom, shape[1] + left + right, shape[2]] : shape;
  const attrs = {
    size: [...node.size],
    strides: [...node.strides],
    padding: counts ? [0, 0, 0, 0] : [...node.padding],
    ...(isMean && { rounding }),
  };
  return {
    constants: isMean && rounding === 'even' ? { parameters: packParameters(output) } : {},
    call([x], constants, batch) {
      const whole = counts ? padded(x, node.padding, output) : x;
      return runKernel(
        isMean ? 'Int8AvgPool' : 'Int8MaxPool',
        { x: whole, ...constants },
        { shape: [batch, ...image], ...attrs },
      );
    },
  };
}

function mean(shape: Shape, rescaling: Rescaling | undefined): Step | undefined {
  return (
    rescaling && {
      constants: { factors: rescaling.factors },
      call: ([x], { factors }, batch) =>
        runKernel('Int8Mean', { x, factors }, { shape: [batch, ...shape], rounding: rescaling.rounding }),
    }
  );
}

function lookup(shape: Shape, bytes: Int8Array | undefined): Step | undefined {
  return (
    bytes && {
      constants: { table: new Int32Array(bytes.buffer) },
      call: ([x], { table }, batch) => runKernel('Int8Lookup', { x, table }, { shape: [batch, ...shape] }),
    }
  );
}

function softmax(shape: Shape, powers: Int32Array | undefined): Step | undefined {
  return (
    powers && {
      constants: { table: powers },
      call: ([x], { table }, batch) => runKernel('Int8Softmax', { x, table }, { shape: [batch, ...shape] }),
    }
  );
}

/** Zeros around the pixels: the zero point, four times in each element. */
function padded(x: tf.Tensor, [top, bottom, left, right]: Padding, { zeroPoint }: AffineParameters): tf.Tensor {
  const zeros = ((zeroPoint & 255) * 0x01010101) | 0;
  return tf.pad(
    x,
    [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ],
    zeros,
  );
}

function reshaped(x: tf.Tensor, from: Shape, to: Shape, batch: number): tf.Tensor {
  const [channels, others] = [from.at(-1) ?? 1, to.at(-1) ?? 1];
  const stays = channels === others || (channels % 16 === 0 && others % 16 === 0);
  if (stays) return tf.reshape(x, [batch, ...wordsOf(to)]);
  return runKernel('Int8Reshape', { x }, { shape: [batch, ...from], to: [batch, ...to] });
}

function joined(
  inputs: readonly tf.Tensor[],
  names: readonly string[],
  { shapes }: Surroundings,
  batch: number,
): tf.Tensor {
  const all = names.map((name) => shapes.get(name) ?? []);
  const channels = all.map((shape) => shape.at(-1) ?? 1);
  if (channels.every((count) => count % 16 === 0)) return tf.concat([...inputs], -1);
  const outer = [batch, ...(all[0] ?? []).slice(0, -1)];
  return inputs.slice(1).reduce((a, b, i) => {
    const before = channels.slice(0, i + 1).reduce((x, y) => x + y, 0);
    return runKernel('Int8Concat', { a, b }, { shape: [...outer, before], channels: channels[i + 1] });
  }, inputs[0]);
}
