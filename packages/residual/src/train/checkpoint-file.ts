/** The format of a checkpoint: one file of named arrays behind a JSON header, with checksums of both.
 *  One file, because one rename is atomic and two are not. */

import { ModelError } from '../models/errors.ts';
import { codeOf, node, writeAside } from '../models/files.ts';

/** Bytes 0–7. The digit is the format's version. */
const MAGIC = 'RESCKPT1';
/** Magic, then the header's length and checksum as 32-bit little-endian integers. */
const PREFIX = 16;
/** The header is filled up with spaces so that the arrays behind it start aligned. */
const ALIGNMENT = 64;

type Values = Float32Array | Int32Array;

export interface NamedArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Values;
}

interface Header {
  readonly meta: unknown;
  readonly arrays: readonly {
    readonly name: string;
    readonly dtype: 'float32' | 'int32';
    readonly shape: readonly number[];
    /** Length in elements of 4 bytes; the arrays follow one another without gaps. */
    readonly length: number;
  }[];
  /** CRC-32 of all arrays. */
  readonly crc: number;
}

/**
 * Writes arrays and anything that JSON can say about them, aside and renamed.
 *
 * Layout: 8 bytes `RESCKPT1`; u32 header length; u32 CRC-32 of the header; the header as JSON (`meta`, `arrays`, `crc`),
 * filled up to a multiple of 64 with the prefix; the arrays' values, little-endian.
 *
 * @throws WriteError; the old file stays
 */
export async function writeCheckpointFile(file: string, meta: unknown, arrays: readonly NamedArray[]): Promise<void> {
  const { zlib } = node();
  const parts = arrays.map(({ values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  const header: Header = {
    meta,
    arrays: arrays.map(({ name, shape, values }) => ({
      name,
      dtype: values instanceof Float32Array ? 'float32' : 'int32',
      shape,
      length: values.length,
    })),
    crc: parts.reduce((crc, part) => zlib.crc32(part, crc), 0),
  };
  let text = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(Math.ceil((PREFIX + text.length) / ALIGNMENT) * ALIGNMENT - PREFIX).fill(0x20);
  padded.set(text);
  text = padded;
  const prefix = new DataView(new ArrayBuffer(PREFIX));
  for (let i = 0; i < MAGIC.length; i++) prefix.setUint8(i, MAGIC.charCodeAt(i));
  prefix.setUint32(8, text.length, true);
  prefix.setUint32(12, zlib.crc32(text), true);
  await writeAside(file, [new Uint8Array(prefix.buffer), text, ...parts]);
}

/**
 * Reads what `writeCheckpointFile` wrote.
 *
 * @returns undefined where there is no such file.
 * @throws ModelError for a file of another kind or with a wrong checksum
 */
export async function readCheckpointFile(
  file: string,
): Promise<{ meta: unknown; arrays: Map<string, NamedArray> } | undefined> {
  const { fs, zlib } = node();
  let bytes: Buffer<ArrayBuffer>;
  try {
    bytes = await fs.promises.readFile(file);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ModelError(`${file}: cannot be read (${code})`);
  }
  const damaged = (what: string) => new ModelError(`${file}: is damaged (${what}); the run cannot go on from it`);
  if (bytes.length < PREFIX || bytes.toString('latin1', 0, 8) !== MAGIC) {
    throw new ModelError(`${file}: is no checkpoint of this version, it does not begin with ${MAGIC}`);
  }
  const headerEnd = PREFIX + bytes.readUInt32LE(8);
  const headerBytes = bytes.subarray(PREFIX, headerEnd);
  if (zlib.crc32(headerBytes) !== bytes.readUInt32LE(12)) throw damaged('its header has a wrong checksum');
  const { meta, arrays, crc } = JSON.parse(headerBytes.toString('utf8')) as Header;
  if (zlib.crc32(bytes.subarray(headerEnd)) !== crc) throw damaged('its values have a wrong checksum');
  let offset = headerEnd;
  const named = new Map<string, NamedArray>();
  for (const { name, dtype, shape, length } of arrays) {
    const raw = bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + offset + 4 * length);
    named.set(name, { name, shape, values: dtype === 'float32' ? new Float32Array(raw) : new Int32Array(raw) });
    offset += 4 * length;
  }
  return { meta, arrays: named };
}
