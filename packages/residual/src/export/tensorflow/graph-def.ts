/** TensorFlow's GraphDef as plain data: what a SavedModel keeps as protobuf and a TF.js graph model as JSON.
 *  tensorflow/core/framework: graph.proto, node_def.proto, attr_value.proto, types.proto */

import type { Shape } from '../graph/graph.ts';

/** Element types that we use, with their numbers and names in types.proto. */
export const dataTypes = {
  float32: { number: 1, name: 'DT_FLOAT' },
  int32: { number: 3, name: 'DT_INT32' },
  uint8: { number: 4, name: 'DT_UINT8' },
  int8: { number: 6, name: 'DT_INT8' },
  string: { number: 7, name: 'DT_STRING' },
  float16: { number: 19, name: 'DT_HALF' },
} as const;

export type DataType = keyof typeof dataTypes;

/** A value in the graph itself: sizes, axes, texts. Trained numbers are kept apart. */
export type SmallTensor =
  | { readonly type: 'int32'; readonly shape: Shape; readonly values: readonly number[] }
  | { readonly type: 'float32'; readonly shape: Shape; readonly values: readonly number[] }
  | { readonly type: 'string'; readonly shape: Shape; readonly values: readonly string[] };

export type Attribute =
  | { readonly type: DataType }
  | { readonly types: readonly DataType[] }
  /** −1 is a size that is open. */
  | { readonly shape: Shape }
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly flag: boolean }
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly tensor: SmallTensor };

export interface NodeDef {
  readonly name: string;
  /** e.g. `Conv2D`. */
  readonly op: string;
  /** Names of nodes; `name:1` for a second output, `^name` for a node that must only have run. */
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A value at the edge of a graph, by the node that holds it. */
export interface Edge {
  readonly node: string;
  readonly type: DataType;
  readonly shape: Shape;
}

/** What a max-pool is padded with and never takes: finite, since not every GPU's shaders have −∞. */
export const LOWEST = -3.4028234663852886e38;

export function constantNode(name: string, tensor: SmallTensor): NodeDef {
  return { name, op: 'Const', inputs: [], attributes: { dtype: { type: tensor.type }, value: { tensor } } };
}

/** Names as TensorFlow allows them, each once. */
export class NodeNames {
  private readonly used = new Set<string>();

  /** The name itself where it may be one, something like it otherwise. */
  of(wanted: string): string {
    const allowed = wanted.replaceAll(/[^A-Za-z0-9_.\\/>-]/g, '_').replace(/^(?=[^A-Za-z0-9.])/, 'n');
    let free = allowed;
    for (let i = 1; this.used.has(free); i++) free = `${allowed}_${i}`;
    this.used.add(free);
    return free;
  }
}

/** `name:0` and `name` are the same value. */
export function nodeOf(input: string): string {
  return input.replace(/:0$/, '');
}
