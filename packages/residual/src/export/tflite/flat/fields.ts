/** A FlatBuffers schema as data: tables of fields, each with the slot that it has in its table.
 *  One description gives the writer, the reader and their TypeScript types, so that the three cannot disagree. */

/** Numbers and truth values, stored in the table itself; a field that holds its default takes no space. */
export type ScalarType = 'bool' | 'int8' | 'uint8' | 'int32' | 'uint32' | 'float32';

export type NumberType = 'int32' | 'float32' | 'int64';

/** The bytes of one element. */
export const WIDTH = { bool: 1, int8: 1, uint8: 1, int32: 4, uint32: 4, float32: 4, int64: 8 } as const;

export interface Scalar {
  readonly kind: 'scalar';
  readonly slot: number;
  readonly type: Exclude<ScalarType, 'bool'>;
  readonly default: number;
}

export interface Bool {
  readonly kind: 'bool';
  readonly slot: number;
}

export interface Text {
  readonly kind: 'text';
  readonly slot: number;
}

export interface Numbers {
  readonly kind: 'numbers';
  readonly slot: number;
  readonly type: NumberType;
}

export interface Bytes {
  readonly kind: 'bytes';
  readonly slot: number;
  /** The data begins at a multiple of this many bytes from the file's start. */
  readonly align: number;
}

export interface One<T extends Table> {
  readonly kind: 'one';
  readonly slot: number;
  readonly table: T;
}

export interface Many<T extends Table> {
  readonly kind: 'many';
  readonly slot: number;
  readonly table: T;
}

/** One table out of several kinds: its number stands in the slot before it. */
export interface Union<M extends Members> {
  readonly kind: 'union';
  readonly slot: number;
  readonly members: M;
}

export type Members = Readonly<Record<string, { readonly tag: number; readonly table: Table }>>;

export type Field = Scalar | Bool | Text | Numbers | Bytes | One<Table> | Many<Table> | Union<Members>;

// Interfaces may name themselves where type aliases may not.
export interface Table {
  readonly [field: string]: Field;
}

/** What a field holds, in TypeScript. 64-bit integers are numbers here: no file of ours needs more than 2⁵³. */
export type FieldValue<F> = F extends Scalar
  ? number
  : F extends Bool
    ? boolean
    : F extends Text
      ? string
      : F extends Numbers
        ? readonly number[]
        : F extends Bytes
          ? Uint8Array
          : F extends One<infer T>
            ? TableValue<T>
            : F extends Many<infer T>
              ? readonly TableValue<T>[]
              : F extends Union<infer M>
                ? UnionValue<M>
                : never;

export type UnionValue<M extends Members> = {
  [K in keyof M]: { readonly type: K; readonly value: TableValue<M[K]['table']> };
}[keyof M];

/** A table's fields by name; what is left out has its default, or is not there. */
export type TableValue<T extends Table> = { readonly [K in keyof T]?: FieldValue<T[K]> };

export const scalar = (slot: number, type: Scalar['type'], byDefault = 0): Scalar => ({
  kind: 'scalar',
  slot,
  type,
  default: byDefault,
});
export const bool = (slot: number): Bool => ({ kind: 'bool', slot });
export const text = (slot: number): Text => ({ kind: 'text', slot });
export const numbers = (slot: number, type: NumberType): Numbers => ({ kind: 'numbers', slot, type });
export const bytes = (slot: number, align = 1): Bytes => ({ kind: 'bytes', slot, align });
export const one = <T extends Table>(slot: number, table: T): One<T> => ({ kind: 'one', slot, table });
export const many = <T extends Table>(slot: number, table: T): Many<T> => ({ kind: 'many', slot, table });
export const union = <M extends Members>(slot: number, members: M): Union<M> => ({ kind: 'union', slot, members });

/** @throws Error for a member that the union has not */
export function memberOf(field: Union<Members>, type: string): Members[string] {
  const member = field.members[type];
  if (!member) throw new Error(`internal: no member ${type}`);
  return member;
}
