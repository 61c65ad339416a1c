/** The MNIST family's idx format (http://yann.lecun.com/exdb/mnist/, "file formats"), bytes in, arrays out.
 *  Pure: unpacking gzip and finding files is node/idx-files.ts's work. */
import { DataError } from './errors.ts';

export interface IdxArray {
  readonly dims: readonly number[];
  /** A view of the file's bytes, not a copy. */
  readonly data: Uint8Array;
}

const UNSIGNED_BYTE = 0x08;

/**
 * Reads an idx file of unsigned bytes: two zero bytes, the type (8), the number of dimensions, the dimensions as
 * big-endian 32-bit integers, then the values row by row.
 *
 * @param name for messages: the file
 * @throws DataError where the bytes are not idx, or are fewer or more than the header says
 */
export function parseIdx(bytes: Uint8Array, name: string): IdxArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4 || view.getUint16(0) !== 0) {
    throw new DataError(`${name} is not an idx file: it must begin with two zero bytes`);
  }
  const type = view.getUint8(2);
  const rank = view.getUint8(3);
  if (type !== UNSIGNED_BYTE || rank < 1 || rank > 4) {
    throw new DataError(
      `${name} is not an idx file of images or labels: type 8 and 1 to 4 dimensions are expected, it says type ${type} and ${rank}`,
    );
  }
  const header = 4 + 4 * rank;
  if (bytes.length < header) {
    throw new DataError(`${name} is truncated: its header takes ${header} bytes, found ${bytes.length}`);
  }
  const dims = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const expected = header + dims.reduce((a, b) => a * b, 1);
  if (bytes.length !== expected) {
    const what = bytes.length < expected ? 'is truncated' : 'is too long';
    throw new DataError(
      `${name} ${what}: expected ${expected} bytes for ${dims.join(' x ')} values, found ${bytes.length}`,
    );
  }
  return { dims, data: bytes.subarray(header) };
}

/** Writes what `parseIdx` reads. */
export function encodeIdx(dims: readonly number[], data: Uint8Array): Uint8Array<ArrayBuffer> {
  const header = 4 + 4 * dims.length;
  const bytes = new Uint8Array(header + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(2, UNSIGNED_BYTE);
  view.setUint8(3, dims.length);
  dims.forEach((size, i) => {
    view.setUint32(4 + 4 * i, size);
  });
  bytes.set(data, header);
  return bytes;
}
