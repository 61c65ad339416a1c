/** A FlatBuffer → values of a schema. Every offset is checked before it is followed: files come from anywhere. */

import { WeightsError } from '../../../weights/errors.ts';
import { type Field, type NumberType, type ScalarType, type Table, type TableValue, WIDTH } from './fields.ts';

// Tables that point to each other a million times would make a small file an endless one.
const MOST_TABLES = 1_000_000;

/**
 * @param name the file's, for messages
 * @throws WeightsError for a file of another kind, and for one that is cut off or damaged
 */
export function readFlat<T extends Table>(data: Uint8Array, table: T, identifier: string, name: string): TableValue<T> {
  const reader = new FlatReader(data, name);
  const found = data.length < 8 ? '' : String.fromCharCode(...data.subarray(4, 8));
  if (found !== identifier) throw new WeightsError(`${name}: is no ${identifier} file`);
  return reader.table(table, reader.pointer(0)) as TableValue<T>;
}

class FlatReader {
  private readonly data: Uint8Array;
  private readonly view: DataView;
  private readonly name: string;
  private tables = 0;

  constructor(data: Uint8Array, name: string) {
    this.data = data;
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.name = name;
  }

  /** Where the offset at `at` leads to. */
  pointer(at: number): number {
    this.check(at, 4);
    return at + this.view.getUint32(at, true);
  }

  table(table: Table, at: number): TableValue<Table> {
    if (++this.tables > MOST_TABLES) throw new WeightsError(`${this.name}: has more than ${MOST_TABLES} tables`);
    this.check(at, 4);
    const vtable = at - this.view.getInt32(at, true);
    this.check(vtable, 4);
    const vtableBytes = this.view.getUint16(vtable, true);
    const tableBytes = this.view.getUint16(vtable + 2, true);
    this.check(vtable, vtableBytes);
    this.check(at, tableBytes);
    const place = (slot: number) => {
      const entry = 4 + 2 * slot;
      const offset = entry + 2 <= vtableBytes ? this.view.getUint16(vtable + entry, true) : 0;
      return offset === 0 ? undefined : at + offset;
    };
    const values: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(table)) {
      const where = place(field.slot);
      if (field.kind === 'scalar') values[name] = where === undefined ? field.default : this.scalar(field.type, where);
      else if (field.kind === 'bool') values[name] = where !== undefined && this.scalar('bool', where) !== 0;
      else if (where !== undefined) values[name] = this.target(field, where, place(field.slot - 1));
    }
    return values as TableValue<Table>;
  }

  private target(field: Field, where: number, before: number | undefined): unknown {
    const at = this.pointer(where);
    switch (field.kind) {
      case 'one':
        return this.table(field.table, at);
      case 'many': {
        const count = this.length(at, 4);
        return Array.from({ length: count }, (_, i) => this.table(field.table, this.pointer(at + 4 + 4 * i)));
      }
      case 'text':
        return new TextDecoder().decode(this.bytes(at));
      case 'bytes':
        return this.bytes(at);
      case 'numbers':
        return this.numbers(field.type, at);
      case 'union': {
        const tag = before === undefined ? 0 : this.scalar('uint8', before);
        const member = Object.entries(field.members).find(([, candidate]) => candidate.tag === tag);
        // A kind that our schema leaves out: the reader of the value says what it misses.
        return member && { type: member[0], value: this.table(member[1].table, at) };
      }
      default:
        throw new Error(`internal: ${field.kind} has no target`);
    }
  }

  private bytes(at: number): Uint8Array {
    const length = this.length(at, 1);
    return this.data.subarray(at + 4, at + 4 + length);
  }

  private numbers(type: NumberType, at: number): number[] {
    const width = WIDTH[type];
    const values = Array<number>(this.length(at, width));
    for (let i = 0; i < values.length; i++) {
      const place = at + 4 + width * i;
      if (type === 'int32') values[i] = this.view.getInt32(place, true);
      else if (type === 'float32') values[i] = this.view.getFloat32(place, true);
      else values[i] = Number(this.view.getBigInt64(place, true));
    }
    return values;
  }

  /** The number of elements of the vector at `at`, all of which are in the file. */
  private length(at: number, width: number): number {
    this.check(at, 4);
    const count = this.view.getUint32(at, true);
    this.check(at + 4, count * width);
    return count;
  }

  private scalar(type: ScalarType, at: number): number {
    this.check(at, WIDTH[type]);
    switch (type) {
      case 'bool':
      case 'uint8':
        return this.view.getUint8(at);
      case 'int8':
        return this.view.getInt8(at);
      case 'int32':
        return this.view.getInt32(at, true);
      case 'uint32':
        return this.view.getUint32(at, true);
      case 'float32':
        return this.view.getFloat32(at, true);
      default:
        return type satisfies never;
    }
  }

  private check(at: number, length: number): void {
    if (at < 0 || at + length > this.data.length) {
      throw new WeightsError(
        `${this.name}: is cut off or damaged: needs bytes ${at} to ${at + length} of ${this.data.length}`,
      );
    }
  }
}
