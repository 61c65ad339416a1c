/** Files packed behind a model: a zip archive at the file's end, as TFLite Metadata has it.
 *  Readers of the model stop before it; readers of zip archives start from the end. Nothing is compressed, as the Task
 *  Library wants it. (PKWARE's APPNOTE 6.3.) */

import { crc32 } from '../../weights/deflate.ts';

export interface PackedFile {
  readonly name: string;
  readonly data: Uint8Array;
}

/** The model's bytes followed by the archive; its offsets count from the start of the whole. */
export function appendZip(model: Uint8Array, files: readonly PackedFile[]): Uint8Array {
  const parts: Uint8Array[] = [model];
  const directory: Uint8Array[] = [];
  let offset = model.length;
  for (const { name, data } of files) {
    const encoded = new TextEncoder().encode(name);
    const common = [
      ...u16(20), // version needed
      ...u16(0x0800), // names are UTF-8
      ...u16(0), // stored
      ...u16(0), // midnight
      ...u16(0x21), // of 1 January 1980: the same model gives the same bytes
      ...u32(crc32(data)),
      ...u32(data.length),
      ...u32(data.length),
      ...u16(encoded.length),
      ...u16(0),
    ];
    const header = Uint8Array.of(...u32(0x04034b50), ...common, ...encoded);
    directory.push(
      Uint8Array.of(
        ...u32(0x02014b50),
        ...u16(20),
        ...common,
        ...u16(0), // no comment
        ...u16(0), // disk
        ...u16(0),
        ...u32(0),
        ...u32(offset),
        ...encoded,
      ),
    );
    parts.push(header, data);
    offset += header.length + data.length;
  }
  const directorySize = directory.reduce((sum, { length }) => sum + length, 0);
  const end = Uint8Array.of(
    ...u32(0x06054b50),
    ...u32(0),
    ...u16(files.length),
    ...u16(files.length),
    ...u32(directorySize),
    ...u32(offset),
    ...u16(0),
  );
  return joined([...parts, ...directory, end]);
}

/**
 * The files that {@link appendZip}, or TensorFlow's own tools, packed behind a model; none where there are none.
 * Compressed entries are left out: the format has none.
 */
export function packedFiles(file: Uint8Array): PackedFile[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const within = (at: number, length: number) => at >= 0 && at + length <= file.length;
  let end = file.length - 22;
  // A comment of up to 65,535 bytes may follow the end's record.
  const lowest = Math.max(0, end - 0xffff);
  while (end >= lowest && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < lowest) return [];
  const files: PackedFile[] = [];
  let at = view.getUint32(end + 16, true);
  for (let i = view.getUint16(end + 10, true); i > 0; i--) {
    if (!within(at, 46) || view.getUint32(at, true) !== 0x02014b50) return files;
    const [stored, size] = [view.getUint16(at + 10, true) === 0, view.getUint32(at + 24, true)];
    const [nameLength, extra, comment] = [28, 30, 32].map((place) => view.getUint16(at + place, true));
    const local = view.getUint32(at + 42, true);
    if (stored && within(at + 46, nameLength) && within(local, 30)) {
      const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      const name = new TextDecoder().decode(file.subarray(at + 46, at + 46 + nameLength));
      if (within(start, size)) files.push({ name, data: file.subarray(start, start + size) });
    }
    at += 46 + nameLength + extra + comment;
  }
  return files;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

const u16 = (value: number) => [value & 255, value >>> 8];
const u32 = (value: number) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
