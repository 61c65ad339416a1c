/** An ONNX model as the bytes of its file: ModelProto of onnx.proto, field by field.
 *  The same model gives the same bytes. */

import { Message } from '../../weights/protobuf-writer.ts';
import {
  type Attribute,
  dataTypes,
  irVersions,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from './model.ts';

/** AttributeProto.AttributeType */
const attributeTypes = { float: 1, int: 2, text: 3, ints: 7 } as const;

export function encodeOnnx(model: OnnxModel): Message {
  const version = irVersions[model.opset];
  if (version === undefined) throw new Error(`internal: opset ${model.opset}`);
  const message = new Message()
    .integer(1, version)
    .string(2, model.producer.name)
    .string(3, model.producer.version)
    .string(6, model.doc)
    .message(7, graph(model))
    .message(8, new Message().string(1, '').integer(2, model.opset));
  for (const [key, value] of Object.entries(model.metadata)) {
    message.message(14, new Message().string(1, key).string(2, value));
  }
  return message;
}

function graph(model: OnnxModel): Message {
  const message = new Message();
  for (const one of model.nodes) message.message(1, node(one));
  message.string(2, model.name);
  for (const one of model.initializers) message.message(5, tensor(one));
  for (const one of model.inputs) message.message(11, value(one));
  for (const one of model.outputs) message.message(12, value(one));
  return message;
}

function node({ type, name, inputs, outputs, attributes }: OnnxNode): Message {
  const message = new Message();
  for (const input of inputs) message.string(1, input);
  for (const output of outputs) message.string(2, output);
  message.string(3, name).string(4, type);
  for (const [key, one] of Object.entries(attributes)) message.message(5, attribute(key, one));
  return message;
}

function attribute(name: string, value: Attribute): Message {
  const message = new Message().string(1, name);
  if ('float' in value) return message.float(2, value.float).integer(20, attributeTypes.float);
  if ('int' in value) return message.integer(3, value.int).integer(20, attributeTypes.int);
  if ('text' in value) return message.string(4, value.text).integer(20, attributeTypes.text);
  // One field for each number: onnx.proto is proto2, where lists are not packed.
  for (const one of value.ints) message.integer(8, one);
  return message.integer(20, attributeTypes.ints);
}

function tensor({ name, type, dims, raw }: OnnxTensor): Message {
  const message = new Message();
  for (const size of dims) message.integer(1, size);
  return message.integer(2, dataTypes[type]).string(8, name).bytes(9, raw);
}

function value({ name, type, dims }: OnnxValue): Message {
  const shape = new Message();
  for (const size of dims) {
    shape.message(1, typeof size === 'string' ? new Message().string(2, size) : new Message().integer(1, size));
  }
  const ofTensor = new Message().integer(1, dataTypes[type]).message(2, shape);
  return new Message().string(1, name).message(2, new Message().message(1, ofTensor));
}
