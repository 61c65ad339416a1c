/** Numbers as files store them, to and from 32-bit floats: every width, both byte orders, strided views.
 *  Hosts are little-endian, as WebAssembly and all typed arrays of today's engines are. */

import { WeightsError } from './errors.ts';
import type { StoredType } from './tensor.ts';

/** Bytes per number. */
export const WIDTHS: Readonly<Record<StoredType, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint64: 8,
  uint32: 4,
  uint16: 2,
  uint8: 1,
  bool: 1,
};

/** How many numbers a view may hold beyond those that are stored: 64 MB as floats. */
const BROADCAST = 2 ** 24;

/**
 * The number of elements of a shape that came out of a file.
 *
 * @throws WeightsError where a dimension is no whole number from 0 on, there are more than 32, or the product is unsafe
 */
export function elementsOf(shape: readonly number[], who: string): number {
  let count = 1;
  // Without the zeros: [2^40, 2^40, 0] is absurd though it holds nothing.
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new WeightsError(`${who}: a dimension must be a whole number from 0 on, received ${length}`);
    }
    count *= Math.max(1, length);
  }
  if (shape.length > 32 || !Number.isSafeInteger(count)) {
    const text = shape.length > 8 ? `${shape.slice(0, 8).join(', ')}, …` : shape.join(', ');
    throw new WeightsError(`${who}: the shape [${text}] is absurd`);
  }
  return shape.includes(0) ? 0 : count;
}

/**
 * Numbers of `type`, one after the other, as 32-bit floats: float64 and integers are rounded to the nearest, bools are
 * 0 and 1. Float32 in the host's byte order and on a multiple of four is not copied: the result shares `bytes`.
 *
 * @throws WeightsError where `bytes` is no whole number of numbers
 */
export function toFloat32(bytes: Uint8Array<ArrayBuffer>, type: StoredType, littleEndian = true): Float32Array {
  const width = WIDTHS[type];
  if (bytes.length % width !== 0)
    throw new WeightsError(`${bytes.length} bytes are no whole number of ${type} numbers`);
  const { buffer, byteOffset } = inHostOrder(bytes, width, littleEndian);
  const count = bytes.length / width;
  switch (type) {
    case 'float32':
      return new Float32Array(buffer, byteOffset, count);
    case 'float64':
      return new Float32Array(new Float64Array(buffer, byteOffset, count));
    case 'float16':
      return new Float32Array(new Float16Array(buffer, byteOffset, count));
    case 'bfloat16': {
      // The upper half of a float32.
      const words = Uint32Array.from(new Uint16Array(buffer, byteOffset, count), (half) => half << 16);
      return new Float32Array(words.buffer);
    }
    case 'int64':
      return wideIntegers(new Int32Array(buffer, byteOffset, 2 * count));
    case 'uint64':
      return wideIntegers(new Uint32Array(buffer, byteOffset, 2 * count));
    case 'int32':
      return new Float32Array(new Int32Array(buffer, byteOffset, count));
    case 'uint32':
      return new Float32Array(new Uint32Array(buffer, byteOffset, count));
    case 'int16':
      return new Float32Array(new Int16Array(buffer, byteOffset, count));
    case 'uint16':
      return new Float32Array(new Uint16Array(buffer, byteOffset, count));
    case 'int8':
      return new Float32Array(new Int8Array(buffer, byteOffset, count));
    case 'uint8':
      return new Float32Array(bytes);
    case 'bool':
      return Float32Array.from(bytes, (byte) => (byte === 0 ? 0 : 1));
    default:
      return type satisfies never;
  }
}

/** 64-bit integers of which the upper words have the sign; exact to 2^53, as float64 is, before they become float32. */
function wideIntegers(words: Int32Array | Uint32Array): Float32Array {
  const values = new Float32Array(words.length / 2);
  for (let i = 0; i < values.length; i++) values[i] = words[2 * i + 1] * 2 ** 32 + (words[2 * i] >>> 0);
  return values;
}

function inHostOrder(bytes: Uint8Array<ArrayBuffer>, width: number, littleEndian: boolean): Uint8Array<ArrayBuffer> {
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  if (littleEndian || width === 1) return aligned;
  const swapped = new Uint8Array(bytes.length);
  for (let at = 0; at < bytes.length; at += width) {
    for (let i = 0; i < width; i++) swapped[at + i] = bytes[at + width - 1 - i];
  }
  return swapped;
}

/** A view of stored numbers, all counted in numbers, not bytes. */
export interface StridedView {
  readonly shape: readonly number[];
  /** How far apart neighbours of each dimension are; 0 repeats. Not negative. */
  readonly strides: readonly number[];
  /** Where its first number is. */
  readonly offset: number;
}

/**
 * The range of stored numbers that a view touches: from `offset`, `length` of them.
 *
 * @throws WeightsError where it leaves the `stored` numbers, or holds far more numbers than are stored
 */
export function extentOf({ shape, strides, offset }: StridedView, stored: number, who: string): number {
  const count = elementsOf(shape, who);
  const natural = (length: number) => Number.isSafeInteger(length) && length >= 0;
  if (strides.length !== shape.length || !strides.every(natural) || !natural(offset)) {
    throw new WeightsError(
      `${who}: strides [${strides.slice(0, 8).join(', ')}] from ${offset} on do not fit its shape`,
    );
  }
  if (count === 0) return 0;
  const length = shape.reduce((last, n, i) => last + (n - 1) * strides[i], 1);
  if (!(offset + length <= stored)) {
    throw new WeightsError(`${who}: needs numbers ${offset} to ${offset + length} of a storage of ${stored}`);
  }
  if (count > Math.max(stored, BROADCAST)) {
    throw new WeightsError(`${who}: repeats ${stored} stored numbers until they are ${count}`);
  }
  return length;
}

/** True where the view's numbers stand in row-major order without gaps. */
export function isRowMajor({ shape, strides }: Pick<StridedView, 'shape' | 'strides'>): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return false;
    expected *= shape[i];
  }
  return true;
}

/** The view's numbers in row-major order, of `values`, which is the extent of the view. A copy, unless they are already. */
export function rowMajor(values: Float32Array, view: Pick<StridedView, 'shape' | 'strides'>): Float32Array {
  const { shape, strides } = view;
  const count = shape.reduce((product, n) => product * n, 1);
  if (count === 0) return new Float32Array(0);
  if (isRowMajor(view)) return values.length === count ? values : values.subarray(0, count);
  const result = new Float32Array(count);
  const index = new Int32Array(shape.length);
  const last = shape.length - 1;
  let from = 0;
  for (let to = 0; to < count; ) {
    for (let i = 0; i < shape[last]; i++) result[to++] = values[from + i * strides[last]];
    for (let axis = last - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
  }
  return result;
}

/**
 * The nearest 16-bit floats, ties to even (IEEE 754 binary16), as their bits. What is too small becomes a subnormal or
 * zero; infinities and NaN stay.
 *
 * @throws WeightsError where a finite value would become infinite, from 65520 on
 */
export function toFloat16(values: Float32Array, who: string): Uint16Array<ArrayBuffer> {
  const halves = new Float16Array(values);
  for (let i = 0; i < halves.length; i++) {
    if (!Number.isFinite(halves[i]) && Number.isFinite(values[i])) {
      throw new WeightsError(`${who}: ${values[i]} is too large for float16, whose largest is 65504; write float32`);
    }
  }
  return new Uint16Array(halves.buffer);
}
