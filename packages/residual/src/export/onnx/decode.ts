/** The bytes of an ONNX file as a model: the parts of ModelProto that classifiers use.
 *  What it says of itself is read so, since ONNX Runtime for JavaScript shows no metadata. */

import { ModelError } from '../../models/errors.ts';
import { type Field, fields, floatOf, packedVarints, type Range, textOf } from '../../weights/protobuf.ts';
import {
  type Attribute,
  bytesPerElement,
  type DataType,
  dataTypes,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from './model.ts';

/**
 * @param file its name, for messages
 * @throws WeightsError where the bytes are no protobuf message; ModelError for tensors in other files or of a type that
 *   no classifier of ours has
 */
export function decodeOnnx(bytes: Uint8Array, file: string): OnnxModel {
  const read = new Reader(bytes, file);
  const producer = { name: '', version: '' };
  const metadata: Record<string, string> = {};
  let [opset, doc] = [0, ''];
  let graph: Pick<OnnxModel, 'name' | 'nodes' | 'initializers' | 'inputs' | 'outputs'> | undefined;
  for (const field of read.fields()) {
    if (field.number === 2) producer.name = read.text(field);
    else if (field.number === 3) producer.version = read.text(field);
    else if (field.number === 6) doc = read.text(field);
    else if (field.number === 7) graph = read.graph(field);
    else if (field.number === 8) opset = read.opset(field) ?? opset;
    else if (field.number === 14) {
      const [key = '', value = ''] = read.texts(field);
      metadata[key] = value;
    }
  }
  if (!graph || opset === 0) throw new ModelError(`${file}: is no ONNX model: it has no graph`);
  return { opset, metadata, doc, producer, ...graph };
}

class Reader {
  private readonly bytes: Uint8Array;
  private readonly file: string;

  constructor(bytes: Uint8Array, file: string) {
    this.bytes = bytes;
    this.file = file;
  }

  fields(range?: Range): Generator<Field> {
    return fields(this.bytes, this.file, range);
  }

  text(range: Range): string {
    return textOf(this.bytes, range);
  }

  /** StringStringEntryProto: key, value. */
  texts(range: Range): string[] {
    const texts: string[] = [];
    for (const field of this.fields(range)) if (field.type === 'bytes') texts[field.number - 1] = this.text(field);
    return texts;
  }

  /** The version of the standard operators; undefined for another domain. */
  opset(range: Range): number | undefined {
    let [domain, version] = ['', 0];
    for (const field of this.fields(range)) {
      if (field.number === 1) domain = this.text(field);
      if (field.number === 2) version = field.value;
    }
    return domain === '' || domain === 'ai.onnx' ? version : undefined;
  }

  graph(range: Range) {
    const graph = {
      name: '',
      nodes: [] as OnnxNode[],
      initializers: [] as OnnxTensor[],
      inputs: [] as OnnxValue[],
      outputs: [] as OnnxValue[],
    };
    for (const field of this.fields(range)) {
      if (field.number === 1) graph.nodes.push(this.node(field));
      else if (field.number === 2) graph.name = this.text(field);
      else if (field.number === 5) graph.initializers.push(this.tensor(field));
      else if (field.number === 11) graph.inputs.push(this.value(field));
      else if (field.number === 12) graph.outputs.push(this.value(field));
    }
    return graph;
  }

  private node(range: Range): OnnxNode {
    const node = {
      type: '',
      name: '',
      inputs: [] as string[],
      outputs: [] as string[],
      attributes: {} as Record<string, Attribute>,
    };
    for (const field of this.fields(range)) {
      if (field.number === 1) node.inputs.push(this.text(field));
      else if (field.number === 2) node.outputs.push(this.text(field));
      else if (field.number === 3) node.name = this.text(field);
      else if (field.number === 4) node.type = this.text(field);
      else if (field.number === 5) {
        const [name, attribute] = this.attribute(field);
        if (attribute) node.attributes[name] = attribute;
      }
    }
    return node;
  }

  /** Attributes of kinds that classifiers do not use (tensors, graphs) are left out. */
  private attribute(range: Range): [name: string, value: Attribute | undefined] {
    let name = '';
    let value: Attribute | undefined;
    const ints: number[] = [];
    for (const field of this.fields(range)) {
      if (field.number === 1) name = this.text(field);
      else if (field.number === 2) value = { float: floatOf(this.bytes, field) };
      else if (field.number === 3) value = { int: field.value };
      else if (field.number === 4) value = { text: this.text(field) };
      else if (field.number === 8) ints.push(...this.integers(field));
    }
    return [name, ints.length > 0 ? { ints } : value];
  }

  private tensor(range: Range): OnnxTensor {
    const dims: number[] = [];
    let [name, code] = ['', 0];
    let raw: Uint8Array | undefined;
    for (const field of this.fields(range)) {
      if (field.number === 1) dims.push(...this.integers(field));
      else if (field.number === 2) code = field.value;
      else if (field.number === 8) name = this.text(field);
      else if (field.number === 9) raw = this.bytes.subarray(field.start, field.end);
    }
    const type = this.typeOf(code, name);
    const length = dims.reduce((product, size) => product * size, bytesPerElement[type]);
    if (raw?.length !== length) {
      throw new ModelError(`${this.file}: ${name} must have ${length} bytes of raw data, has ${raw?.length ?? 'none'}`);
    }
    return { name, type, dims, raw };
  }

  private value(range: Range): OnnxValue {
    let [name, code] = ['', 0];
    const dims: (number | string)[] = [];
    for (const field of this.fields(range)) {
      if (field.number === 1) name = this.text(field);
      if (field.number !== 2) continue;
      // TypeProto → tensor_type → elem_type and shape → dim → dim_value or dim_param
      for (const kind of this.fields(field)) {
        if (kind.number !== 1) continue;
        for (const part of this.fields(kind)) {
          if (part.number === 1) code = part.value;
          if (part.number !== 2) continue;
          for (const dim of this.fields(part)) dims.push(this.dimension(dim));
        }
      }
    }
    return { name, type: this.typeOf(code, name), dims };
  }

  private dimension(range: Range): number | string {
    for (const field of this.fields(range)) {
      if (field.number === 1) return field.value;
      if (field.number === 2) return this.text(field);
    }
    return '';
  }

  /** A list of numbers is packed into one field, or has a field for each. */
  private integers(field: Field): number[] {
    return field.type === 'varint' ? [field.value] : packedVarints(this.bytes, this.file, field);
  }

  private typeOf(code: number, name: string): DataType {
    const found = Object.entries(dataTypes).find(([, number]) => number === code)?.[0];
    if (found === undefined) throw new ModelError(`${this.file}: ${name} has the data type ${code}, which is not read`);
    return found as DataType;
  }
}
