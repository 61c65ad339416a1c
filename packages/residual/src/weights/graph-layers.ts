/** The layers of a TF.js graph model: its nodes with weights, in the order in which they run. The converter folds batch
 *  normalisation into convolutions and calls weights after operations, so the nodes say what each one is. */

import type { FileLayer } from './file-layers.ts';
import type { LayerKind, Role } from './layers.ts';
import { transpose } from './layout.ts';
import type { WeightTensor } from './tensor.ts';
import type { TfjsFile } from './tfjs/tfjs.ts';

/** A NodeDef, as model.json has it. */
interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** Names of nodes. */
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** The roles of the inputs after the first, which is data. */
const OPERATIONS: Readonly<Record<string, readonly [kind: LayerKind, ...roles: Role[]]>> = {
  Conv2D: ['conv', 'kernel'],
  _FusedConv2D: ['conv', 'kernel', 'bias'],
  MatMul: ['dense', 'kernel'],
  _FusedMatMul: ['dense', 'kernel', 'bias'],
  FusedBatchNormV3: ['norm', 'gamma', 'beta', 'moving_mean', 'moving_variance'],
  FusedBatchNorm: ['norm', 'gamma', 'beta', 'moving_mean', 'moving_variance'],
};
/** Of a bias by itself. */
const ADDITIONS = ['BiasAdd', 'Add', 'AddV2'];

/** True where the topology is a GraphDef, not a Keras configuration. */
export function isGraphModel({ topology }: TfjsFile): boolean {
  return Array.isArray(record(topology).node);
}

export function graphLayers({ topology, tensors }: TfjsFile): readonly FileLayer[] {
  const nodes = new Map(nodesOf(topology).map((node) => [node.name, node]));
  const weights = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const weightOf = (name = ''): WeightTensor | undefined => {
    const node = nodes.get(name);
    return weights.get(node?.op === 'Identity' ? (node.inputs[0] ?? '') : name);
  };
  const biases = new Map<string, WeightTensor>();
  for (const { op, inputs } of nodes.values()) {
    const bias = ADDITIONS.includes(op) ? weightOf(inputs[1]) : undefined;
    if (bias?.shape.length === 1 && inputs[0] !== undefined) biases.set(inputs[0], bias);
  }
  return inOrder(nodes).flatMap((node): FileLayer[] => {
    const [kind, ...roles] = OPERATIONS[node.op] ?? [];
    if (kind === undefined) return [];
    const found = new Map<Role, WeightTensor>();
    for (const [i, role] of roles.entries()) {
      const tensor = weightOf(node.inputs[i + 1]);
      if (tensor) found.set(role, role === 'kernel' ? inOut(tensor, node) : tensor);
    }
    const bias = biases.get(node.name);
    if (kind !== 'norm' && bias && !found.has('bias')) found.set('bias', bias);
    const first = found.get('kernel');
    if (kind !== 'norm' && !first) return [];
    const epsilon = record(node.attributes.epsilon).f;
    const name = layerName(first?.name ?? node.name);
    return [{ name, kind, tensors: found, ...(kind === 'norm' && typeof epsilon === 'number' ? { epsilon } : {}) }];
  });
}

/** `StatefulPartitionedCall/resnet/conv1/Conv2D_weights`, `…/fc/MatMul/ReadVariableOp` → `conv1`, `fc`. */
function layerName(name: string): string {
  const path = name.split('/').filter((part) => !/^(ReadVariableOp|Conv2D|MatMul|BiasAdd|FusedBatchNorm)/.test(part));
  return path.at(-1) ?? name;
}

function inOut(tensor: WeightTensor, { op, attributes }: GraphNode): WeightTensor {
  if (!op.endsWith('MatMul') || record(attributes.transpose_b).b !== true) return tensor;
  const read = async () => transpose(await tensor.read(), tensor.shape);
  return { ...tensor, shape: [...tensor.shape].reverse(), read };
}

/** Each node after those that it reads. */
function inOrder(nodes: ReadonlyMap<string, GraphNode>): readonly GraphNode[] {
  const done: GraphNode[] = [];
  const seen = new Set<string>();
  for (const last of nodes.keys()) {
    // By a list of its own: a file may have a chain that is too long for calls within calls.
    const open = [{ name: last, left: false }];
    for (let next = open.pop(); next; next = open.pop()) {
      const node = nodes.get(next.name);
      if (!node) continue;
      if (next.left) done.push(node);
      if (next.left || seen.has(next.name)) continue;
      seen.add(next.name);
      open.push({ name: next.name, left: true });
      for (const input of [...node.inputs].reverse()) open.push({ name: input, left: false });
    }
  }
  return done;
}

function nodesOf(topology: unknown): readonly GraphNode[] {
  const { node } = record(topology);
  if (!Array.isArray(node)) return [];
  return node.flatMap((one: unknown): GraphNode[] => {
    const { name, op, input, attr } = record(one);
    if (typeof name !== 'string' || typeof op !== 'string') return [];
    const inputs = Array.isArray(input) ? input.filter((each) => typeof each === 'string') : [];
    // `^name` is an order only; `name:0` an output of several.
    const names = inputs.filter((each) => !each.startsWith('^')).map((each) => each.replace(/:\d+$/, ''));
    return [{ name, op, inputs: names, attributes: record(attr) }];
  });
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
