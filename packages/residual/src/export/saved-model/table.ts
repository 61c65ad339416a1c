/** LevelDB's table format, written: the index of a TensorFlow checkpoint, sorted keys and values in checked blocks.
 *  https://github.com/google/leveldb/blob/main/doc/table_format.md; `weights/tensorflow/table.ts` reads it. */

import { maskedCrc32c } from '../../weights/crc32c.ts';

/** In bytes, about: a reader holds one block at a time. */
const BLOCK = 64 * 1024;
const MAGIC = 0xdb4775248b80fb57n;
const UNCOMPRESSED = 0;
/** A block's kind of compression, and its CRC. */
const TRAILER = 5;
const FOOTER = 48;

export interface TableRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** @param rows each key once, in any order */
export function writeTable(rows: readonly TableRow[]): Uint8Array {
  const sorted = rows.toSorted((a, b) => compare(a.key, b.key));
  const file: Uint8Array[] = [];
  let offset = 0;
  const append = (content: Uint8Array): Uint8Array => {
    const stored = joined([content, Uint8Array.of(UNCOMPRESSED)]);
    const crc = new Uint8Array(4);
    new DataView(crc.buffer).setUint32(0, maskedCrc32c(stored), true);
    file.push(stored, crc);
    const handle = Uint8Array.from([...varint(offset), ...varint(content.length)]);
    offset += content.length + TRAILER;
    return handle;
  };
  const index: TableRow[] = [];
  for (let from = 0; from < sorted.length; ) {
    let [to, size] = [from, 0];
    for (; to < sorted.length && (to === from || size < BLOCK); to++) {
      size += (sorted[to]?.key.length ?? 0) + (sorted[to]?.value.length ?? 0);
    }
    const rowsOfBlock = sorted.slice(from, to);
    const last = rowsOfBlock.at(-1)?.key ?? new Uint8Array();
    index.push({ key: last, value: append(block(rowsOfBlock)) });
    from = to;
  }
  const meta = append(block([]));
  const places = joined([meta, append(block(index))]);
  const footer = new Uint8Array(FOOTER);
  footer.set(places);
  new DataView(footer.buffer).setBigUint64(FOOTER - 8, MAGIC, true);
  return joined([...file, footer]);
}

/** Keys are whole and each is a place to begin a search at: no prefix is shared with the key before. */
function block(rows: readonly TableRow[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const starts: number[] = [];
  let size = 0;
  for (const { key, value } of rows) {
    starts.push(size);
    const lengths = Uint8Array.from([...varint(0), ...varint(key.length), ...varint(value.length)]);
    parts.push(lengths, key, value);
    size += lengths.length + key.length + value.length;
  }
  // A block has one place to begin at least.
  if (starts.length === 0) starts.push(0);
  const restarts = Uint32Array.of(...starts, starts.length);
  return joined([...parts, new Uint8Array(restarts.buffer)]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return bytes;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return (a[i] ?? 0) - (b[i] ?? 0);
  return a.length - b.length;
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
