/** Random access to the entries of a zip file: PyTorch and Keras keep their weights in one.
 *  PKWARE's APPNOTE 6.3: central directory, zip64, stored and deflated entries. Names are keys, never paths. */

import { crc32, inflateRaw } from './deflate.ts';
import { WeightsError } from './errors.ts';
import { show } from './reader.ts';
import { type ByteSource, bytesSource, checkRange } from './source.ts';

export interface ZipEntry {
  readonly name: string;
  /** Of the contents, in bytes. */
  readonly size: number;
  /** Of the stored bytes. */
  readonly compressedSize: number;
  /** 0 stored, 8 deflated; others cannot be read. */
  readonly method: number;
  readonly crc: number;
  /** Where its local header is. */
  readonly offset: number;
}

export interface Zip {
  /** By name, in the directory's order. */
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /**
   * The contents of an entry, whole.
   *
   * @throws WeightsError where there is no such entry, it is damaged, or has more than `limit` bytes
   */
  read(name: string, limit?: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * An entry as a file of its own. Of a stored one only the ranges that are asked for are read; a deflated one is
   * inflated at the first read, and forgotten when another one is. Closing it closes nothing.
   */
  open(name: string): Promise<ByteSource>;
}

/** Of the directory in bytes, 100,000 entries or more. */
const LARGEST_DIRECTORY = 2 ** 25;
/** A deflated entry may hold twice the whole file's size and this: weights compress to a half at best, bombs do more. */
const SPARE = 2 ** 24;
/** What deflate can do at its best (258 bytes for 2 bits), so that a declared size can be judged before any work. */
const BEST_RATIO = 1032;

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

/**
 * Reads the directory.
 *
 * @throws WeightsError where the file is no zip, is damaged, or has two entries of one name or in one place
 */
export async function openZip(source: ByteSource): Promise<Zip> {
  const { name: file } = source;
  const fail = (problem: string) => new WeightsError(`${file}: no readable zip file: ${problem}`);
  const directory = await findDirectory(source, fail);
  const entries = parseDirectory(await source.read(directory.offset, directory.size), directory.count, fail);
  checkPlaces([...entries.values()], directory.offset, fail);

  const find = (name: string): ZipEntry => {
    const entry = entries.get(name);
    if (!entry) throw fail(`it has no entry ${show(name)}`);
    return entry;
  };
  /** Where the stored bytes start: the local header has its own, often different, extra field. */
  const startOf = async (entry: ZipEntry): Promise<number> => {
    const header = viewOf(await source.read(entry.offset, 30));
    if (header.getUint32(0, true) !== LOCAL) throw fail(`${show(entry.name)} is not where the directory says`);
    const start = entry.offset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
    if (start + entry.compressedSize > directory.offset) throw fail(`${show(entry.name)} reaches into the directory`);
    return start;
  };
  const inflate = async (entry: ZipEntry): Promise<Uint8Array<ArrayBuffer>> => {
    const { name, size, compressedSize, crc } = entry;
    if (size > BEST_RATIO * compressedSize + 64 || size > 2 * source.size + SPARE) {
      throw fail(`${show(name)} is said to inflate from ${compressedSize} to ${size} bytes`);
    }
    const start = await startOf(entry);
    const pieces = piecesOf(source, start, compressedSize);
    const bytes = await inflateRaw(pieces, size).catch((error: unknown) => {
      throw error instanceof WeightsError ? error : fail(`${show(name)} is damaged: ${messageOf(error)}`);
    });
    if (crc32(bytes) !== crc) throw fail(`${show(name)} is damaged: its checksum is wrong`);
    return bytes;
  };
  let last: { entry: ZipEntry; bytes: Promise<Uint8Array<ArrayBuffer>> } | undefined;
  const inflated = (entry: ZipEntry) => {
    if (last?.entry !== entry) last = { entry, bytes: inflate(entry) };
    return last.bytes;
  };
  return {
    entries,
    async read(name, limit = 2 * source.size + SPARE) {
      const entry = find(name);
      if (entry.size > limit) throw fail(`${show(name)} has ${entry.size} bytes, more than ${limit}`);
      if (entry.method === 8) return await inflate(entry);
      checkMethod(entry, fail);
      return source.read(await startOf(entry), entry.size);
    },
    async open(name) {
      const entry = find(name);
      const { size } = entry;
      const label = `${file}: ${show(name)}`;
      if (entry.method !== 8) {
        checkMethod(entry, fail);
        const start = await startOf(entry);
        return {
          name: label,
          size,
          read(offset, length) {
            checkRange({ name: label, size }, offset, length);
            return source.read(start + offset, length);
          },
          async close() {},
        };
      }
      return {
        name: label,
        size,
        read: async (offset, length) => bytesSource(await inflated(entry), label).read(offset, length),
        async close() {},
      };
    },
  };
}

type Fail = (problem: string) => WeightsError;

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error)).split('\n')[0];

function checkMethod({ name, method, size, compressedSize }: ZipEntry, fail: Fail): void {
  if (method !== 0)
    throw fail(`${show(name)} is compressed by method ${method}; 0 (stored) and 8 (deflated) can be read`);
  if (size !== compressedSize)
    throw fail(`${show(name)} is stored, but its sizes ${size} and ${compressedSize} differ`);
}

interface Directory {
  readonly offset: number;
  readonly size: number;
  readonly count: number;
}

/** The end record is the last one that fits: a comment of up to 65,535 bytes may follow it. */
async function findDirectory(source: ByteSource, fail: Fail): Promise<Directory> {
  const tail = await source.read(Math.max(0, source.size - 65_557), Math.min(source.size, 65_557));
  const view = viewOf(tail);
  const base = source.size - tail.length;
  for (let at = tail.length - 22; at >= 0; at--) {
    if (view.getUint32(at, true) !== END || at + 22 + view.getUint16(at + 20, true) !== tail.length) continue;
    const end = base + at;
    let found: Directory = {
      count: view.getUint16(at + 10, true),
      size: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
    };
    if (at >= 20 && view.getUint32(at - 20, true) === LOCATOR_64) {
      const wide = viewOf(await source.read(safe(view.getBigUint64(at - 12, true), fail), 56));
      if (wide.getUint32(0, true) !== END_64) throw fail('its zip64 record is not where it says');
      found = {
        count: safe(wide.getBigUint64(32, true), fail),
        size: safe(wide.getBigUint64(40, true), fail),
        offset: safe(wide.getBigUint64(48, true), fail),
      };
    }
    const { count, size, offset } = found;
    if (offset + size > end) throw fail(`its directory is said to be at ${offset} to ${offset + size} of ${end}`);
    if (size > LARGEST_DIRECTORY) throw fail(`its directory has ${size} bytes, more than ${LARGEST_DIRECTORY}`);
    if (count * 46 > size) throw fail(`its directory of ${size} bytes is said to have ${count} entries`);
    return found;
  }
  throw fail('it has no directory at its end; it may be cut off');
}

function safe(value: bigint, fail: Fail): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw fail(`it names byte ${value}`);
  return Number(value);
}

function parseDirectory(bytes: Uint8Array, count: number, fail: Fail): Map<string, ZipEntry> {
  const view = viewOf(bytes);
  const decoder = new TextDecoder();
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== CENTRAL)
      throw fail(`entry ${i} of its directory is damaged`);
    const nameEnd = at + 46 + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const next = extraEnd + view.getUint16(at + 32, true);
    if (next > bytes.length) throw fail(`entry ${i} of its directory is damaged`);
    const name = decoder.decode(bytes.subarray(at + 46, nameEnd));
    const wide = wideFields(view, nameEnd, extraEnd);
    const field = (offset: number): number => {
      const value = view.getUint32(at + offset, true);
      return value === 0xffff_ffff && wide.length > 0 ? safe(wide.shift() as bigint, fail) : value;
    };
    // In the order in which the zip64 field has them.
    const size = field(24);
    const compressedSize = field(20);
    const offset = field(42);
    if (view.getUint16(at + 8, true) & 1) throw fail(`${show(name)} is encrypted`);
    if (entries.has(name)) throw fail(`it has two entries ${show(name)}`);
    const [method, crc] = [view.getUint16(at + 10, true), view.getUint32(at + 16, true)];
    entries.set(name, { name, size, compressedSize, method, crc, offset });
    at = next;
  }
  return entries;
}

/** The 64-bit numbers of the extra field 1, which stand for those that are 0xffffffff. */
function wideFields(view: DataView, from: number, to: number): bigint[] {
  for (let at = from; at + 4 <= to; ) {
    const end = at + 4 + view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1 && end <= to) {
      return Array.from({ length: Math.floor((end - at - 4) / 8) }, (_, i) => view.getBigUint64(at + 4 + 8 * i, true));
    }
    at = end;
  }
  return [];
}

/** Entries that share their bytes are how a small file becomes a huge one without any high ratio. */
function checkPlaces(entries: readonly ZipEntry[], end: number, fail: Fail): void {
  let at = 0;
  for (const { name, offset, compressedSize } of [...entries].sort((a, b) => a.offset - b.offset)) {
    if (offset < at) throw fail(`${show(name)} is in the place of another entry`);
    at = offset + 30 + compressedSize;
    if (at > end) throw fail(`${show(name)} is said to be at ${offset} to ${at} of ${end}`);
  }
}

async function* piecesOf(source: ByteSource, start: number, length: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < length; at += 65_536) yield await source.read(start + at, Math.min(65_536, length - at));
}
