/** Prints our description of TFLite's file format, for `tflite_schema.py` to hold beside TensorFlow's own.
 *  `node interop/export/tflite-schema.ts | python interop/export/tflite_schema.py` */

import type { Field, Table } from '../../packages/residual/src/export/tflite/flat/fields.ts';
import { ModelMetadata } from '../../packages/residual/src/export/tflite/metadata-schema.ts';
import { ACTIVATION, BUILTIN, Model, PADDING, TENSOR_TYPE } from '../../packages/residual/src/export/tflite/schema.ts';

interface Slot {
  readonly field: string;
  readonly slot: number;
  readonly type: string;
  readonly default: number;
}

/** Every table that can be reached, under the name of the field that leads to it, or of its place in a union. */
function tablesFrom(root: Table, name: string, tables: Record<string, Slot[]> = {}): Record<string, Slot[]> {
  tables[name] = Object.entries(root).map(([field, description]) => {
    for (const [target, table] of targetsOf(field, description)) tablesFrom(table, target, tables);
    const scalar = description.kind === 'scalar';
    return {
      field,
      slot: description.slot,
      type: scalar ? description.type : description.kind === 'bool' ? 'bool' : 'offset',
      default: scalar ? description.default : 0,
    };
  });
  return tables;
}

function targetsOf(name: string, field: Field): [string, Table][] {
  if (field.kind === 'one' || field.kind === 'many') return [[name, field.table]];
  if (field.kind !== 'union') return [];
  return Object.entries(field.members).map(([member, { table }]) => [member, table]);
}

/** The unions' numbers. */
function tagsFrom(root: Table, tags: Record<string, number> = {}): Record<string, number> {
  for (const [name, field] of Object.entries(root)) {
    if (field.kind === 'union') for (const [member, { tag }] of Object.entries(field.members)) tags[member] = tag;
    for (const [, table] of targetsOf(name, field)) tagsFrom(table, tags);
  }
  return tags;
}

console.log(
  JSON.stringify({
    model: tablesFrom(Model, 'Model'),
    metadata: tablesFrom(ModelMetadata, 'ModelMetadata'),
    tags: { model: tagsFrom(Model), metadata: tagsFrom(ModelMetadata) },
    enums: { BuiltinOperator: BUILTIN, TensorType: TENSOR_TYPE, Padding: PADDING, ActivationFunctionType: ACTIVATION },
  }),
);
