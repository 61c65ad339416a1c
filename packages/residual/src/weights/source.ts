/** Bytes at any place of something long: a file on disk, a Blob in a page, or an array in memory.
 *  Readers ask for the ranges that they need, so that no file is loaded whole unless its format forces it. */

import { WeightsError } from './errors.ts';

export interface ByteSource {
  /** The file's name, for messages. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset` on, a copy of the caller's own.
   *
   * @throws WeightsError where the range leaves the file
   */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** @throws WeightsError where [offset, offset + length) is no range of whole bytes within the source */
export function checkRange({ name, size }: Pick<ByteSource, 'name' | 'size'>, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!whole || offset + length > size) {
    throw new WeightsError(`${name}: is cut off or damaged: needs bytes ${offset} to ${offset + length} of ${size}`);
  }
}

/** Bytes in memory. */
export function bytesSource(bytes: Uint8Array, name: string): ByteSource {
  const size = bytes.byteLength;
  return {
    name,
    size,
    async read(offset, length) {
      checkRange({ name, size }, offset, length);
      return Uint8Array.from(bytes.subarray(offset, offset + length));
    },
    async close() {},
  };
}

/** A `Blob` or `File`, as a page has it. */
export function blobSource(blob: Blob, name: string): ByteSource {
  const { size } = blob;
  return {
    name,
    size,
    async read(offset, length) {
      checkRange({ name, size }, offset, length);
      return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
    },
    async close() {},
  };
}
