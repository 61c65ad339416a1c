/** Snappy's raw format, decoded: LevelDB tables may have their blocks in it.
 *  https://github.com/google/snappy/blob/main/format_description.txt; forty lines need no library. */

import { WeightsError } from '../errors.ts';

/** Three bytes can stand for 64 at most. */
const MOST = 22;

/** @throws WeightsError where the bytes are damaged */
export function snappyDecode(bytes: Uint8Array, name: string): Uint8Array<ArrayBuffer> {
  const fail = (what: string) => new WeightsError(`${name}: is damaged: a snappy block ${what}`);
  let [at, size, scale] = [0, 0, 1];
  for (let byte = 128; byte >= 128; scale *= 128) {
    byte = bytes[at++] ?? 255;
    if (at > bytes.length || at > 5) throw fail('has no length');
    size += (byte & 127) * scale;
  }
  if (size > MOST * bytes.length) throw fail(`of ${bytes.length} bytes cannot hold ${size}`);
  const result = new Uint8Array(size);
  let to = 0;
  const number = (length: number): number => {
    let value = 0;
    for (let i = 0; i < length; i++) value += (bytes[at + i] ?? 0) * 256 ** i;
    at += length;
    return value;
  };
  while (at < bytes.length) {
    const tag = number(1);
    if ((tag & 3) === 0) {
      const short = tag >> 2;
      const length = 1 + (short < 60 ? short : number(short - 59));
      if (at + length > bytes.length || to + length > size) throw fail('is cut off');
      result.set(bytes.subarray(at, at + length), to);
      at += length;
      to += length;
      continue;
    }
    const near = (tag & 3) === 1;
    const length = near ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2);
    const distance = near ? (tag >> 5) * 256 + number(1) : number((tag & 3) === 2 ? 2 : 4);
    if (at > bytes.length || distance === 0 || distance > to || to + length > size) throw fail('copies from nowhere');
    // One by one: a copy may overlap itself, which repeats.
    for (const end = to + length; to < end; to++) result[to] = result[to - distance] ?? 0;
  }
  if (to !== size) throw fail(`has ${to} bytes, not ${size}`);
  return result;
}
