/** A GraphDef as the JSON of a TF.js graph model, which is protobuf's JSON form: whole numbers as texts, texts in base64.
 *  https://github.com/tensorflow/tfjs/blob/master/tfjs-converter/src/data/compiled_api.ts */

import { ModelError } from '../../models/errors.ts';
import type { Shape } from '../graph/graph.ts';
import { type Attribute, type DataType, dataTypes, type NodeDef } from '../tensorflow/graph-def.ts';

interface JsonShape {
  readonly dim?: readonly { readonly size: string }[];
}

/** One of these is there. */
interface JsonAttribute {
  readonly type?: string | number;
  readonly shape?: JsonShape;
  readonly i?: string | number;
  readonly f?: number;
  readonly b?: boolean;
  readonly s?: string;
  readonly list?: { readonly i?: readonly (string | number)[]; readonly s?: readonly string[] };
  readonly tensor?: { readonly dtype: string; readonly tensorShape: JsonShape };
}

interface JsonNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: Readonly<Record<string, JsonAttribute>>;
}

/** The numbers of constants are not here: they are weights like the trained ones. */
export function nodeToJson({ name, op, inputs, attributes }: NodeDef): JsonNode {
  const attr = Object.entries(attributes).map(([key, value]) => [key, attributeToJson(value)] as const);
  return { name, op, ...(inputs.length > 0 && { input: inputs }), attr: Object.fromEntries(attr) };
}

function attributeToJson(value: Attribute): JsonAttribute {
  if ('type' in value) return { type: dataTypes[value.type].name };
  if ('shape' in value) return { shape: shapeToJson(value.shape) };
  if ('int' in value) return { i: `${value.int}` };
  if ('ints' in value) return { list: value.ints.length > 0 ? { i: value.ints.map(String) } : {} };
  if ('float' in value) return { f: value.float };
  if ('flag' in value) return { b: value.flag };
  if ('text' in value) return { s: btoa(value.text) };
  if ('texts' in value) return { list: { s: value.texts.map(btoa) } };
  if ('tensor' in value) {
    const { type, shape } = value.tensor;
    return { tensor: { dtype: dataTypes[type].name, tensorShape: shapeToJson(shape) } };
  }
  throw new Error('internal: a TF.js graph has no lists of types');
}

export function shapeToJson(shape: Shape): JsonShape {
  return shape.length > 0 ? { dim: shape.map((size) => ({ size: `${size}` })) } : {};
}

/**
 * @param file for messages
 * @throws ModelError where it is no graph
 */
export function nodesFromJson(topology: unknown, file: string): NodeDef[] {
  const { node } = (topology ?? {}) as { readonly node?: readonly Partial<JsonNode>[] };
  if (!Array.isArray(node)) throw new ModelError(`${file}: its modelTopology is no graph`);
  return node.map((one: Partial<JsonNode> | null) => {
    const { name, op, input = [], attr = {} } = one ?? {};
    if (typeof name !== 'string' || typeof op !== 'string' || !input.every((text) => typeof text === 'string')) {
      throw new ModelError(`${file}: a node of its graph has no name, operator or list of inputs`);
    }
    const attributes: Record<string, Attribute> = {};
    for (const [key, value] of Object.entries(attr)) {
      const read = attributeFromJson(value);
      if (read) attributes[key] = read;
    }
    return { name, op, inputs: input, attributes };
  });
}

/** Undefined for what nothing here reads. Texts are names of operators and layouts, in ASCII. */
function attributeFromJson({ i, f, b, s, list, type }: JsonAttribute): Attribute | undefined {
  if (list?.s) return { texts: list.s.map(fromBase64) };
  if (list) return { ints: (list.i ?? []).map(Number) };
  if (i !== undefined) return { int: Number(i) };
  if (f !== undefined) return { float: f };
  if (b !== undefined) return { flag: b };
  if (s !== undefined) return { text: fromBase64(s) };
  const named = Object.entries(dataTypes).find(([, { name, number }]) => name === type || number === type);
  return named && { type: named[0] as DataType };
}

function fromBase64(text: string): string {
  try {
    return atob(text);
  } catch {
    return '';
  }
}
