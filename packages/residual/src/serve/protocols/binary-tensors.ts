/** Tensors of the Open Inference Protocol on the wire: as JSON, or by its binary extension as raw bytes after the JSON, which
 *  Triton's clients use by default. https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/extension_binary_tensor_data.md */

import { endianness } from 'node:os';
import { badRequest } from '../errors.ts';
import { objectOf, parseJson, shown } from './values.ts';

export interface GivenTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** Row by row. Elements of BYTES are strings from JSON, bytes from the extension. */
  readonly values: ArrayLike<unknown>;
}

interface MadeTensor {
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly values: readonly (number | string)[];
}

const ARRAYS = {
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

/**
 * A request's JSON and its tensors.
 *
 * @param headerLength the header that says where the JSON ends, where there is one
 * @throws ServeError 400
 */
export function readInfer(
  sent: unknown,
  headerLength: string | readonly string[] | undefined,
): { readonly body: Readonly<Record<string, unknown>>; readonly inputs: readonly GivenTensor[] } {
  const bytes = sent instanceof Uint8Array ? sent : new Uint8Array();
  let end = bytes.length;
  if (headerLength !== undefined) {
    end = typeof headerLength === 'string' && /^\d{1,15}$/.test(headerLength) ? Number(headerLength) : Number.NaN;
    if (!(end <= bytes.length)) {
      throw badRequest(
        `inference-header-content-length: must be at most the body's ${bytes.length} bytes, received ${shown(headerLength)}`,
      );
    }
  }
  const body = objectOf(parseJson(bytes.subarray(0, end)), 'the body');
  const { inputs } = body;
  if (!Array.isArray(inputs)) throw badRequest(`inputs: must be an array of tensors, received ${shown(inputs)}`);
  const raw = { bytes, at: end };
  const tensors = inputs.map((input, i) => readTensor(objectOf(input, `inputs[${i}]`), `inputs[${i}]`, raw));
  if (raw.at < bytes.length) {
    throw badRequest(
      `the body: ${bytes.length - raw.at} bytes after the JSON belong to no input; see binary_data_size`,
    );
  }
  return { body, inputs: tensors };
}

function readTensor(
  input: Readonly<Record<string, unknown>>,
  what: string,
  raw: { readonly bytes: Uint8Array; at: number },
): GivenTensor {
  const { name, datatype, shape, data, parameters = {} } = input;
  if (typeof name !== 'string') throw badRequest(`${what}.name: must be a string, received ${shown(name)}`);
  if (typeof datatype !== 'string') throw badRequest(`${what}.datatype: must be a string, received ${shown(datatype)}`);
  if (!Array.isArray(shape) || shape.length > 8 || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw badRequest(`${what}.shape: must be an array of whole numbers`);
  }
  const size = objectOf(parameters, `${what}.parameters`).binary_data_size;
  if (size === undefined) {
    if (!Array.isArray(data)) throw badRequest(`${what}.data: must be an array, received ${shown(data)}`);
    // The protocol allows nested data too.
    return { name, datatype, shape, values: Array.isArray(data[0]) ? data.flat(8) : data };
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || size > raw.bytes.length - raw.at) {
    throw badRequest(
      `${what}.parameters.binary_data_size: must be at most the ${raw.bytes.length - raw.at} bytes that follow, received ${shown(size)}`,
    );
  }
  const own = raw.bytes.subarray(raw.at, raw.at + size);
  raw.at += size;
  return { name, datatype, shape, values: datatype === 'BYTES' ? elements(own, what) : numbers(own, datatype, what) };
}

/** Each element has its length before it. */
function elements(bytes: Uint8Array, what: string): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = at + 4 <= bytes.length ? view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (at + 4 + length > bytes.length) throw badRequest(`${what}: an element of BYTES ends after the data`);
    found.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}

function numbers(bytes: Uint8Array, datatype: string, what: string): ArrayLike<number> {
  if (!Object.hasOwn(ARRAYS, datatype)) {
    throw badRequest(
      `${what}.datatype: must be one of BYTES, ${Object.keys(ARRAYS).join(', ')}; received ${shown(datatype)}`,
    );
  }
  const Type = ARRAYS[datatype as keyof typeof ARRAYS];
  const { BYTES_PER_ELEMENT: width } = Type;
  if (bytes.length % width !== 0) throw badRequest(`${what}: ${bytes.length} bytes are no whole number of ${datatype}`);
  const own = Uint8Array.from(bytes); // aligned
  if (endianness() === 'BE') for (let i = 0; i < own.length; i += width) own.subarray(i, i + width).reverse();
  return new Type(own.buffer);
}

/** A response: its JSON, and after it the outputs that were asked for in binary. */
export function writeInfer(
  head: object,
  outputs: readonly { readonly name: string; readonly binary: boolean; readonly tensor: MadeTensor }[],
): { readonly bytes: Buffer; readonly headerLength: number | undefined } {
  const parts: Buffer[] = [];
  const described = outputs.map(({ name, binary, tensor: { datatype, shape, values } }) => {
    if (!binary) return { name, datatype, shape, data: values };
    const part = datatype === 'BYTES' ? lengthAndText(values) : floats(values);
    parts.push(part);
    return { name, datatype, shape, parameters: { binary_data_size: part.length } };
  });
  const json = Buffer.from(JSON.stringify({ ...head, outputs: described }));
  if (parts.length === 0) return { bytes: json, headerLength: undefined };
  return { bytes: Buffer.concat([json, ...parts]), headerLength: json.length };
}

function floats(values: readonly (number | string)[]): Buffer {
  const out = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    out.writeFloatLE(Number(value), i * 4);
  });
  return out;
}

function lengthAndText(values: readonly (number | string)[]): Buffer {
  const parts = values.flatMap((value) => {
    const text = Buffer.from(String(value));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    return [length, text];
  });
  return Buffer.concat(parts);
}
