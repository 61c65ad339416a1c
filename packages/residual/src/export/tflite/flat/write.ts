/** Values of a schema → a FlatBuffer, through `flatbuffers`' builder, which lays out tables, vtables and padding.
 *  (The format: flatbuffers.dev, "FlatBuffer internals".) */

import { Builder } from 'flatbuffers';
import { type Field, memberOf, type NumberType, type Table, type TableValue, WIDTH } from './fields.ts';

/**
 * @param identifier four letters that stand in the file from byte 4 on
 * @param sizeHint about how many bytes come out; without it, the builder's buffer doubles until they fit
 */
export function writeFlat<T extends Table>(
  table: T,
  value: TableValue<T>,
  identifier: string,
  sizeHint = 1024,
): Uint8Array {
  const builder = new Builder(sizeHint);
  builder.finish(writeTable({ builder, shared: new Map() }, table, value), identifier);
  return builder.asUint8Array();
}

interface Writing {
  readonly builder: Builder;
  /** Lists of numbers that are in the file already: equal ones are stored once, e.g. the zero points of all weights. */
  readonly shared: Map<string, number>;
}

type Values = Readonly<Record<string, unknown>>;

function writeTable(writing: Writing, table: Table, value: TableValue<Table>): number {
  const { builder } = writing;
  const values = value as Values;
  for (const name of Object.keys(values)) if (!(name in table)) throw new Error(`internal: no field ${name}`);
  // What a table points to stands in the file before the table is begun.
  const targets = new Map<string, number>();
  let slots = 0;
  for (const [name, field] of Object.entries(table)) {
    slots = Math.max(slots, field.slot + 1);
    if (values[name] === undefined) continue;
    const target = writeTarget(writing, field, values[name]);
    if (target !== undefined) targets.set(name, target);
  }
  builder.startObject(slots);
  for (const [name, field] of Object.entries(table)) {
    const held = values[name];
    if (held === undefined) continue;
    if (field.kind === 'scalar') writeScalar(builder, field, held as number);
    else if (field.kind === 'bool') builder.addFieldInt8(field.slot, held ? 1 : 0, 0);
    else {
      if (field.kind === 'union')
        builder.addFieldInt8(field.slot - 1, memberOf(field, (held as { type: string }).type).tag, 0);
      builder.addFieldOffset(field.slot, targets.get(name) as number, 0);
    }
  }
  return builder.endObject();
}

function writeScalar(builder: Builder, field: Extract<Field, { kind: 'scalar' }>, value: number): void {
  switch (field.type) {
    case 'int8':
    case 'uint8':
      builder.addFieldInt8(field.slot, value, field.default);
      break;
    case 'int32':
    case 'uint32':
      builder.addFieldInt32(field.slot, value, field.default);
      break;
    case 'float32':
      builder.addFieldFloat32(field.slot, value, field.default);
      break;
    default:
      field.type satisfies never;
  }
}

/** Where what a field points to was written; nothing for a field without a pointer. */
function writeTarget(writing: Writing, field: Field, value: unknown): number | undefined {
  const { builder } = writing;
  switch (field.kind) {
    case 'text':
      return builder.createString(value as string);
    case 'numbers':
      return writeNumbers(writing, field.type, value as readonly number[]);
    case 'bytes': {
      const data = value as Uint8Array;
      builder.prep(field.align, data.length);
      return builder.createByteVector(data);
    }
    case 'one':
      return writeTable(writing, field.table, value as TableValue<Table>);
    case 'many': {
      const items = (value as readonly TableValue<Table>[]).map((item) => writeTable(writing, field.table, item));
      builder.startVector(4, items.length, 4);
      for (const item of items.toReversed()) builder.addOffset(item);
      return builder.endVector();
    }
    case 'union': {
      const { type, value: member } = value as { readonly type: string; readonly value: TableValue<Table> };
      return writeTable(writing, memberOf(field, type).table, member);
    }
    case 'scalar':
    case 'bool':
      return undefined;
    default:
      field satisfies never;
  }
}

function writeNumbers({ builder, shared }: Writing, type: NumberType, values: readonly number[]): number {
  const key = `${type} ${values}`;
  const ready = shared.get(key);
  if (ready !== undefined) return ready;
  const width = WIDTH[type];
  builder.startVector(width, values.length, width);
  // A FlatBuffer is built from its end.
  for (const value of values.toReversed()) {
    if (type === 'int32') builder.addInt32(value);
    else if (type === 'float32') builder.addFloat32(value);
    else builder.addInt64(BigInt(value));
  }
  const place = builder.endVector();
  shared.set(key, place);
  return place;
}
