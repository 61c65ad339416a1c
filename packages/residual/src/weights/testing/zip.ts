/** Makes zip files for tests, honest ones and hostile ones: any field can be set to what it should not be. */

import { crc32, deflateRawSync } from 'node:zlib';

export interface TestEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Default false: stored. */
  readonly deflate?: boolean;
  /** What the directory and the local header say instead of the truth. */
  readonly size?: number;
  readonly compressedSize?: number;
  readonly method?: number;
  readonly flags?: number;
  readonly crc?: number;
  readonly offset?: number;
  /** Sizes and offset go to a zip64 field. */
  readonly wide?: boolean;
  /** Empty bytes in the local header's extra field, as PyTorch pads. */
  readonly padding?: number;
}

export interface TestZipOptions {
  readonly comment?: string;
  /** Write the zip64 end record and its locator. */
  readonly wide?: boolean;
  readonly count?: number;
}

class Bytes {
  readonly parts: number[] = [];
  u16(value: number): this {
    this.parts.push(value & 0xff, (value >>> 8) & 0xff);
    return this;
  }
  u32(value: number): this {
    return this.u16(value & 0xffff).u16(value >>> 16);
  }
  u64(value: number): this {
    return this.u32(value >>> 0).u32(Math.floor(value / 2 ** 32));
  }
  raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.parts.push(byte);
    return this;
  }
}

export function testZip(
  entries: readonly TestEntry[],
  { comment = '', wide = false, count }: TestZipOptions = {},
): Uint8Array {
  const file = new Bytes();
  const directory = new Bytes();
  for (const entry of entries) {
    const stored = entry.deflate ? new Uint8Array(deflateRawSync(entry.bytes)) : entry.bytes;
    const name = new TextEncoder().encode(entry.name);
    const size = entry.size ?? entry.bytes.length;
    const compressedSize = entry.compressedSize ?? stored.length;
    const method = entry.method ?? (entry.deflate ? 8 : 0);
    const crc = entry.crc ?? crc32(entry.bytes);
    const flags = entry.flags ?? 0;
    const offset = entry.offset ?? file.parts.length;
    const padding = entry.padding ?? 0;
    file.u32(0x04034b50).u16(20).u16(flags).u16(method).u32(0).u32(crc).u32(compressedSize).u32(size);
    file.u16(name.length).u16(padding).raw(name).raw(new Uint8Array(padding)).raw(stored);
    const max = 0xffff_ffff;
    directory.u32(0x02014b50).u16(45).u16(45).u16(flags).u16(method).u32(0).u32(crc);
    directory.u32(entry.wide ? max : compressedSize).u32(entry.wide ? max : size);
    directory
      .u16(name.length)
      .u16(entry.wide ? 28 : 0)
      .u16(0)
      .u16(0)
      .u16(0)
      .u32(0)
      .u32(entry.wide ? max : offset)
      .raw(name);
    if (entry.wide) directory.u16(1).u16(24).u64(size).u64(compressedSize).u64(offset);
  }
  const at = file.parts.length;
  const all = count ?? entries.length;
  file.raw(Uint8Array.from(directory.parts));
  if (wide) {
    const end = file.parts.length;
    file.u32(0x06064b50).u64(44).u16(45).u16(45).u32(0).u32(0).u64(all).u64(all).u64(directory.parts.length).u64(at);
    file.u32(0x07064b50).u32(0).u64(end).u32(1);
  }
  const text = new TextEncoder().encode(comment);
  const narrow = (value: number) => (wide ? 0xffff_ffff : value);
  file
    .u32(0x06054b50)
    .u16(0)
    .u16(0)
    .u16(wide ? 0xffff : all)
    .u16(wide ? 0xffff : all);
  file.u32(narrow(directory.parts.length)).u32(narrow(at)).u16(text.length).raw(text);
  return Uint8Array.from(file.parts);
}
