/** The layers of an ONNX graph: its Conv, BatchNormalization, Gemm and MatMul nodes in the order in which they run, with
 *  the initialisers that they take. Names of initialisers may say nothing; the nodes do. */

import type { FileLayer } from './file-layers.ts';
import type { Role } from './layers.ts';
import { transpose } from './layout.ts';
import type { OnnxNode } from './onnx/nodes.ts';
import type { OnnxFile } from './onnx/onnx.ts';
import type { WeightTensor } from './tensor.ts';

export function onnxLayers({ nodes, tensors }: OnnxFile): readonly FileLayer[] {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  // An Identity of an initialiser is how an exporter says that two layers have equal weights.
  const sources = new Map(
    nodes.filter(({ type }) => type === 'Identity').map(({ inputs, outputs }) => [outputs[0], inputs[0]]),
  );
  const tensorOf = (name = ''): WeightTensor | undefined => byName.get(name) ?? byName.get(sources.get(name) ?? '');
  const readers = new Map(nodes.flatMap((node) => node.inputs.map((input) => [input, node] as const)));
  return nodes.flatMap((node) => {
    const layer = layerOf(node, tensorOf, readers);
    return layer === undefined ? [] : [layer];
  });
}

type Find = (name: string | undefined) => WeightTensor | undefined;

function layerOf(node: OnnxNode, find: Find, readers: ReadonlyMap<string, OnnxNode>): FileLayer | undefined {
  const { type, inputs, outputs, attributes } = node;
  const name = node.name === '' ? (inputs[1] ?? '') : node.name;
  switch (type) {
    case 'Conv':
      return {
        name,
        kind: 'conv',
        tensors: roles([
          ['kernel', find(inputs[1])],
          ['bias', find(inputs[2])],
        ]),
      };
    case 'BatchNormalization': {
      const epsilon = attributes.get('epsilon');
      const terms = ['gamma', 'beta', 'moving_mean', 'moving_variance'];
      const tensors = roles(terms.map((term, i) => [term, find(inputs[i + 1])]));
      return { name, kind: 'norm', tensors, epsilon: typeof epsilon === 'number' ? round(epsilon) : 1e-5 };
    }
    case 'Gemm': {
      const kernel = find(inputs[1]);
      const outByIn = attributes.get('transB') === 1 ? kernel : transposed(kernel);
      return {
        name,
        kind: 'dense',
        tensors: roles([
          ['kernel', outByIn],
          ['bias', find(inputs[2])],
        ]),
      };
    }
    case 'MatMul': {
      const next = readers.get(outputs[0] ?? '');
      const bias = next?.type === 'Add' ? (find(next.inputs[0]) ?? find(next.inputs[1])) : undefined;
      return {
        name,
        kind: 'dense',
        tensors: roles([
          ['kernel', transposed(find(inputs[1]))],
          ['bias', bias],
        ]),
      };
    }
    default:
      return undefined;
  }
}

function roles(pairs: readonly (readonly [Role, WeightTensor | undefined])[]): ReadonlyMap<Role, WeightTensor> {
  return new Map(pairs.flatMap(([role, tensor]) => (tensor === undefined ? [] : [[role, tensor] as const])));
}

/** [in, out] as the other dense layers have it: [out, in]. */
function transposed(tensor: WeightTensor | undefined): WeightTensor | undefined {
  if (tensor?.shape.length !== 2) return tensor;
  const read = async () => transpose(await tensor.read(), tensor.shape);
  return { ...tensor, shape: [...tensor.shape].reverse(), read };
}

/** ONNX stores 32 bits of what was written as 0.00001. */
function round(epsilon: number): number {
  return Number(epsilon.toPrecision(6));
}
