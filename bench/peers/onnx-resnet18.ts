/**
 * ResNet18 as an ONNX file with random weights, for ONNX Runtime as a peer: batch norms folded, as exporters write it.
 * Only the fields that this graph needs, straight from onnx.proto3 (ir_version 8, opset 13).
 */
import type { Work } from '../work.ts';

/** Protobuf's wire format: fields are appended in order, submessages are bytes. */
class Message {
  private readonly parts: Uint8Array[] = [];

  int(field: number, value: number): this {
    this.parts.push(varint(field << 3), varint(value));
    return this;
  }

  bytes(field: number, value: Uint8Array | string | Message): this {
    const data =
      value instanceof Message ? value.encode() : typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    this.parts.push(varint((field << 3) | 2), varint(data.length), data);
    return this;
  }

  encode(): Uint8Array {
    return Buffer.concat(this.parts);
  }
}

function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  return Uint8Array.of(...out, rest);
}

const FLOAT = 1;
const INT_ATTRIBUTE = 2;
const INTS_ATTRIBUTE = 7;

/** Collects nodes and initializers; every method returns the name of the value that it made. */
class Graph {
  readonly message = new Message();
  parameters = 0;
  private count = 0;

  node(type: string, inputs: readonly string[], attributes: Readonly<Record<string, number | readonly number[]>> = {}) {
    const output = `${type}_${this.count++}`;
    const node = new Message();
    for (const input of inputs) node.bytes(1, input);
    node.bytes(2, output).bytes(3, output).bytes(4, type);
    for (const [name, value] of Object.entries(attributes)) {
      const attribute = new Message().bytes(1, name);
      if (typeof value === 'number') attribute.int(3, value).int(20, INT_ATTRIBUTE);
      else {
        for (const item of value) attribute.int(8, item);
        attribute.int(20, INTS_ATTRIBUTE);
      }
      node.bytes(5, attribute);
    }
    this.message.bytes(1, node);
    return output;
  }

  /** A weight of the given shape, uniform with He's variance, so that activations stay finite through the layers. */
  weight(shape: readonly number[], fanIn: number): string {
    const name = `weight_${this.count++}`;
    const size = shape.reduce((a, b) => a * b, 1);
    const bound = Math.sqrt(6 / fanIn);
    const data = Float32Array.from({ length: size }, () => (2 * Math.random() - 1) * bound);
    const tensor = new Message();
    for (const extent of shape) tensor.int(1, extent);
    tensor.int(2, FLOAT).bytes(8, name).bytes(9, new Uint8Array(data.buffer));
    this.message.bytes(5, tensor);
    this.parameters += size;
    return name;
  }

  conv(x: string, inputs: number, outputs: number, kernel: number, stride: number): string {
    const pad = kernel >> 1;
    const fanIn = inputs * kernel * kernel;
    const weights = [this.weight([outputs, inputs, kernel, kernel], fanIn), this.weight([outputs], fanIn)];
    return this.node('Conv', [x, ...weights], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
    });
  }

  relu(x: string): string {
    return this.node('Relu', [x]);
  }
}

function valueInfo(name: string, shape: readonly (number | string)[]): Message {
  const dims = new Message();
  for (const extent of shape) {
    const dim = typeof extent === 'number' ? new Message().int(1, extent) : new Message().bytes(2, extent);
    dims.bytes(1, dim);
  }
  const tensor = new Message().int(1, FLOAT).bytes(2, dims);
  return new Message().bytes(1, name).bytes(2, new Message().bytes(1, tensor));
}

/** The file's bytes, and how many weights are in it. Input `input` [batch, 3, size, size], output [batch, classes]. */
export function onnxResnet18(work: Work): { readonly model: Uint8Array; readonly parameters: number } {
  const graph = new Graph();
  let x = 'input';
  if (work.stem === 'cifar') x = graph.relu(graph.conv(x, 3, 64, 3, 1));
  else {
    x = graph.relu(graph.conv(x, 3, 64, 7, 2));
    x = graph.node('MaxPool', [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  }
  let inputs = 64;
  for (const outputs of [64, 128, 256, 512]) {
    for (const first of [true, false]) {
      const stride = first && outputs !== 64 ? 2 : 1;
      const a = graph.relu(graph.conv(x, inputs, outputs, 3, stride));
      const b = graph.conv(a, outputs, outputs, 3, 1);
      const shortcut = inputs === outputs ? x : graph.conv(x, inputs, outputs, 1, stride);
      x = graph.relu(graph.node('Add', [b, shortcut]));
      inputs = outputs;
    }
  }
  x = graph.node('Flatten', [graph.node('GlobalAveragePool', [x])], { axis: 1 });
  x = graph.node('Gemm', [x, graph.weight([work.classes, 512], 512), graph.weight([work.classes], 512)], { transB: 1 });
  graph.message
    .bytes(2, 'resnet18')
    .bytes(11, valueInfo('input', ['batch', 3, work.size, work.size]))
    .bytes(12, valueInfo(x, ['batch', work.classes]));
  const model = new Message()
    .int(1, 8)
    .bytes(2, 'bench')
    .bytes(7, graph.message)
    .bytes(8, new Message().bytes(1, '').int(2, 13));
  return { model: model.encode(), parameters: graph.parameters };
}
