/** Inflates exactly as much as was promised, with the platform's own DecompressionStream, and checks sums.
 *  A stream that gives more than its declared size is stopped there: that is what a zip bomb does. */

/**
 * Inflates a raw deflate stream (RFC 1951) of `size` bytes.
 *
 * @throws Error where the stream is damaged, or gives fewer or more bytes; nothing beyond `size` is kept
 */
export async function inflateRaw(
  pieces: AsyncIterable<Uint8Array<ArrayBuffer>>,
  size: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { readable, writable } = new DecompressionStream('deflate-raw');
  const writer = writable.getWriter();
  const feeding = (async () => {
    for await (const piece of pieces) {
      await writer.ready;
      await writer.write(piece);
    }
    await writer.close();
  })();
  // Whatever goes wrong in here, the reader below or the await at the end hears of it.
  feeding.catch((error: unknown) => writer.abort(error).catch(() => {}));
  const result = new Uint8Array(size);
  let filled = 0;
  const reader = readable.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (filled + value.length > size) {
      await reader.cancel().catch(() => {});
      throw new Error(`it inflates to more than its ${size} bytes`);
    }
    result.set(value, filled);
    filled += value.length;
  }
  await feeding;
  if (filled !== size) throw new Error(`it inflates to ${filled} bytes, not ${size}`);
  return result;
}

let table: Uint32Array | undefined;

/** The checksum of zip and gzip (ISO 3309), for pages too, which have none of their own. */
export function crc32(bytes: Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, i) => {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
    return crc;
  });
  let crc = 0xffff_ffff;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}
