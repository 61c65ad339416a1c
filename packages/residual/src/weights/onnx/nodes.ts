/** The nodes of an ONNX graph, by which a map finds the layer that a tensor belongs to: exporters that fold batch
 *  normalisation name its weights `onnx::Conv_193`, and only the Conv that takes it says which one it is. */

import type { Range } from '../protobuf.ts';
import { type MessageFields, readMessage } from '../protobuf-message.ts';
import type { ByteSource } from '../source.ts';

/** Of an attribute: a number, a text, or a list of either. */
export type OnnxValue = number | string | readonly number[] | readonly string[];

export interface OnnxNode {
  /** Often empty, or the exporter's path of the module, e.g. `/layer1/layer1.0/conv1/Conv`. */
  readonly name: string;
  /** The operator, e.g. `Conv`. */
  readonly type: string;
  /** Of the operator; '' is ONNX's own. */
  readonly domain: string;
  /** Names of tensors, graph inputs or outputs of nodes; '' for one that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** But for tensors, graphs and types. */
  readonly attributes: ReadonlyMap<string, OnnxValue>;
}

/** An input or output of the graph. */
export interface OnnxEdge {
  readonly name: string;
  /** A name is a size that is free, e.g. `batch`; undefined one that is not said. */
  readonly shape: readonly (number | string | undefined)[];
}

/** A node, with the places of what its attributes hold. */
export interface NodePlaces {
  readonly node: OnnxNode;
  /** TensorProtos, by attribute. */
  readonly tensors: ReadonlyMap<string, Range>;
  /** Attributes that hold whole graphs, e.g. the branches of an If. */
  readonly graphs: readonly string[];
}

/** NodeProto. */
export async function nodeProto(source: ByteSource, range: Range): Promise<NodePlaces> {
  const message = await readMessage(source, range);
  const attributes = new Map<string, OnnxValue>();
  const tensors = new Map<string, Range>();
  const graphs: string[] = [];
  for (const attribute of await message.messages(5)) {
    const name = (await attribute.text(1)) ?? '';
    const value = await attributeValue(attribute);
    if (value !== undefined) attributes.set(name, value);
    const tensor = attribute.range(5);
    if (tensor) tensors.set(name, tensor);
    if (attribute.has(6) || attribute.has(11)) graphs.push(name);
  }
  const node: OnnxNode = {
    name: (await message.text(3)) ?? '',
    type: (await message.text(4)) ?? '',
    domain: (await message.text(7)) ?? '',
    inputs: await message.texts(1),
    outputs: await message.texts(2),
    attributes,
  };
  return { node, tensors, graphs };
}

/** AttributeProto.AttributeType of the values that are kept. */
const [FLOAT, INT, STRING, FLOATS, INTS, STRINGS] = [1, 2, 3, 6, 7, 8];

/** Empty fields are not written: the type says what they would be. Files from before IR version 3 do not say the type. */
async function attributeValue(attribute: MessageFields): Promise<OnnxValue | undefined> {
  const type = attribute.integer(20) ?? 0;
  const is = (own: number | undefined, field: number) => type === own || (type === 0 && attribute.has(field));
  if (is(FLOAT, 2)) return (await attribute.float(2)) ?? 0;
  if (is(INT, 3)) return attribute.integer(3) ?? 0;
  if (is(STRING, 4)) return (await attribute.text(4)) ?? '';
  if (is(FLOATS, 7)) return attribute.floats(7);
  if (is(INTS, 8)) return attribute.integers(8);
  if (is(STRINGS, 9)) return attribute.texts(9);
  return undefined;
}

/** ValueInfoProto of a tensor. */
export async function edge(message: MessageFields): Promise<OnnxEdge> {
  const tensor = await (await message.message(2))?.message(1);
  const dims = (await (await tensor?.message(2))?.messages(1)) ?? [];
  const shape: OnnxEdge['shape'][number][] = [];
  for (const dim of dims) shape.push(dim.integer(1) ?? (await dim.text(2)));
  return { name: (await message.text(1)) ?? '', shape };
}
