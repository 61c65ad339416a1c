/** What lowering to ONNX asks of a quantization: the tensors that hold integers and their scales, and the pairs of
 *  QuantizeLinear and DequantizeLinear (opset 13, where they learned scales for each channel). */

import type { AffineParameters, Quantization } from '../../quantize/parameters.ts';
import type { Constant, InferenceGraph } from '../graph/graph.ts';
import { type DataType, floatTensor, type OnnxNode, type OnnxTensor } from './model.ts';
import { type QuantizationProfile, roundedValues } from './placement.ts';

/** Nodes and initializers that stand for one value, and the name under which it is read. */
export interface Emitted {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly output: string;
}

export class Integers {
  private readonly quantization: Quantization;
  private readonly profile: QuantizationProfile;
  private readonly graph: InferenceGraph;
  private readonly rounded: ReadonlySet<string>;

  constructor(graph: InferenceGraph, quantization: Quantization, profile: QuantizationProfile) {
    this.graph = graph;
    this.quantization = quantization;
    this.profile = profile;
    this.rounded = roundedValues(graph, quantization, profile);
  }

  /** How a value of the graph is rounded; undefined where it stays as it is. */
  parametersOf(value: string): AffineParameters | undefined {
    return this.rounded.has(value) ? this.quantization.values[value] : undefined;
  }

  /**
   * The pair that rounds a value.
   *
   * @param from the value's name in the file
   * @param name before the names of what is made
   */
  pair(from: string, name: string, { scale, zeroPoint }: AffineParameters): Emitted {
    const [scaleName, zero] = [`${name}/scale`, `${name}/zero_point`];
    const [quantized, output] = [`${name}/quantized`, `${name}/dequantized`];
    // ONNX Runtime 1.32 on x86 makes integer kernels of all 20 convolutions of a ResNet18 with uint8, and of 9 with int8,
    // which takes 2.6 times as long. TensorRT has int8 alone.
    const zeroPoints =
      this.profile === 'cpu'
        ? bytesTensor(zero, 'uint8', [], Uint8Array.of(zeroPoint + 128))
        : bytesTensor(zero, 'int8', [], Int8Array.of(zeroPoint));
    return {
      initializers: [floatTensor(scaleName, [], Float32Array.of(scale)), zeroPoints],
      nodes: [
        operator('QuantizeLinear', `${name}/QuantizeLinear`, [from, scaleName, zero], quantized),
        operator('DequantizeLinear', `${name}/DequantizeLinear`, [quantized, scaleName, zero], output),
      ],
      output,
    };
  }

  /**
   * A node's weights as int8; undefined where they stay floats.
   *
   * @param arrange from the graph's order of axes to the file's, whose axis 0 is that of the output channels
   */
  weights(node: string, { shape }: Constant, arrange: (constant: Constant) => Constant): Emitted | undefined {
    const weights = this.quantization.weights[node];
    if (!weights) return undefined;
    // Whole numbers up to 127 are exact as floats.
    const arranged = arrange({ shape, values: Float32Array.from(weights.values) });
    const tensor = bytesTensor(`${node}.weight`, 'int8', arranged.shape, Int8Array.from(arranged.values));
    const zero = bytesTensor(
      `${node}.weight/zero_point`,
      'int8',
      dimsOf(weights.scales),
      new Int8Array(weights.scales.length),
    );
    const stored = dequantized(tensor, weights.scales, zero);
    return this.profile === 'tensorrt8' ? inFloats(stored, arranged, weights.scales) : stored;
  }

  /** A node's bias: int32 at the scale of the sums that it is added to, or floats for TensorRT. */
  bias(node: string, input: string): Emitted | undefined {
    const integers = this.quantization.biases[node];
    const weights = this.quantization.weights[node];
    if (!integers || !weights) return undefined;
    const name = `${node}.bias`;
    const scales = this.biasScales(input, weights.scales);
    if (this.profile !== 'cpu' || !this.rounded.has(input)) {
      const values = Float32Array.from(integers, (value, c) => value * (scales[scales.length === 1 ? 0 : c] ?? 1));
      return { initializers: [floatTensor(name, [values.length], values)], nodes: [], output: name };
    }
    const raw = new Uint8Array(integers.buffer, integers.byteOffset, integers.byteLength);
    return dequantized({ name, type: 'int32', dims: [integers.length], raw }, scales);
  }

  private biasScales(input: string, scales: Float32Array): Float32Array {
    const parameters = this.quantization.values[input];
    if (!parameters) throw new Error(`internal: ${this.graph.name} has no scale for ${input}`);
    return scales.map((scale) => scale * parameters.scale);
  }
}

/** A zero point is left out where it cannot be other than 0: of int32. */
function dequantized(tensor: OnnxTensor, scales: Float32Array, zero?: OnnxTensor): Emitted {
  const { name } = tensor;
  const scale = floatTensor(`${name}/scale`, dimsOf(scales), scales);
  const output = `${name}/dequantized`;
  const inputs = [name, scale.name, ...(zero ? [zero.name] : [])];
  const node = operator('DequantizeLinear', `${name}/DequantizeLinear`, inputs, output);
  return {
    initializers: [tensor, scale, ...(zero ? [zero] : [])],
    nodes: [scales.length === 1 ? node : { ...node, attributes: { axis: { int: 0 } } }],
    output,
  };
}

/** The same weights as floats, which a QuantizeLinear makes integers of again: each is a whole number of steps. */
function inFloats(
  { nodes, initializers, output }: Emitted,
  { shape, values }: Constant,
  scales: Float32Array,
): Emitted {
  const [stored, ...parameters] = initializers;
  const [dequantize] = nodes;
  if (!stored || !dequantize) throw new Error('internal: there are no weights');
  const { name } = stored;
  const stride = values.length / scales.length;
  const floats = values.map((value, i) => value * (scales[Math.floor(i / stride)] ?? 1));
  const quantize = {
    ...dequantize,
    type: 'QuantizeLinear',
    name: `${name}/QuantizeLinear`,
    outputs: [`${name}/quantized`],
  };
  const inputs = [`${name}/quantized`, ...dequantize.inputs.slice(1)];
  return {
    initializers: [floatTensor(name, shape, floats), ...parameters],
    nodes: [quantize, { ...dequantize, inputs }],
    output,
  };
}

/** One scale for all is a scalar. */
function dimsOf(scales: Float32Array): number[] {
  return scales.length === 1 ? [] : [scales.length];
}

function operator(type: string, name: string, inputs: readonly string[], output: string): OnnxNode {
  return { type, name, inputs, outputs: [output], attributes: {} };
}

function bytesTensor(
  name: string,
  type: Extract<DataType, 'int8' | 'uint8'>,
  dims: readonly number[],
  values: Int8Array | Uint8Array,
): OnnxTensor {
  return { name, type, dims, raw: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}
