/** What torch.save wrote before PyTorch 1.6, and still writes on request: pickles one after the other, then storages.
 *  Magic number, version, system, the value, the storages' keys; then each storage with its length, little-endian. */

import { WeightsError } from '../errors.ts';
import { WIDTHS } from '../floats.ts';
import { show } from '../reader.ts';
import type { ByteSource } from '../source.ts';
import { LARGEST_PICKLE } from './archive.ts';
import { asStorage, findGlobal, isCount, parseStorageId, type Storage } from './objects.ts';
import { PickleCut, unpickle } from './pickle.ts';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const VERSION = 1001;

/** The first bytes of such a file: PROTO, LONG1 and the magic number. The protocol, at 1, may be any. */
export function isLegacy(start: Uint8Array): boolean {
  const magic = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
  return start[0] === 0x80 && magic.every((byte, i) => start[2 + i] === byte);
}

/** A storage whose place is known only when the whole pickle is read. */
interface Placed {
  start: number;
  readonly size: number;
  readonly width: number;
}

/** The value that was saved. Its tensors read from `source` later. */
export async function readLegacy(source: ByteSource): Promise<unknown> {
  const { name: file, size: fileSize } = source;
  const fail = (problem: string) => new WeightsError(`${file}: no readable PyTorch file: ${problem}`);
  const placed = new Map<string, Placed>();

  const load = (id: unknown): Storage => {
    const { type, key, size, view } = parseStorageId(id, file);
    const width = type ? WIDTHS[type] : 1;
    const root = placed.get(key) ?? { start: -1, size, width };
    if (root.size !== size) throw fail(`storage ${show(key)} has both ${root.size} and ${size} bytes`);
    placed.set(key, root);
    // A part of the storage as a storage: (its key, its first number, their count).
    const [, from, count] = Array.isArray(view) ? view : [key, 0, size / width];
    if (!isCount(from) || !isCount(count) || (from + count) * width > size) {
      throw fail(`a view leaves storage ${show(key)} of ${size / width} numbers`);
    }
    return asStorage({
      type,
      size: count * width,
      littleEndian: true,
      read: (offset, length) => source.read(root.start + from * width + offset, length),
    });
  };
  const find = findGlobal(file);
  const none = (): never => {
    throw fail('a storage is named where none may be');
  };
  let at = 0;
  const next = async (loader: (id: unknown) => unknown): Promise<unknown> => {
    const { value, end } = await unpickleAt(source, at, { file, find, load: loader });
    at = end;
    return value;
  };

  if ((await next(none)) !== MAGIC) throw fail('it has not the magic number of torch.save');
  const version = await next(none);
  if (version !== VERSION) throw fail(`its version is not ${VERSION}`);
  await next(none); // The system: its byte order and sizes of types, which no storage depends on.
  const value = await next(load);
  const keys = await next(none);
  const isKey = (key: unknown) => typeof key === 'string' || typeof key === 'number';
  if (!Array.isArray(keys) || !keys.every(isKey)) throw fail('it has no list of storages');

  const seen = new Set<string>();
  for (const key of keys.map(String)) {
    const storage = placed.get(key);
    if (!storage || seen.has(key)) throw fail(`storage ${show(key)} belongs to no tensor`);
    seen.add(key);
    const count = new DataView((await source.read(at, 8)).buffer).getBigInt64(0, true);
    if (count !== BigInt(storage.size / storage.width)) {
      throw fail(`storage ${show(key)} has ${count} numbers, not ${storage.size / storage.width}`);
    }
    storage.start = at + 8;
    at += 8 + storage.size;
    if (at > fileSize) throw new WeightsError(`${file}: is cut off: needs ${at} bytes or more, has ${fileSize}`);
  }
  for (const [key, { start }] of placed) {
    if (start < 0) throw fail(`storage ${show(key)} is missing`);
  }
  return value;
}

/** Reads as much as the pickle turns out to need: its length is written nowhere. */
async function unpickleAt(source: ByteSource, at: number, space: Parameters<typeof unpickle>[1]) {
  for (let length = 2 ** 16; ; length *= 4) {
    const bytes = await source.read(at, Math.min(length, source.size - at));
    try {
      const { value, end } = unpickle(bytes, space);
      return { value, end: at + end };
    } catch (error) {
      if (!(error instanceof PickleCut) || at + length >= source.size || length >= LARGEST_PICKLE) throw error;
    }
  }
}
