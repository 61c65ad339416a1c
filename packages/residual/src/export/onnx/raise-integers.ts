/** Integers of an ONNX file read back: weights behind a DequantizeLinear as floats, and the scales of the values that
 *  pairs of QuantizeLinear and DequantizeLinear round. `integers.ts` in reverse. */

import { ModelError } from '../../models/errors.ts';
import { trainedOf } from '../../quantize/assign.ts';
import {
  type AffineParameters,
  clamp,
  type Quantization,
  type QuantizedWeights,
  roundAway,
  roundEven,
} from '../../quantize/parameters.ts';
import { quantizeBias } from '../../quantize/weights.ts';
import { type Constant, type GraphNode, sizeOf } from '../graph/graph.ts';
import { floatsOf, integersOf, type OnnxNode, type OnnxTensor } from './model.ts';

/** A constant that the file holds as integers. */
interface StoredIntegers {
  readonly tensor: OnnxTensor;
  readonly scales: Float32Array;
}

export class RaisedIntegers {
  private readonly file: string;
  private readonly tensors: ReadonlyMap<string, OnnxTensor>;
  /** Integers that a QuantizeLinear makes of a constant. */
  private readonly made = new Map<string, OnnxTensor>();
  private readonly constants = new Map<string, StoredIntegers>();
  private readonly rounded = new Map<string, AffineParameters>();
  private readonly trained = new Map<string, { readonly weights: string; readonly bias: string }>();

  constructor(tensors: ReadonlyMap<string, OnnxTensor>, file: string) {
    this.tensors = tensors;
    this.file = file;
  }

  /** Notes a DequantizeLinear of a constant; false where it reads a value that is computed. */
  constant({ name, inputs, outputs, attributes }: OnnxNode): boolean {
    const [from = '', scale = '', zero = ''] = inputs;
    const tensor = this.made.get(from) ?? this.tensors.get(from);
    if (!tensor) return false;
    const scales = this.floats(name, scale);
    const { axis } = attributes;
    const zeros = this.tensors.get(zero);
    if (zeros && integersOf(zeros).some((one) => one !== 0)) throw this.odd(name, 'weights whose zero point is not 0');
    if (scales.length > 1 && !(axis && 'int' in axis && axis.int === 0)) {
      throw this.odd(name, 'scales of another axis than the first');
    }
    if (scales.length > 1 && scales.length !== tensor.dims[0]) {
      throw this.odd(name, `${scales.length} scales for ${tensor.dims[0]} channels`);
    }
    this.constants.set(outputs[0] ?? '', { tensor, scales });
    return true;
  }

  /** Notes a QuantizeLinear of a constant; false where it reads a value that is computed. The pair's other half checks it. */
  quantizedConstant({ name, inputs, outputs }: OnnxNode): boolean {
    const [from = '', scale = ''] = inputs;
    const tensor = this.tensors.get(from);
    if (!tensor) return false;
    const scales = this.floats(name, scale);
    const stride = sizeOf(tensor.dims) / scales.length;
    const integers = Int8Array.from(floatsOf(tensor), (value, i) =>
      clamp(roundEven(Math.fround(value / (scales[Math.floor(i / stride)] ?? 1))), -128, 127),
    );
    this.made.set(outputs[0] ?? '', { ...tensor, type: 'int8', raw: new Uint8Array(integers.buffer) });
    return true;
  }

  /** The floats that stored integers stand for; undefined for other names. */
  floatsBehind(name: string): Constant | undefined {
    const stored = this.constants.get(name);
    if (!stored) return undefined;
    const { tensor, scales } = stored;
    const stride = sizeOf(tensor.dims) / scales.length;
    const values = Float32Array.from(integersOf(tensor), (one, i) => one * (scales[Math.floor(i / stride)] ?? 1));
    return { shape: tensor.dims, values };
  }

  /** Notes that a value of the graph is rounded by a QuantizeLinear. */
  round({ name, inputs }: OnnxNode, value: string): void {
    const [, scale = '', zero = ''] = inputs;
    const scales = this.floats(name, scale);
    const zeros = this.tensors.get(zero);
    const [zeroPoint] = zeros ? integersOf(zeros) : [];
    const signed = zeros?.type === 'int8';
    if (scales.length !== 1 || zeroPoint === undefined || !(signed || zeros?.type === 'uint8')) {
      throw this.odd(name, 'other than one scale and one zero point of 8 bits');
    }
    const parameters = { scale: scales[0] ?? 1, zeroPoint: signed ? zeroPoint : zeroPoint - 128 };
    const before = this.rounded.get(value);
    if (before && (before.scale !== parameters.scale || before.zeroPoint !== parameters.zeroPoint)) {
      throw this.odd(name, `another scale than ${value} was rounded with before`);
    }
    this.rounded.set(value, parameters);
  }

  /** Notes which constants a convolution or matrix product has. */
  node(name: string, weights: string, bias: string): void {
    this.trained.set(name, { weights, bias });
  }

  /**
   * What a file of integers rounds, as `openQuantized` takes it; undefined for the others. A layer counts as one of
   * integers where its weights, what it reads and what it makes all are, which is where ONNX Runtime has a kernel of
   * integers for it; softmax is computed in floats, as there.
   *
   * @param nodes of the finished graph
   */
  quantization(nodes: readonly GraphNode[]): Quantization | undefined {
    if (this.rounded.size === 0) return undefined;
    const weights: Record<string, QuantizedWeights> = {};
    const biases: Record<string, Int32Array> = {};
    const float = new Set<string>();
    for (const node of nodes) {
      const rounded = [...node.inputs, node.output].every((value) => this.rounded.has(value));
      const numbers = trainedOf(node);
      const source = this.trained.get(node.name);
      const stored = source && this.constants.get(source.weights);
      if (!rounded || node.op === 'softmax' || (numbers && stored?.tensor.type !== 'int8')) {
        float.add(node.name);
      } else if (numbers && stored && source) {
        const { scales } = stored;
        // The floats are these integers times their scale: dividing gives them back, in the graph's order.
        const back = Int8Array.from(numbers.weights, (value, i) => roundAway(value / (scales[i % scales.length] ?? 1)));
        weights[node.name] = { values: back, scales };
        const bias = this.constants.get(source.bias)?.tensor;
        const input = this.rounded.get(node.inputs[0] ?? '')?.scale ?? 1;
        biases[node.name] =
          bias?.type === 'int32' ? Int32Array.from(integersOf(bias)) : quantizeBias(numbers.bias, input, scales);
      }
    }
    return { values: Object.fromEntries(this.rounded), weights, biases, float, rules: 'onnx' };
  }

  private floats(node: string, name: string): Float32Array {
    const tensor = this.tensors.get(name);
    if (tensor?.type !== 'float32') throw this.odd(node, 'a scale that is no constant of float32');
    return floatsOf(tensor);
  }

  private odd(name: string, what: string): ModelError {
    return new ModelError(`${this.file}: node ${name}: our own engine does not run integers with ${what}`);
  }
}
