/** Tables in LevelDB's format, as tests need them: of entries, and of a block whose bytes may be anything.
 *  `readBlock` lets the fuzzer past the checksums. */

import { maskedCrc32c } from '../crc32c.ts';
import { Message } from '../protobuf-writer.ts';
import type { WeightReader } from '../reader.ts';
import { bytesSource } from '../source.ts';
import { readTensorflow } from './tensorflow.ts';

const concat = (...parts: readonly Uint8Array[]) => Uint8Array.from(Buffer.concat(parts));
const u32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);

function varints(...values: readonly number[]): Uint8Array {
  // A packed list, behind a tag and a length.
  const message = new Message().integers(1, values).finish();
  return message.subarray(message.findIndex((byte, i) => i > 0 && byte < 128) + 1);
}

type Pairs = readonly (readonly [key: string, value: Uint8Array])[];

/** Uncompressed, without shared prefixes; the byte that says so comes first. */
function content(pairs: Pairs): Uint8Array {
  const rows = pairs.map(([key, value]) => concat(varints(0, key.length, value.length), Buffer.from(key), value));
  return concat(Uint8Array.of(0), ...rows, u32(0), u32(1));
}

/** A table of one block of entries. */
export function table(pairs: Pairs): Uint8Array {
  return tableOf(content(pairs));
}

/** A table whose one block is `bytes` but for the first, which says how they are compressed. */
export function tableOf(bytes: Uint8Array): Uint8Array {
  const block = (marked: Uint8Array) => {
    const stored = concat(marked.subarray(1), marked.subarray(0, 1));
    return concat(stored, u32(maskedCrc32c(stored)));
  };
  const data = block(bytes);
  const meta = block(content([]));
  const index = block(content([['z', varints(0, data.length - 5)]]));
  const places = varints(data.length, meta.length - 5, data.length + meta.length, index.length - 5);
  const footer = new Uint8Array(48);
  footer.set(places);
  new DataView(footer.buffer).setBigUint64(40, 0xdb4775248b80fb57n, true);
  return concat(data, meta, index, footer);
}

/** The inverse, of a real index, which has one block since a block may have 256 kB. */
export function contentOf(index: Uint8Array): Uint8Array {
  // The footer begins with where the block after the data is.
  let size = 0;
  for (let i = 0, byte = 128; byte >= 128; i++) {
    byte = index.at(i - 48) ?? 0;
    size += (byte & 127) * 128 ** i;
  }
  return concat(index.subarray(size - 5, size - 4), index.subarray(0, size - 5));
}

/** Reads a checkpoint whose index is given as what `contentOf` makes of it. */
export const readBlock: WeightReader = async (source, siblings) => {
  const bytes = await source.read(0, source.size);
  return readTensorflow(bytesSource(tableOf(bytes.length === 0 ? new Uint8Array(1) : bytes), source.name), siblings);
};
