/** Weights out of an ONNX model: its initialisers and the tensors of its Constant nodes, and the nodes that take them.
 *  https://onnx.ai/onnx/repo-docs/IR.html; a model is walked over once, and its numbers are read one tensor at a time. */

import { WeightsError } from '../errors.ts';
import { LeftOut } from '../left-out.ts';
import { buffered } from '../protobuf.ts';
import { type MessageFields, readMessage } from '../protobuf-message.ts';
import { type Siblings, show } from '../reader.ts';
import type { ByteSource } from '../source.ts';
import type { WeightFile, WeightTensor } from '../tensor.ts';
import { edge, nodeProto, type OnnxEdge, type OnnxNode } from './nodes.ts';
import { type TensorOrNot, tensorProto } from './tensor-proto.ts';

export interface OnnxFile extends WeightFile {
  readonly format: 'onnx';
  /** In the file's order, which is one in which they can be run. */
  readonly nodes: readonly OnnxNode[];
  /** Before IR version 4 the initialisers are among them. */
  readonly inputs: readonly OnnxEdge[];
  readonly outputs: readonly OnnxEdge[];
}

/**
 * Reads a `.onnx` file. Its tensors are the graph's initialisers in the file's order, then the `value` of each Constant
 * node under the name of the node's output. Numbers may be raw, in typed lists, or in files beside the model.
 *
 * `metadata` has `ir_version`, `opset`, the producer's name and version, the model's own `metadata_props`, and under
 * `left out` what holds no numbers that can be read: texts, complex, sparse, 8-bit float and 4-bit tensors, and graphs
 * within nodes.
 *
 * @throws WeightsError for what is no ONNX model, is damaged, or names a file outside of its folder
 */
export async function readOnnx(source: ByteSource, siblings: Siblings): Promise<OnnxFile> {
  const small = buffered(source);
  const model = await readMessage(small, { start: 0, end: source.size });
  const graph = await model.message(7);
  if (!graph || model.integer(1) === undefined) {
    throw new WeightsError(`${source.name}: is no ONNX model: it has no ${graph ? 'IR version' : 'graph'}`);
  }
  const tensors = new Map<string, WeightTensor>();
  const leftOut = new LeftOut();
  const take = (tensor: TensorOrNot) => {
    if ('unread' in tensor) {
      leftOut.add(tensor.name, tensor.unread);
      return;
    }
    if (tensor.name === '') throw new WeightsError(`${source.name}: has an initialiser without a name`);
    if (tensors.has(tensor.name)) {
      throw new WeightsError(`${source.name}: has two tensors of the name ${show(tensor.name)}`);
    }
    tensors.set(tensor.name, tensor);
  };
  for (const range of graph.ranges(5)) take(await tensorProto(small, siblings, range));
  if (graph.has(15)) leftOut.add(`${graph.ranges(15).length} tensors`, 'sparse');
  const nodes: OnnxNode[] = [];
  for (const range of graph.ranges(1)) {
    const { node, tensors: values, graphs } = await nodeProto(small, range);
    nodes.push(node);
    for (const name of graphs) leftOut.add(`${name} of ${node.name || node.outputs[0]}`, 'a graph within a node');
    const value = node.type === 'Constant' ? values.get('value') : undefined;
    if (value) take(await tensorProto(small, siblings, value, node.outputs[0] ?? ''));
  }
  return {
    format: 'onnx',
    name: source.name,
    tensors: [...tensors.values()],
    nodes,
    inputs: await edges(graph, 11),
    outputs: await edges(graph, 12),
    metadata: await metadata(model, leftOut),
    close: () => source.close(),
  };
}

async function edges(graph: MessageFields, field: number): Promise<OnnxEdge[]> {
  const found: OnnxEdge[] = [];
  for (const message of await graph.messages(field)) found.push(await edge(message));
  return found;
}

async function metadata(model: MessageFields, leftOut: LeftOut): Promise<Record<string, string>> {
  const entries: [string, string][] = [['ir_version', `${model.integer(1)}`]];
  for (const opset of await model.messages(8)) {
    const domain = await opset.text(1);
    entries.push([domain ? `opset ${domain}` : 'opset', `${opset.integer(2) ?? 0}`]);
  }
  for (const [key, field] of Object.entries({ producer_name: 2, producer_version: 3 })) {
    const text = await model.text(field);
    if (text) entries.push([key, text]);
  }
  for (const pair of await model.messages(14)) entries.push([(await pair.text(1)) ?? '', (await pair.text(2)) ?? '']);
  return Object.fromEntries([...entries, ...leftOut.entries()]);
}
