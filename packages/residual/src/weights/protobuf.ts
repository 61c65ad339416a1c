/** Protocol buffers, read: the fields of a message, in memory or along a source of bytes, each checked to end in time.
 *  https://protobuf.dev/programming-guides/encoding; what a field means its reader knows, there is no schema here. */

import { WeightsError } from './errors.ts';
import type { ByteSource } from './source.ts';

/** One field of a message. */
export interface Field {
  /** Its number in the .proto file. */
  readonly number: number;
  readonly type: 'varint' | 'fixed64' | 'bytes' | 'fixed32';
  /** Of a varint: its 64 bits as a signed number (exact up to 2^53). 0 for the other types. */
  readonly value: number;
  /** Where its content begins, in the source, or in the array of bytes. */
  readonly start: number;
  readonly end: number;
}

/** A message's place in a source. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

const TYPES: readonly (Field['type'] | undefined)[] = ['varint', 'fixed64', 'bytes', undefined, undefined, 'fixed32'];
/** A tag and a length, or a tag and a value: what a field needs to be known but for its content. */
const MOST_HEADER = 20;

/**
 * The fields of a message in memory, in order.
 *
 * @param name What is read, for messages.
 * @throws WeightsError where the bytes are no message
 */
export function* fields(bytes: Uint8Array, name: string, range: Range = whole(bytes)): Generator<Field> {
  for (let at = range.start; at < range.end; ) {
    const field = fieldAt(bytes, at, range.end, 0, name);
    yield field;
    at = field.end;
  }
}

/**
 * The fields of a message somewhere in a source, in order. What is large in it is passed over, not read; the visitor is
 * called at once for each field, and notes down which parts to visit or to read later.
 *
 * @throws WeightsError where the bytes are no message
 */
export async function walkFields(source: ByteSource, range: Range, visit: (field: Field) => void): Promise<void> {
  const { start, end } = range;
  for (let at = start; at < end; ) {
    const window = await source.read(at, Math.min(WINDOW, end - at));
    const base = at;
    // The last bytes of a window may be the beginning of a field whose rest is in the next.
    const enough = base + window.length === end ? end : base + window.length - MOST_HEADER;
    while (at < enough) {
      const field = fieldAt(window, at - base, end - base, base, source.name);
      visit(field);
      at = field.end;
    }
  }
}

const WINDOW = 1 << 16;

/** The field at a place, whose content may lie beyond the bytes, but not beyond `end`. `base` is added to its places. */
function fieldAt(bytes: Uint8Array, at: number, end: number, base: number, name: string): Field {
  const tag = varintAt(bytes, at, end, base, name);
  const number = Math.floor(tag.value / 8);
  const type = TYPES[tag.value % 8];
  if (number < 1 || number > 0x1fffffff || !type) {
    throw new WeightsError(`${name}: is damaged: ${tag.value} at byte ${base + at} is no tag of a protobuf field`);
  }
  const place = (start: number, stop: number, value = 0): Field => {
    if (stop > end) {
      const limits = `ends at byte ${base + stop}, what holds it at ${base + end}`;
      throw new WeightsError(`${name}: is cut off or damaged: protobuf field ${number} at byte ${base + at} ${limits}`);
    }
    return { number, type, value, start: base + start, end: base + stop };
  };
  if (type === 'fixed64') return place(tag.end, tag.end + 8);
  if (type === 'fixed32') return place(tag.end, tag.end + 4);
  const first = varintAt(bytes, tag.end, end, base, name);
  if (type === 'varint') return place(tag.end, first.end, first.value);
  // A negative length is one of 2^63 bytes or more.
  return place(first.end, first.value < 0 ? Number.POSITIVE_INFINITY : first.end + first.value);
}

function varintAt(bytes: Uint8Array, at: number, end: number, base: number, name: string) {
  let [low, high] = [0, 0];
  for (let i = 0; i < 10; i++) {
    const byte = at + i < end ? bytes[at + i] : undefined;
    if (byte === undefined) break;
    const bits = byte & 127;
    // 28 bits by shifts, the others by multiplication: bit operations end at 32.
    if (i < 4) low |= bits << (7 * i);
    else high += bits * 128 ** (i - 4);
    if (byte < 128) return { value: signed(high, low), end: at + i + 1 };
  }
  throw new WeightsError(`${name}: is cut off or damaged: the number at byte ${base + at} does not end`);
}

/** high·2^28 + low, of which 64 bits count, as an int64. */
function signed(high: number, low: number): number {
  if (high < 2 ** 24) return high * 2 ** 28 + low;
  // Rare: below zero, or above 2^52.
  return Number(BigInt.asIntN(64, BigInt(high) * 268435456n + BigInt(low)));
}

/**
 * The numbers of a packed list of varints, each an int64 (exact up to 2^53).
 *
 * @throws WeightsError where the last one does not end
 */
export function packedVarints(bytes: Uint8Array, name: string, range: Range = whole(bytes)): number[] {
  const values: number[] = [];
  for (let at = range.start; at < range.end; ) {
    const { value, end } = varintAt(bytes, at, range.end, 0, name);
    values.push(value);
    at = end;
  }
  return values;
}

/** The text of a field of a message in memory. */
export function textOf(bytes: Uint8Array, { start, end }: Range): string {
  return new TextDecoder().decode(bytes.subarray(start, end));
}

/** The 32-bit float of a field of a message in memory. */
export function floatOf(bytes: Uint8Array, { start }: Range): number {
  return new DataView(bytes.buffer, bytes.byteOffset + start, 4).getFloat32(0, true);
}

/** The same source with its last reads kept, for many small reads near each other. */
export function buffered(source: ByteSource): ByteSource {
  let [begin, held] = [0, new Uint8Array(0)];
  return {
    name: source.name,
    size: source.size,
    async read(offset, length) {
      if (length > WINDOW) return source.read(offset, length);
      if (offset < begin || offset + length > begin + held.length) {
        // What leaves the file is refused by the source itself.
        const ahead = Math.max(length, Math.min(4 * WINDOW, source.size - offset));
        [begin, held] = [offset, await source.read(offset, ahead)];
      }
      return held.slice(offset - begin, offset - begin + length);
    },
    close: () => source.close(),
  };
}

const whole = (bytes: Uint8Array): Range => ({ start: 0, end: bytes.length });
