/** A message of protocol buffers by field number: what a reader asks for once it knows the .proto file.
 *  Only places are kept; text and lists are read from the source when they are asked for. */

import { WeightsError } from './errors.ts';
import { type Field, packedVarints, type Range, walkFields } from './protobuf.ts';
import type { ByteSource } from './source.ts';

/** A message of more fields than this is none that a network needs, and their places would fill the memory. */
const MOST_FIELDS = 50_000;

/** @throws WeightsError where the bytes are no message, or hold more than 50,000 fields */
export async function readMessage(source: ByteSource, range: Range): Promise<MessageFields> {
  const fields = new Map<number, Field[]>();
  let count = 0;
  await walkFields(source, range, (field) => {
    if (++count > MOST_FIELDS) {
      const where = `the protobuf message at byte ${range.start}`;
      throw new WeightsError(`${source.name}: ${where} has more than ${MOST_FIELDS} fields: too many for a model`);
    }
    const others = fields.get(field.number);
    if (others) others.push(field);
    else fields.set(field.number, [field]);
  });
  return new MessageFields(source, fields);
}

/**
 * The fields of one message. A field that is missing is `undefined`, or an empty list: a .proto's default is its reader's
 * to know. Of a field that may occur once and occurs twice the last one counts.
 *
 * Every method throws WeightsError for a field of another type than is asked for.
 */
export class MessageFields {
  private readonly source: ByteSource;
  private readonly fields: ReadonlyMap<number, readonly Field[]>;

  constructor(source: ByteSource, fields: ReadonlyMap<number, readonly Field[]>) {
    this.source = source;
    this.fields = fields;
  }

  has(number: number): boolean {
    return this.fields.has(number);
  }

  /** int32, int64, bool, enum. */
  integer(number: number): number | undefined {
    return this.all(number, ['varint']).at(-1)?.value;
  }

  /** Where a text, bytes or a message lies. */
  range(number: number): Range | undefined {
    return this.all(number, ['bytes']).at(-1);
  }

  ranges(number: number): readonly Range[] {
    return this.all(number, ['bytes']);
  }

  async float(number: number): Promise<number | undefined> {
    const field = this.all(number, ['fixed32']).at(-1);
    return field && view(await this.bytesAt(field)).getFloat32(0, true);
  }

  async fixed32(number: number): Promise<number | undefined> {
    const field = this.all(number, ['fixed32']).at(-1);
    return field && view(await this.bytesAt(field)).getUint32(0, true);
  }

  async text(number: number): Promise<string | undefined> {
    const range = this.range(number);
    return range && this.textAt(range);
  }

  async texts(number: number): Promise<string[]> {
    const texts: string[] = [];
    for (const range of this.ranges(number)) texts.push(await this.textAt(range));
    return texts;
  }

  async message(number: number): Promise<MessageFields | undefined> {
    const range = this.range(number);
    return range && readMessage(this.source, range);
  }

  async messages(number: number): Promise<MessageFields[]> {
    const messages: MessageFields[] = [];
    for (const range of this.ranges(number)) messages.push(await readMessage(this.source, range));
    return messages;
  }

  /** A list of varints, packed or not. */
  async integers(number: number): Promise<number[]> {
    const values: number[] = [];
    for (const field of this.all(number, ['varint', 'bytes'])) {
      if (field.type === 'varint') values.push(field.value);
      else for (const value of packedVarints(await this.bytesAt(field), this.source.name)) values.push(value);
    }
    return values;
  }

  /** The little-endian bytes of a list of float, double, fixed32 or fixed64, packed or not. */
  async fixed(number: number, size: 4 | 8): Promise<Uint8Array<ArrayBuffer>> {
    const fields = this.all(number, [size === 4 ? 'fixed32' : 'fixed64', 'bytes']);
    const bytes = new Uint8Array(fields.reduce((sum, { start, end }) => sum + end - start, 0));
    let offset = 0;
    for (const field of fields) {
      bytes.set(await this.bytesAt(field), offset);
      offset += field.end - field.start;
    }
    return bytes;
  }

  /** A list of float, packed or not. */
  async floats(number: number): Promise<number[]> {
    const bytes = await this.fixed(number, 4);
    return Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => view(bytes).getFloat32(4 * i, true));
  }

  /** How many bytes the contents of all fields of a number take. */
  size(number: number): number {
    return (this.fields.get(number) ?? []).reduce((sum, { start, end }) => sum + end - start, 0);
  }

  private all(number: number, types: readonly Field['type'][]): readonly Field[] {
    const fields = this.fields.get(number) ?? [];
    for (const { type, start } of fields) {
      if (!types.includes(type)) {
        const found = `protobuf field ${number} at byte ${start} is a ${type}, must be ${types.join(' or ')}`;
        throw new WeightsError(`${this.source.name}: is damaged or of another format: ${found}`);
      }
    }
    return fields;
  }

  private bytesAt({ start, end }: Range): Promise<Uint8Array<ArrayBuffer>> {
    return this.source.read(start, end - start);
  }

  private async textAt(range: Range): Promise<string> {
    return decoder.decode(await this.bytesAt(range));
  }
}

const decoder = new TextDecoder();
const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
