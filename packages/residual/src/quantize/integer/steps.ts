/** Each node of a quantized graph as one call of a kernel for integers: its constants, made once, and the call itself.
 *  Rounding is that of TensorFlow Lite's reference kernels, so integers agree with them one by one. */

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
import {
  boundsOf,
  type FixedMultiplier,
  fixedMultiplier,
  rescalingTable,
  sigmoidTable,
  softmaxTable,
} from './fixed-point.ts';
import {
  type Ends,
  type Factor,
  type FactorRounding,
  fits,
  packDepthwise,
  packFactors,
  packFilter,
  wordsOf,
} from './packing.ts';

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

export function runKernel(name: string, inputs: Readonly<Record<string, tf.Tensor>>, attrs: object): tf.Tensor {
  return tf.engine().runKernel<tf.Tensor>(name, inputs as never, attrs as never);
}

/** @returns undefined where the kernels cannot compute the node exactly */
export function stepOf(node: GraphNode, around: Surroundings): Step | undefined {
  const shape = around.shapes.get(node.inputs[0]) ?? [];
  const [input, output] = [node.inputs[0], node.output].map((name) => around.quantization.values[name]);
  const same = node.inputs.every((name) => equal(around.quantization.values[name], output));
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
      return same ? pool(node, shape, output) : undefined;
    case 'globalAveragePool':
      return mean(shape, input, output);
    case 'pad':
      return same ? { constants: {}, call: ([x]) => padded(x, node.padding, output) } : undefined;
    case 'relu':
    case 'relu6':
      return lookup(shape, rescalingTable(input, output, boundsOf(node.op, output)));
    case 'sigmoid':
      return isUnit(output) ? lookup(shape, sigmoidTable(input)) : undefined;
    case 'softmax':
      return isUnit(output) && (shape.at(-1) ?? 0) < 4096 ? softmax(shape, input) : undefined;
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
const isUnit = ({ scale, zeroPoint }: AffineParameters) => scale === 1 / 256 && zeroPoint === -128;
/** The largest distance of an int8 from its zero point. */
const reach = ({ zeroPoint }: AffineParameters) => Math.max(127 - zeroPoint, 128 + zeroPoint);

/** Convolutions and dense layers: a dense layer is a convolution of images with one pixel. */
function convolution(
  node: Conv2D | DepthwiseConv2D | Dense | Affine,
  shape: Shape,
  around: Surroundings,
): Step | undefined {
  const { quantization } = around;
  const { weights, biases, values } = quantization;
  const [input, output] = [values[node.inputs[0]], values[node.output]];
  const { values: w, scales } = weights[node.name];
  const bias = biases[node.name];
  const factors: Factor[] = [...bias].map((value, c) => ({
    bias: value,
    factor: convolutionFactor(
      node,
      input.scale,
      scales.length === 1 ? scales[0] : scales[c],
      output.scale,
      scales.length,
    ),
  }));
  const rounding = node.op === 'dense' ? 'once' : 'twice';
  if (!sumsFit(w, factors, reach(input), rounding)) return undefined;
  const ends: Ends = {
    inputZero: input.zeroPoint,
    zero: output.zeroPoint,
    bounds: boundsOf(node.activation, output),
  };
  const outputs = bias.length;
  const flat = node.op === 'dense' || node.op === 'affine';
  const channels = shape.at(-1) ?? 1;
  const single = node.op === 'depthwiseConv2d' || node.op === 'affine';
  const constants = {
    filter: single ? packDepthwise(w, outputs) : packFilter(w, channels, outputs),
    factors: packFactors(factors, ends, rounding),
  };
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
    constants,
    call([x], { filter, factors: packed }, batch) {
      const pixels = sizeOf(shape) / channels;
      const image = flat ? [1, batch, pixels, channels] : [batch, ...shape];
      const y = runKernel(kernel, { x, filter, factors: packed }, { shape: image, outputs, rounding, ...window });
      return tf.reshape(y, [batch, ...wordsOf(node.shape)]);
    },
  };
}

/** TFLite multiplies the scales of a layer with one scale in single precision, those of channels in double. */
function convolutionFactor(
  { op }: GraphNode,
  input: number,
  weight: number,
  output: number,
  scales: number,
): FixedMultiplier {
  const product = op === 'dense' && scales === 1 ? Math.fround(input * weight) : input * weight;
  return fixedMultiplier(product / output);
}

/** Whether 32 bits hold every sum that any input could give. */
function sumsFit(weights: Int8Array, factors: readonly Factor[], largest: number, rounding: FactorRounding): boolean {
  const sums = new Float64Array(factors.length);
  for (let i = 0; i < weights.length; i++) sums[i % factors.length] += Math.abs(weights[i]);
  return factors.every((factor, c) => fits(sums[c] * largest + Math.abs(factor.bias ?? 0), factor, rounding));
}

/** Bits that both terms gain before they are added. */
const LIFT = 2 ** 20;

function sum(node: Add, { quantization: { values }, shapes }: Surroundings): Step | undefined {
  const [a, b, output] = [...node.inputs, node.output].map((name) => values[name]);
  const twice = 2 * Math.max(a.scale, b.scale);
  const terms = [a, b].map(
    ({ scale, zeroPoint }): Factor => ({ bias: -zeroPoint, factor: fixedMultiplier(scale / twice), lift: LIFT }),
  );
  const total: Factor = { factor: fixedMultiplier(twice / (LIFT * output.scale)) };
  if (![a, b].every((term, i) => fits(reach(term), terms[i])) || !fits(255 * LIFT, total)) return undefined;
  const ends = { inputZero: 0, zero: output.zeroPoint, bounds: boundsOf(node.activation, output) };
  const shape = shapes.get(node.output) ?? [];
  return {
    constants: { factors: together([...terms, total].map((factor) => packFactors([factor], ends))) },
    call: ([x, y], { factors }, batch) => runKernel('Int8Add', { a: x, b: y, factors }, { shape: [batch, ...shape] }),
  };
}

function product(node: Mul, { quantization: { values }, shapes }: Surroundings): Step | undefined {
  const [a, b, output] = [...node.inputs, node.output].map((name) => values[name]);
  // In single precision, as TFLite's kernel has it.
  const factor = fixedMultiplier(Math.fround(Math.fround(a.scale * b.scale) / output.scale));
  if (!fits(reach(a) * reach(b), { factor })) return undefined;
  const ends = { zero: output.zeroPoint, bounds: boundsOf('none', output) };
  const panels = [a, b].map(({ zeroPoint }) => packFactors([{ factor }], { ...ends, inputZero: zeroPoint }));
  const [shape, other] = node.inputs.map((name) => shapes.get(name) ?? []);
  const broadcast = sizeOf(other) !== sizeOf(shape);
  return {
    constants: { factors: together(panels) },
    call: ([x, y], { factors }, batch) =>
      runKernel('Int8Mul', { a: x, b: y, factors }, { shape: [batch, ...shape], broadcast }),
  };
}

function together(parts: readonly Int32Array[]): Int32Array {
  return Int32Array.from(parts.flatMap((part) => [...part]));
}

function pool(node: MaxPool | AveragePool, shape: Shape, output: AffineParameters): Step {
  const counts = node.op === 'averagePool' && node.countPadding;
  const [top, bottom, left, right] = node.padding;
  const image = counts ? [shape[0] + top + bottom, shape[1] + left + right, shape[2]] : shape;
  const attrs = {
    size: [...node.size],
    strides: [...node.strides],
    padding: counts ? [0, 0, 0, 0] : [...node.padding],
  };
  const kernel = node.op === 'maxPool' ? 'Int8MaxPool' : 'Int8AvgPool';
  return {
    constants: {},
    call([x], _, batch) {
      const whole = counts ? padded(x, node.padding, output) : x;
      return runKernel(kernel, { x: whole }, { shape: [batch, ...image], ...attrs });
    },
  };
}

/** TFLite puts the division by the number of pixels into the factor that changes the scale. */
function mean(shape: Shape, input: AffineParameters, output: AffineParameters): Step | undefined {
  const channels = shape.at(-1) ?? 1;
  const pixels = sizeOf(shape) / channels;
  const whole = fixedMultiplier(input.scale / output.scale);
  const bits = Math.min(Math.floor(Math.log2(pixels)), 32, 31 + whole.shift);
  const multiplier = Number((BigInt(whole.multiplier) << BigInt(bits)) / BigInt(pixels));
  const factor = { multiplier, shift: whole.shift - bits };
  if (!fits(reach(input) * pixels, { factor })) return undefined;
  const ends = { inputZero: input.zeroPoint, zero: output.zeroPoint, bounds: boundsOf('none', output) };
  return {
    constants: { factors: packFactors(Array<Factor>(channels).fill({ factor }), ends) },
    call: ([x], { factors }, batch) => runKernel('Int8Mean', { x, factors }, { shape: [batch, ...shape] }),
  };
}

function lookup(shape: Shape, table: Int8Array): Step {
  return {
    constants: { table: new Int32Array(table.buffer) },
    call: ([x], { table: packed }, batch) =>
      runKernel('Int8Lookup', { x, table: packed }, { shape: [batch, ...shape] }),
  };
}

function softmax(shape: Shape, input: AffineParameters): Step {
  return {
    constants: { table: softmaxTable(input.scale) },
    call: ([x], { table }, batch) => runKernel('Int8Softmax', { x, table }, { shape: [batch, ...shape] }),
  };
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
