/** A SavedModel's graph as the bytes of `saved_model.pb`: one MetaGraphDef, field by field. The same graph, the same bytes.
 *  tensorflow/core/protobuf: saved_model.proto, meta_graph.proto, saver.proto; core/framework: graph.proto, variable.proto */

import { Message } from '../../weights/protobuf-writer.ts';
import {
  type Attribute,
  type DataType,
  dataTypes,
  type Edge,
  type NodeDef,
  type SmallTensor,
} from '../tensorflow/graph-def.ts';
import { shapeMessage, type Variable } from './bundle.ts';
import { FILENAME, RESTORED, readOf, restoreOf, SAVED } from './variables.ts';

export interface SavedGraph {
  readonly nodes: readonly NodeDef[];
  readonly variables: readonly Variable[];
  readonly inputs: Readonly<Record<string, Edge>>;
  readonly outputs: Readonly<Record<string, Edge>>;
  /** Files in `assets/`, each by the node that gives its path. */
  readonly assets: Readonly<Record<string, string>>;
}

/** What loaders ask for: `serve` for predicting, and the signature that is taken where none is named. */
const TAG = 'serve';
export const SIGNATURE = 'serving_default';
const METHOD = 'tensorflow/serving/predict';
/** Of TensorFlow 1.15 and 2.0: the first whose loaders know everything that is here. */
const PRODUCER = 134;

export function encodeSavedModel(graph: SavedGraph): Uint8Array {
  return new Message().integer(1, 1).message(2, metaGraph(graph)).finish();
}

function metaGraph({ nodes, variables, inputs, outputs, assets }: SavedGraph): Message {
  const graph = new Message();
  for (const one of nodes) graph.message(1, node(one));
  graph.message(4, new Message().integer(1, PRODUCER));
  const collection = new Message();
  variables.forEach((one, i) => {
    collection.bytes(1, variable(one, i).finish());
  });
  const bytesList = new Message().message(2, collection);
  const message = new Message()
    .message(1, new Message().string(4, TAG).string(5, '1.15.0').integer(7, 0))
    .message(2, graph)
    .message(3, saver());
  // TensorFlow 1 learns from these lists which nodes are variables.
  for (const key of ['variables', 'trainable_variables']) {
    message.message(4, new Message().string(1, key).message(2, bytesList));
  }
  message.message(5, new Message().string(1, SIGNATURE).message(2, signature(inputs, outputs)));
  for (const [name, file] of Object.entries(assets)) {
    message.message(6, new Message().message(1, new Message().string(1, `${name}:0`)).string(2, file));
  }
  return message;
}

function saver(): Message {
  const V2 = 2;
  return new Message().string(1, `${FILENAME}:0`).string(2, `${SAVED}:0`).string(3, RESTORED).integer(7, V2);
}

/** VariableDef: its first number is the one in the checkpoint. */
function variable({ name }: Variable, place: number): Message {
  return new Message()
    .string(1, `${name}:0`)
    .string(2, restoreOf(place))
    .string(3, `${readOf(name)}:0`)
    .integer(5, 1)
    .integer(7, 1);
}

function signature(inputs: SavedGraph['inputs'], outputs: SavedGraph['outputs']): Message {
  const message = new Message();
  for (const [key, one] of Object.entries(inputs))
    message.message(1, new Message().string(1, key).message(2, edge(one)));
  for (const [key, one] of Object.entries(outputs))
    message.message(2, new Message().string(1, key).message(2, edge(one)));
  return message.string(3, METHOD);
}

/** TensorInfo */
function edge({ node: from, type, shape }: Edge): Message {
  return new Message().string(1, `${from}:0`).integer(2, dataTypes[type].number).message(3, shapeMessage(shape));
}

function node({ name, op, inputs, attributes }: NodeDef): Message {
  const message = new Message().string(1, name).string(2, op);
  for (const input of inputs) message.string(3, input);
  for (const [key, value] of Object.entries(attributes)) {
    message.message(5, new Message().string(1, key).message(2, attribute(value)));
  }
  return message;
}

/** AttrValue */
function attribute(value: Attribute): Message {
  const message = new Message();
  const text = new TextEncoder();
  if ('type' in value) return message.integer(6, dataTypes[value.type].number);
  if ('types' in value) return message.message(1, new Message().integers(6, value.types.map(numberOf)));
  if ('shape' in value) return message.message(7, shapeMessage(value.shape));
  if ('int' in value) return message.integer(3, value.int);
  if ('ints' in value)
    return message.message(1, value.ints.length > 0 ? new Message().integers(3, value.ints) : new Message());
  if ('float' in value) return message.float(4, value.float);
  if ('flag' in value) return message.integer(5, value.flag ? 1 : 0);
  if ('text' in value) return message.bytes(2, text.encode(value.text));
  if ('texts' in value) {
    const list = new Message();
    for (const one of value.texts) list.bytes(2, text.encode(one));
    return message.message(1, list);
  }
  return message.message(8, tensor(value.tensor));
}

/** TensorProto */
function tensor(value: SmallTensor): Message {
  const message = new Message().integer(1, numberOf(value.type)).message(2, shapeMessage(value.shape));
  if (value.type === 'string') {
    for (const one of value.values) message.string(8, one);
    return message;
  }
  const numbers = value.type === 'int32' ? Int32Array.from(value.values) : Float32Array.from(value.values);
  return message.bytes(4, new Uint8Array(numbers.buffer));
}

function numberOf(type: DataType): number {
  return dataTypes[type].number;
}
