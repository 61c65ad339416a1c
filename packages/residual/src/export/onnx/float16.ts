/** A float32 ONNX model in half precision: weights of half the size, and half-precision arithmetic where the runtime
 *  has it. Rounding is to the nearest, ties to even. */

import { float16Of } from '../float16.ts';
import { dataTypes, floatsOf, type OnnxModel, type OnnxNode, type OnnxTensor, type OnnxValue } from './model.ts';

/**
 * @param edges the type of the model's float inputs and outputs: `float32` casts between them and the inside
 * @throws ModelError for a weight beyond the range of float16, naming it
 */
export function toFloat16(model: OnnxModel, edges: 'float16' | 'float32'): OnnxModel {
  const half = <V extends OnnxValue>(value: V): V => (value.type === 'float32' ? { ...value, type: 'float16' } : value);
  const nodes = model.nodes.map((node) => (node.type === 'Cast' ? castToHalf(node) : node));
  const initializers = model.initializers.map((tensor) => (tensor.type === 'float32' ? halved(tensor) : tensor));
  if (edges === 'float16') {
    return { ...model, nodes, initializers, inputs: model.inputs.map(half), outputs: model.outputs.map(half) };
  }
  const inputs = model.inputs.filter(({ type }) => type === 'float32').map(({ name }) => name);
  const outputs = model.outputs.filter(({ type }) => type === 'float32').map(({ name }) => name);
  const inside = (name: string) => (inputs.includes(name) || outputs.includes(name) ? `${name}.float16` : name);
  return {
    ...model,
    nodes: [
      ...inputs.map((name) => cast(name, inside(name), dataTypes.float16)),
      ...nodes.map((node) => ({ ...node, inputs: node.inputs.map(inside), outputs: node.outputs.map(inside) })),
      ...outputs.map((name) => cast(inside(name), name, dataTypes.float32)),
    ],
    initializers,
  };
}

function cast(from: string, to: string, type: number): OnnxNode {
  return { type: 'Cast', name: `${to}.cast`, inputs: [from], outputs: [to], attributes: { to: { int: type } } };
}

function castToHalf(node: OnnxNode): OnnxNode {
  return { ...node, attributes: { to: { int: dataTypes.float16 } } };
}

function halved(tensor: OnnxTensor): OnnxTensor {
  const halves = float16Of(tensor.name, floatsOf(tensor));
  return { ...tensor, type: 'float16', raw: new Uint8Array(halves.buffer) };
}
