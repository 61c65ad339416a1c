/** Damages files as accidents and attackers do: cut, flipped, swapped, repeated, lengths and names made hostile.
 *  A mutant depends on the seed and its number alone, so that whatever one finds can be had again. */

import type { Random } from '../../data/random.ts';

/** A file with what lies beside it, by name. */
export interface FuzzCase {
  /** For messages, e.g. `two shards`. */
  readonly label: string;
  /** The file that the reader is given; the others are its siblings. */
  readonly main: string;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** One damage; it may return its argument's buffer, and any length. */
type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

/** A position: often near an end, where formats keep their lengths and tables. */
function place({ length }: Uint8Array, random: Random): number {
  const near = Math.min(length, 256);
  if (length === 0) return 0;
  const choice = random.integer(3);
  if (choice === 0) return random.integer(near);
  return choice === 1 ? length - 1 - random.integer(near) : random.integer(length);
}

function range(bytes: Uint8Array, random: Random, longest = 4096): [from: number, to: number] {
  const from = place(bytes, random);
  return [from, Math.min(bytes.length, from + 1 + random.integer(random.boolean() ? 16 : longest))];
}

const concat = (...parts: readonly Uint8Array[]) => {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

const LENGTHS = [0n, 1n, 0x7fn, 0xffn, 0xffffn, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 1n << 53n, (1n << 63n) - 1n];
const NUMBERS = [
  '0',
  '-1',
  '1e99',
  '99999999',
  '2147483648',
  '9007199254740993',
  '18446744073709551615',
  '0.5',
  'null',
];
const NAMES = [
  '../../../../etc/passwd',
  '/etc/passwd',
  '..\\..\\x',
  'C:\\x',
  '',
  '.',
  '..',
  '__proto__',
  'a\u0000b',
  '//x/y',
];

/** Runs of bytes that `test` accepts, as ranges. */
function runs(bytes: Uint8Array, test: (byte: number) => boolean, least: number): [number, number][] {
  const found: [number, number][] = [];
  for (let i = 0; i < bytes.length; i++) {
    const from = i;
    while (i < bytes.length && test(bytes[i])) i++;
    if (i - from >= least) found.push([from, i]);
  }
  return found;
}

const isDigit = (byte: number) => byte >= 48 && byte <= 57;
const isNameByte = (byte: number) =>
  isDigit(byte) || ((byte | 32) >= 97 && (byte | 32) <= 122) || '._-/:'.includes(String.fromCharCode(byte));

function replaceRun(bytes: Uint8Array, random: Random, found: readonly [number, number][], texts: readonly string[]) {
  if (found.length === 0) return bytes.subarray(0, place(bytes, random));
  const [from, to] = found[random.integer(found.length)];
  const text = new TextEncoder().encode(texts[random.integer(texts.length)]);
  // Of the same length in binary formats, where the length stands before the text; of its own length elsewhere.
  if (random.boolean()) return concat(bytes.subarray(0, from), text, bytes.subarray(to));
  const fitted = Uint8Array.from({ length: to - from }, (_, i) => text[i % Math.max(1, text.length)] ?? 0);
  bytes.set(fitted, from);
  return bytes;
}

/** All damages, by name. Each is as likely as the others. */
export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  truncate: (bytes, random) => bytes.subarray(0, place(bytes, random)),
  flipBits(bytes, random) {
    for (let n = 1 + random.integer(8); n > 0 && bytes.length > 0; n--)
      bytes[place(bytes, random)] ^= 1 << random.integer(8);
    return bytes;
  },
  setBytes(bytes, random) {
    for (let n = 1 + random.integer(4); n > 0 && bytes.length > 0; n--) {
      bytes[place(bytes, random)] = [0, 1, 0x7f, 0x80, 0xff, random.integer(256)][random.integer(6)];
    }
    return bytes;
  },
  hugeLength(bytes, random) {
    const width = [2, 4, 8][random.integer(3)];
    const at = place(bytes, random);
    if (at + width > bytes.length) return bytes.subarray(0, at);
    const lengths = [...LENGTHS, BigInt(bytes.length), BigInt(bytes.length + 1)];
    const length = lengths[random.integer(lengths.length)];
    const little = random.boolean(0.8);
    for (let i = 0; i < width; i++) {
      bytes[at + (little ? i : width - 1 - i)] = Number((length >> BigInt(8 * i)) & 0xffn);
    }
    return bytes;
  },
  number: (bytes, random) => replaceRun(bytes, random, runs(bytes, isDigit, 1), NUMBERS),
  name: (bytes, random) => replaceRun(bytes, random, runs(bytes, isNameByte, 4), NAMES),
  swapNames(bytes, random) {
    const found = runs(bytes, isNameByte, 3);
    if (found.length < 2) return bytes.subarray(0, place(bytes, random));
    const [from, to] = found[random.integer(found.length)];
    const [other] = found[random.integer(found.length)];
    bytes.copyWithin(from, other, other + to - from);
    return bytes;
  },
  swapRanges(bytes, random) {
    const [from, to] = range(bytes, random);
    const [other, end] = range(bytes, random);
    const length = Math.min(to - from, end - other);
    const kept = bytes.slice(from, from + length);
    bytes.copyWithin(from, other, other + length);
    bytes.set(kept, other);
    return bytes;
  },
  repeatRange(bytes, random) {
    const [from, to] = range(bytes, random);
    const part = bytes.subarray(from, to);
    const times = random.boolean(0.9) ? 1 : 1 + random.integer(64);
    return concat(bytes.subarray(0, to), ...Array.from({ length: times }, () => part), bytes.subarray(to));
  },
  deleteRange(bytes, random) {
    const [from, to] = range(bytes, random);
    return concat(bytes.subarray(0, from), bytes.subarray(to));
  },
  noise(bytes, random) {
    const [from, to] = range(bytes, random, 256);
    for (let i = from; i < to; i++) bytes[i] = random.integer(256);
    return bytes;
  },
  zeros(bytes, random) {
    const [from, to] = range(bytes, random);
    return bytes.fill(0, from, to);
  },
};

/** A damaged copy of one of `cases`: one to three damages, mostly to its main file. Names of the damages with it. */
export function mutate(cases: readonly FuzzCase[], random: Random): FuzzCase {
  const { label, main, files } = cases[random.integer(cases.length)];
  const names = Object.keys(files);
  const name = random.boolean(0.7) ? main : names[random.integer(names.length)];
  let bytes: Uint8Array = Uint8Array.from(files[name]); // a Buffer's own slice() would share its memory
  const damages: string[] = [];
  const kinds = Object.keys(MUTATIONS);
  for (let n = random.boolean(0.7) ? 1 : 1 + random.integer(3); n > 0; n--) {
    const kind = kinds[random.integer(kinds.length)];
    damages.push(kind);
    bytes = MUTATIONS[kind](bytes, random);
  }
  const damaged: Record<string, Uint8Array> = { ...files, [name]: bytes };
  if (names.length > 1 && random.boolean(0.05)) {
    delete damaged[names.filter((other) => other !== main)[0]];
    damages.push('missing sibling');
  }
  return { label: `${label}: ${damages.join(', ')} in ${name}`, main, files: damaged };
}
