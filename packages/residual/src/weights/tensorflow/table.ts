/** LevelDB's table format, which the index of a TensorFlow checkpoint is: sorted keys and values in checked blocks.
 *  https://github.com/google/leveldb/blob/main/doc/table_format.md */

import { maskedCrc32c } from '../crc32c.ts';
import { WeightsError } from '../errors.ts';
import type { ByteSource } from '../source.ts';
import { snappyDecode } from './snappy.ts';

const FOOTER = 48;
const MAGIC = 0xdb4775248b80fb57n;
/** A block's kind of compression, and its CRC. */
const TRAILER = 5;
/** In bytes; keys are paths through a model's objects. */
const LONGEST_KEY = 1024;
const MOST_ENTRIES = 50_000;

interface Handle {
  readonly offset: number;
  readonly size: number;
}

export interface TableEntry {
  /** As bytes: one character each, not decoded. */
  readonly key: string;
  readonly value: Uint8Array<ArrayBuffer>;
}

/** True where a file ends as a table does. */
async function isTable(source: ByteSource): Promise<boolean> {
  if (source.size < FOOTER) return false;
  return new DataView((await source.read(source.size - 8, 8)).buffer).getBigUint64(0, true) === MAGIC;
}

/**
 * All entries, in order.
 *
 * @throws WeightsError where the file is no table, or a block's checksum is wrong
 */
export async function tableEntries(source: ByteSource): Promise<TableEntry[]> {
  const { name, size } = source;
  if (!(await isTable(source)))
    throw new WeightsError(`${name}: is no index of a TensorFlow checkpoint, or is cut off`);
  const footer = new Cursor(await source.read(size - FOOTER, FOOTER), name);
  footer.handle(); // of an index of meta blocks, which TensorFlow has none of
  const index = await blockEntries(source, footer.handle(), 0);
  const entries: TableEntry[] = [];
  let least = 0;
  for (const { value } of index) {
    const handle = new Cursor(value, name).handle();
    // In order, so that no block can be named twice.
    if (handle.offset < least) throw new WeightsError(`${name}: is damaged: its blocks overlap`);
    least = handle.offset + handle.size + TRAILER;
    for (const entry of await blockEntries(source, handle, entries.length)) entries.push(entry);
  }
  return entries;
}

/** @param before How many entries there are already. */
async function blockEntries(source: ByteSource, { offset, size }: Handle, before: number): Promise<TableEntry[]> {
  const { name } = source;
  const damaged = (what: string) => new WeightsError(`${name}: is damaged: the block at byte ${offset} ${what}`);
  const stored = await source.read(offset, size + TRAILER);
  const crc = new DataView(stored.buffer).getUint32(size + 1, true);
  if (crc !== maskedCrc32c(stored.subarray(0, size + 1))) throw damaged('has a wrong checksum');
  const compression = stored[size];
  if (compression !== 0 && compression !== 1) throw damaged(`is compressed in a way that is not known, ${compression}`);
  const block = compression === 1 ? snappyDecode(stored.subarray(0, size), name) : stored.slice(0, size);
  if (block.length < 4) throw damaged('is too short');
  // Restart points serve a binary search; who reads everything passes over them.
  const restarts = new DataView(block.buffer).getUint32(block.length - 4, true);
  const end = block.length - 4 - 4 * restarts;
  if (end < 0) throw damaged('is too short');
  const cursor = new Cursor(block.subarray(0, end), name);
  const entries: TableEntry[] = [];
  let key = '';
  while (!cursor.done) {
    const [shared, rest, length] = [cursor.number(), cursor.number(), cursor.number()];
    if (shared > key.length || shared + rest > LONGEST_KEY) throw damaged('has a key that is damaged or too long');
    if (before + entries.length >= MOST_ENTRIES) throw damaged(`has more than ${MOST_ENTRIES} entries`);
    key = key.slice(0, shared) + String.fromCharCode(...cursor.bytes(rest));
    entries.push({ key, value: cursor.bytes(length) });
  }
  return entries;
}

/** Varints and bytes, one after another. */
class Cursor {
  private at = 0;
  private readonly data: Uint8Array<ArrayBuffer>;
  private readonly name: string;

  constructor(data: Uint8Array<ArrayBuffer>, name: string) {
    this.data = data;
    this.name = name;
  }

  get done(): boolean {
    return this.at >= this.data.length;
  }

  number(): number {
    let value = 0;
    for (let i = 0; i < 8; i++) {
      const byte = this.data[this.at++];
      if (byte === undefined) break;
      value += (byte & 127) * 128 ** i;
      if (byte < 128) return value;
    }
    throw new WeightsError(`${this.name}: is damaged: a number in its index does not end`);
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    if (this.at + length > this.data.length) {
      throw new WeightsError(`${this.name}: is damaged: an entry of its index is longer than its block`);
    }
    this.at += length;
    return this.data.slice(this.at - length, this.at);
  }

  handle(): Handle {
    return { offset: this.number(), size: this.number() };
  }
}
