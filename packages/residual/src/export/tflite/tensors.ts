/** The tensors of a TFLite file by number: constants as floats, and names for the values between operators.
 *  A value may have several tensors, one for each type that it is had in; all of them are one value of the graph. */

import { trainedOf } from '../../quantize/assign.ts';
import {
  type AffineParameters,
  type Quantization,
  type QuantizedWeights,
  roundAway,
} from '../../quantize/parameters.ts';
import { WeightsError } from '../../weights/errors.ts';
import { type Constant, type GraphNode, type Shape, sizeOf } from '../graph/graph.ts';
import { type ModelValue, TENSOR_TYPE, type TensorValue } from './schema.ts';

export class Tensors {
  private readonly tensors: readonly TensorValue[];
  private readonly buffers: NonNullable<ModelValue['buffers']>;
  private readonly file: string;
  /** From a tensor to the one that it is a copy of, in another type. */
  private readonly origins = new Map<number, number>();
  /** Weights and bias of a node. */
  private readonly trained = new Map<string, { readonly weights: TensorValue; readonly bias: TensorValue }>();

  constructor(model: ModelValue, file: string) {
    this.tensors = model.subgraphs?.[0]?.tensors ?? [];
    this.buffers = model.buffers ?? [];
    this.file = file;
  }

  /** From now on, `copy` is the value or the constant that `original` is. */
  alias(copy: number, original: number): void {
    const origin = this.originOf(original);
    if (origin === copy) throw new WeightsError(`${this.file}: tensor ${copy} is made of itself`);
    this.origins.set(copy, origin);
  }

  /** The name of the value that a tensor holds. */
  valueOf(index: number): string {
    const tensor = this.at(this.originOf(index));
    if (!tensor.name) throw new WeightsError(`${this.file}: tensor ${index} has no name`);
    return tensor.name;
  }

  valuesOf(indices: readonly number[]): string[] {
    return indices.map((index) => this.valueOf(index));
  }

  /** Without the batch. */
  shapeOf(index: number): Shape {
    return (this.at(index).shape ?? []).slice(1);
  }

  integers(index: number): number[] {
    const tensor = this.at(index);
    if (tensor.type !== TENSOR_TYPE.int32) throw new WeightsError(`${this.file}: ${tensor.name} must be of int32`);
    return [...new Int32Array(this.dataOf(tensor, 4).buffer)];
  }

  /** Trained numbers as floats, whatever they are stored as. */
  constant(index: number): Constant {
    const tensor = this.at(this.originOf(index));
    const { shape = [] } = tensor;
    const length = sizeOf(shape);
    const values = this.floatsOf(tensor);
    if (values.length !== length) throw new WeightsError(`${this.file}: ${tensor.name} must hold ${length} numbers`);
    return { shape, values };
  }

  /** Which tensors a node got its numbers from. */
  noteTrained(node: string, weights: number, bias: number): void {
    this.trained.set(node, { weights: this.at(this.originOf(weights)), bias: this.at(this.originOf(bias)) });
  }

  /** The scales of a file that computes in integers; undefined for the others. */
  quantization(nodes: readonly GraphNode[]): Quantization | undefined {
    const values: Record<string, AffineParameters> = {};
    const integers = new Set<string>();
    for (const [index, tensor] of this.tensors.entries()) {
      const signed = tensor.type === TENSOR_TYPE.int8;
      if ((tensor.buffer ?? 0) !== 0 || !(signed || tensor.type === TENSOR_TYPE.uint8)) continue;
      const scale = tensor.quantization?.scale?.[0] ?? 1;
      const zeroPoint = tensor.quantization?.zeroPoint?.[0] ?? 0;
      values[this.valueOf(index)] = { scale, zeroPoint: signed ? zeroPoint : zeroPoint - 128 };
      if (!this.origins.has(index) && tensor.name) integers.add(tensor.name);
    }
    if (Object.keys(values).length === 0) return undefined;
    const weights: Record<string, QuantizedWeights> = {};
    const biases: Record<string, Int32Array> = {};
    for (const node of nodes) {
      const source = this.trained.get(node.name);
      const numbers = trainedOf(node);
      if (!source || !numbers || source.weights.type !== TENSOR_TYPE.int8 || !integers.has(node.output)) continue;
      const scales = Float32Array.from(source.weights.quantization?.scale ?? []);
      // The floats are these integers times their scale: dividing gives them back, in the graph's order.
      const back = Int8Array.from(numbers.weights, (value, i) => roundAway(value / scales[i % scales.length]));
      weights[node.name] = { values: back, scales };
      biases[node.name] = new Int32Array(this.dataOf(source.bias, 4).buffer);
    }
    const float = new Set(nodes.filter(({ output }) => !integers.has(output)).map(({ name }) => name));
    return { values, weights, biases, float };
  }

  private floatsOf(tensor: TensorValue): Float32Array {
    switch (tensor.type) {
      case TENSOR_TYPE.float32:
        return new Float32Array(this.dataOf(tensor, 4).buffer);
      case TENSOR_TYPE.float16:
        return Float32Array.from(new Float16Array(this.dataOf(tensor, 2).buffer));
      case TENSOR_TYPE.int8:
        return this.scaled(tensor, new Int8Array(this.dataOf(tensor, 1).buffer));
      case TENSOR_TYPE.int32:
        return this.scaled(tensor, new Int32Array(this.dataOf(tensor, 4).buffer));
      default:
        throw new WeightsError(`${this.file}: ${tensor.name} is of type ${tensor.type}, which weights never are`);
    }
  }

  private scaled({ shape = [], quantization }: TensorValue, integers: Int8Array | Int32Array): Float32Array {
    const { scale = [1], quantizedDimension = 0 } = quantization ?? {};
    // How many numbers lie between two of neighbouring channels.
    const stride = sizeOf(shape.slice(quantizedDimension + 1));
    return Float32Array.from(integers, (value, i) => value * scale[Math.floor(i / stride) % scale.length]);
  }

  /** A copy, so that it is aligned for its type. */
  private dataOf({ buffer = 0, name }: TensorValue, width: number): Uint8Array<ArrayBuffer> {
    const data = this.buffers[buffer]?.data;
    if (!data || data.length % width !== 0)
      throw new WeightsError(`${this.file}: ${name} has no numbers, or half of one`);
    return Uint8Array.from(data);
  }

  private originOf(index: number): number {
    const origin = this.origins.get(index);
    return origin === undefined ? index : this.originOf(origin);
  }

  private at(index: number): TensorValue {
    const tensor = this.tensors[index];
    if (!tensor) throw new WeightsError(`${this.file}: has no tensor ${index}`);
    return tensor;
  }
}
