/** The graph of a SavedModel out of the bytes of `saved_model.pb`: `encode.ts` in reverse, for the first MetaGraphDef. */

import { ModelError } from '../../models/errors.ts';
import { type Field, fields, floatOf, packedVarints, type Range, textOf } from '../../weights/protobuf.ts';
import type { Constant } from '../graph/graph.ts';
import { type Attribute, type DataType, dataTypes, type NodeDef } from '../tensorflow/graph-def.ts';

export interface ReadGraph {
  readonly nodes: readonly NodeDef[];
  /** Of nodes that hold a number or numbers themselves. */
  readonly constants: Map<string, Constant>;
  /** Names of tensors by their name in the signature. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
}

/**
 * @param file its name, for messages
 * @param signature whose inputs and outputs are wanted
 * @throws WeightsError where the bytes are no protobuf message; ModelError where they are no SavedModel, or it has no
 *   signature of that name
 */
export function decodeSavedModel(bytes: Uint8Array, file: string, signature: string): ReadGraph {
  const reader = new Reader(bytes, file);
  const [meta] = reader.all(2);
  if (!meta) throw new ModelError(`${file}: is no SavedModel: it has no graph`);
  const [graph] = reader.all(2, meta);
  const signatures = reader.all(5, meta).map((entry) => reader.entry(entry));
  const found = signatures.find(([name]) => name === signature)?.[1];
  if (!graph) throw new ModelError(`${file}: is no SavedModel: it has no graph`);
  if (!found) throw new ModelError(`${file}: has no signature ${signature}`);
  const constants = new Map<string, Constant>();
  const nodes = reader.all(1, graph).map((range) => reader.node(range, constants));
  return { nodes, constants, inputs: reader.edges(1, found), outputs: reader.edges(2, found) };
}

class Reader {
  private readonly bytes: Uint8Array;
  private readonly file: string;

  constructor(bytes: Uint8Array, file: string) {
    this.bytes = bytes;
    this.file = file;
  }

  /** Messages and texts of a number. */
  all(number: number, range?: Range): Field[] {
    return [...fields(this.bytes, this.file, range)].filter(
      (field) => field.number === number && field.type === 'bytes',
    );
  }

  /** Of a map. */
  entry(range: Range): [key: string, value: Range] {
    const [[key], [value]] = [this.all(1, range), this.all(2, range)];
    return [key ? textOf(this.bytes, key) : '', value ?? { start: 0, end: 0 }];
  }

  edges(number: number, signature: Range): Record<string, string> {
    const found = this.all(number, signature).map((entry) => {
      const [key, info] = this.entry(entry);
      const [name] = this.all(1, info);
      return [key, name ? textOf(this.bytes, name) : ''] as const;
    });
    return Object.fromEntries(found);
  }

  node(range: Range, constants: Map<string, Constant>): NodeDef {
    let [name, op] = ['', ''];
    const inputs: string[] = [];
    const attributes: Record<string, Attribute> = {};
    let value: Range | undefined;
    for (const field of fields(this.bytes, this.file, range)) {
      if (field.number === 1) name = textOf(this.bytes, field);
      else if (field.number === 2) op = textOf(this.bytes, field);
      else if (field.number === 3) inputs.push(textOf(this.bytes, field));
      else if (field.number === 5) {
        const [key, content] = this.entry(field);
        if (key === 'value') value = content;
        const read = this.attribute(content);
        if (read) attributes[key] = read;
      }
    }
    const [tensor] = op === 'Const' && value ? this.all(8, value) : [];
    const constant = tensor && this.constant(tensor);
    if (constant) constants.set(name, constant);
    return { name, op, inputs, attributes };
  }

  /** Undefined for what nothing here reads. */
  private attribute(range: Range): Attribute | undefined {
    for (const field of fields(this.bytes, this.file, range)) {
      if (field.number === 2) return { text: textOf(this.bytes, field) };
      if (field.number === 3) return { int: field.value };
      if (field.number === 4) return { float: floatOf(this.bytes, field) };
      if (field.number === 5) return { flag: field.value !== 0 };
      if (field.number === 6) {
        const named = Object.entries(dataTypes).find(([, { number }]) => number === field.value);
        return named && { type: named[0] as DataType };
      }
      if (field.number === 1) return this.list(field);
    }
    return undefined;
  }

  private list(range: Range): Attribute | undefined {
    const ints: number[] = [];
    const texts: string[] = [];
    for (const field of fields(this.bytes, this.file, range)) {
      if (field.number === 2) texts.push(textOf(this.bytes, field));
      else if (field.number !== 3) return undefined;
      else ints.push(...(field.type === 'varint' ? [field.value] : packedVarints(this.bytes, this.file, field)));
    }
    return texts.length > 0 ? { texts } : { ints };
  }

  /** Float32 and int32 alone, of as many numbers as the shape says. */
  private constant(range: Range): Constant | undefined {
    let type = 0;
    const shape: number[] = [];
    let content: Uint8Array<ArrayBuffer> | undefined;
    for (const field of fields(this.bytes, this.file, range)) {
      if (field.number === 1) type = field.value;
      else if (field.number === 4) content = Uint8Array.from(this.bytes.subarray(field.start, field.end));
      else if (field.number === 2) {
        for (const dim of this.all(2, field)) {
          let size = 0;
          for (const { number, value } of fields(this.bytes, this.file, dim)) if (number === 1) size = value;
          shape.push(size);
        }
      }
    }
    const count = shape.reduce((product, size) => product * size, 1);
    if (!content || content.length !== 4 * count) return undefined;
    if (type === dataTypes.float32.number) return { shape, values: new Float32Array(content.buffer) };
    if (type !== dataTypes.int32.number) return undefined;
    return { shape, values: Float32Array.from(new Int32Array(content.buffer)) };
  }
}
