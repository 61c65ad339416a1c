/** An ONNX model as plain data, with the names of its specification (onnx.proto): what is written and what is read. */

/** Element types that we use, with their numbers in TensorProto.DataType. */
export const dataTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, float16: 10 } as const;

export type DataType = keyof typeof dataTypes;

export interface OnnxTensor {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly number[];
  /** Little-endian, row-major. */
  readonly raw: Uint8Array;
}

export type Attribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly text: string };

export interface OnnxNode {
  /** e.g. `Conv`. */
  readonly type: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface OnnxValue {
  readonly name: string;
  readonly type: DataType;
  /** A text is a dimension that is open, by its name. */
  readonly dims: readonly (number | string)[];
}

export interface OnnxModel {
  readonly opset: number;
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly metadata: Readonly<Record<string, string>>;
  /** For people. */
  readonly doc: string;
  readonly producer: { readonly name: string; readonly version: string };
}

export const bytesPerElement: Readonly<Record<DataType, number>> = {
  float32: 4,
  uint8: 1,
  int8: 1,
  int32: 4,
  int64: 8,
  float16: 2,
};

/** The first opset and the last that we write, and the version of the file format that came with each. */
export const irVersions: Readonly<Record<number, number>> = { 13: 7, 14: 7, 15: 8, 16: 8, 17: 8 };

export function floatTensor(name: string, dims: readonly number[], values: Float32Array): OnnxTensor {
  return { name, type: 'float32', dims, raw: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

export function int64Tensor(name: string, values: readonly number[]): OnnxTensor {
  const raw = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { name, type: 'int64', dims: [values.length], raw };
}

/** The floats of a tensor. */
export function floatsOf({ type, raw }: OnnxTensor): Float32Array {
  const buffer = Uint8Array.from(raw).buffer;
  if (type === 'float32') return new Float32Array(buffer);
  if (type === 'float16') return Float32Array.from(new Float16Array(buffer));
  throw new Error(`internal: ${type} holds no floats`);
}

/** The whole numbers of a tensor, exact up to 2^53. */
export function int64sOf({ type, raw }: OnnxTensor): number[] {
  if (type !== 'int64') throw new Error(`internal: ${type} is not int64`);
  return Array.from(new BigInt64Array(Uint8Array.from(raw).buffer), Number);
}

/** The whole numbers of a tensor of 8 or 32 bits. */
export function integersOf({ type, raw }: OnnxTensor): Int8Array | Uint8Array | Int32Array {
  const { buffer } = Uint8Array.from(raw);
  if (type === 'int8') return new Int8Array(buffer);
  if (type === 'uint8') return new Uint8Array(buffer);
  if (type === 'int32') return new Int32Array(buffer);
  throw new Error(`internal: ${type} is no type of 8 or 32 bits`);
}
