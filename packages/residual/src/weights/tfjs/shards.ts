/** Several files as one: TF.js cuts the bytes of a group of weights into shards of 4 MB, anywhere.
 *  A read touches only the shards that it needs. */

import { type ByteSource, checkRange } from '../source.ts';

/** The bytes of all parts, one after another. Closing it closes the parts. */
export function joined(parts: readonly ByteSource[], name: string): ByteSource {
  const begins: number[] = [];
  let size = 0;
  for (const part of parts) {
    begins.push(size);
    size += part.size;
  }
  return {
    name,
    size,
    async read(offset, length) {
      checkRange({ name, size }, offset, length);
      const bytes = new Uint8Array(length);
      for (const [i, part] of parts.entries()) {
        const begin = begins[i] ?? 0;
        const [from, to] = [Math.max(offset, begin), Math.min(offset + length, begin + part.size)];
        if (from < to) bytes.set(await part.read(from - begin, to - from), from - offset);
      }
      return bytes;
    },
    async close() {
      for (const part of parts) await part.close();
    },
  };
}
