/** A TFLite model while it is made: lists of buffers, tensors and operators that refer to each other by number.
 *  Equal operator codes and equal small constants are kept once. */

import {
  BUILTIN,
  type Builtin,
  type ModelValue,
  type OperatorCodeValue,
  type OperatorValue,
  type OptionsValue,
  type QuantizationValue,
  SCHEMA_VERSION,
  TENSOR_TYPE,
  type TensorType,
  type TensorValue,
} from './schema.ts';
import { minimumRuntime, type Use, versionOf } from './versions.ts';

export interface NewTensor {
  readonly name: string;
  readonly type: TensorType;
  /** All sizes; −1 for the batch that the caller chooses. */
  readonly shape: readonly number[];
  readonly quantization?: QuantizationValue;
  /** Little-endian; only constants have it. */
  readonly data?: Uint8Array;
}

export class TfliteModel {
  private readonly tensors: TensorValue[] = [];
  private readonly operators: OperatorValue[] = [];
  private readonly codes: { readonly op: Builtin; readonly version: number }[] = [];
  /** Buffer 0 is empty, for tensors that are computed. */
  private readonly buffers: { readonly data?: Uint8Array }[] = [{}];
  private readonly metadata: { readonly name: string; readonly buffer: number }[] = [];
  private readonly integers = new Map<string, number>();

  /** @returns the tensor's number */
  tensor({ name, type, shape, quantization, data }: NewTensor): number {
    const dynamic = shape.includes(-1);
    this.tensors.push({
      // A runtime that knows no open sizes sees a batch of one.
      shape: shape.map((size) => (size === -1 ? 1 : size)),
      type: TENSOR_TYPE[type],
      name,
      buffer: data ? this.buffer(data) : 0,
      ...(quantization && { quantization }),
      ...(dynamic && { shapeSignature: shape }),
      hasRank: true,
    });
    return this.tensors.length - 1;
  }

  /** A constant of 32-bit integers: axes, paddings, shapes. */
  int32(name: string, shape: readonly number[], values: readonly number[]): number {
    const key = `${shape}:${values}`;
    let tensor = this.integers.get(key);
    if (tensor === undefined) {
      tensor = this.tensor({ name, type: 'int32', shape, data: bytesOf(Int32Array.from(values)) });
      this.integers.set(key, tensor);
    }
    return tensor;
  }

  operator(
    op: Builtin,
    use: Omit<Use, 'input'>,
    inputs: readonly number[],
    outputs: readonly number[],
    options?: OptionsValue,
  ): void {
    const version = versionOf(op, { ...use, input: this.typeOf(inputs[0]) });
    let opcodeIndex = this.codes.findIndex((code) => code.op === op && code.version === version);
    if (opcodeIndex < 0) opcodeIndex = this.codes.push({ op, version }) - 1;
    this.operators.push({ opcodeIndex, inputs, outputs, ...(options && { builtinOptions: options }) });
  }

  /** A named piece of data about the model. */
  note(name: string, data: Uint8Array): void {
    this.metadata.push({ name, buffer: this.buffer(data) });
  }

  finish(description: string, ends: { readonly input: number; readonly output: number }): ModelValue {
    // TensorFlow's own converter reserves 16 bytes and fills up with zeros.
    const version = new Uint8Array(16);
    new TextEncoder().encodeInto(minimumRuntime(this.codes), version);
    this.note('min_runtime_version', version);
    const { input, output } = ends;
    return {
      version: SCHEMA_VERSION,
      operatorCodes: this.codes.map(
        ({ op, version }): OperatorCodeValue => ({
          deprecatedBuiltinCode: Math.min(BUILTIN[op], 127),
          builtinCode: BUILTIN[op],
          version,
        }),
      ),
      subgraphs: [
        { name: 'main', tensors: this.tensors, operators: this.operators, inputs: [input], outputs: [output] },
      ],
      description,
      buffers: this.buffers,
      metadata: this.metadata,
      signatureDefs: [
        {
          signatureKey: 'serving_default',
          subgraphIndex: 0,
          inputs: [{ name: 'input', tensorIndex: input }],
          outputs: [{ name: 'output', tensorIndex: output }],
        },
      ],
    };
  }

  /** The bytes of all constants: about the size of the file. */
  get size(): number {
    return this.buffers.reduce((sum, { data }) => sum + (data?.length ?? 0) + 64, 0);
  }

  private typeOf(tensor: number): TensorType {
    const code = this.tensors[tensor].type;
    const found = Object.entries(TENSOR_TYPE).find(([, value]) => value === code);
    if (!found) throw new Error(`internal: tensor type ${code}`);
    return found[0] as TensorType;
  }

  private buffer(data: Uint8Array): number {
    return this.buffers.push({ data }) - 1;
  }
}

export function bytesOf(values: Float32Array | Int32Array | Int8Array | Float16Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
