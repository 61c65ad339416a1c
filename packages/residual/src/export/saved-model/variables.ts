/** The variables of a SavedModel: how each is kept, how the graph reads it, and the nodes that save and restore all.
 *  As TensorFlow 1's Saver writes them, which every loader of TensorFlow 1 and 2 and TF Serving take. */

import { quantizeWeights } from '../../quantize/weights.ts';
import { float16Of } from '../float16.ts';
import type { Constant, Shape } from '../graph/graph.ts';
import { type Attribute, constantNode, type NodeDef } from '../tensorflow/graph-def.ts';
import type { Variable } from './bundle.ts';

/**
 * How weights are kept: `float16` halves the file, `int8` with a scale for each output channel quarters it. TensorFlow
 * widens them as it reads them, and computes in float32 in any case.
 */
export type VariableStorage = 'float32' | 'float16' | 'int8';

export const FILENAME = 'save/Const';
export const SAVED = 'save/control_dependency';
export const RESTORED = 'save/restore_all';

const FLOAT: Attribute = { type: 'float32' };

export class Variables {
  readonly all: Variable[] = [];
  private readonly storage: VariableStorage;

  constructor(storage: VariableStorage) {
    this.storage = storage;
  }

  /** Keeps trained numbers. @returns nodes that give them as float32 */
  keep(name: string, { shape, values }: Constant, kind: 'weights' | 'other'): NodeDef[] {
    if (kind === 'other' || this.storage === 'float32') return this.variable(name, 'float32', shape, values);
    if (this.storage === 'float16') {
      return [...this.variable(name, 'float16', shape, float16Of(name, values)), cast(name, 'float16')];
    }
    // A depthwise filter has a scale for each multiple of each channel: its last two axes are the outputs.
    const ofOutputs = name.endsWith('depthwise_kernel') ? shape.slice(-2) : shape.slice(-1);
    const channels = ofOutputs.reduce((a, b) => a * b, 1);
    const { values: integers, scales } = quantizeWeights(values, channels);
    const scale = `${name}/scale`;
    return [
      ...this.variable(scale, 'float32', ofOutputs, scales),
      ...this.variable(name, 'int8', shape, integers),
      cast(name, 'int8'),
      { name: `${name}/dequantized`, op: 'Mul', inputs: [`${name}/Cast`, readOf(scale)], attributes: { T: FLOAT } },
    ];
  }

  private variable(
    name: string,
    type: Variable['type'],
    shape: Shape,
    values: Float32Array | Float16Array | Int8Array,
  ): NodeDef[] {
    this.all.push({ name, type, shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) });
    const texts = { container: { text: '' }, shared_name: { text: name } };
    return [
      { name, op: 'VarHandleOp', inputs: [], attributes: { dtype: { type }, shape: { shape }, ...texts } },
      { name: readOf(name), op: 'ReadVariableOp', inputs: [name], attributes: { dtype: { type } } },
    ];
  }

  /** The nodes that a Saver runs; `FILENAME` is where it says which checkpoint. */
  saver(): NodeDef[] {
    const { all } = this;
    const count = all.length;
    const list = (name: string, values: readonly string[]) =>
      constantNode(name, { type: 'string', shape: [values.length], values });
    const types = { types: all.map(({ type }) => type) };
    const names = all.map(({ name }) => name);
    const restored = all.map((_, i) => restoreOf(i));
    return [
      constantNode('save/filename/input', { type: 'string', shape: [], values: ['model'] }),
      withDefault('save/filename', 'save/filename/input'),
      withDefault(FILENAME, 'save/filename'),
      list('save/SaveV2/tensor_names', names),
      list('save/SaveV2/shape_and_slices', Array<string>(count).fill('')),
      {
        name: 'save/SaveV2',
        op: 'SaveV2',
        inputs: [FILENAME, 'save/SaveV2/tensor_names', 'save/SaveV2/shape_and_slices', ...names.map(readOf)],
        attributes: { dtypes: types },
      },
      { name: SAVED, op: 'Identity', inputs: [FILENAME, '^save/SaveV2'], attributes: { T: { type: 'string' } } },
      list('save/RestoreV2/tensor_names', names),
      list('save/RestoreV2/shape_and_slices', Array<string>(count).fill('')),
      {
        name: 'save/RestoreV2',
        op: 'RestoreV2',
        inputs: [FILENAME, 'save/RestoreV2/tensor_names', 'save/RestoreV2/shape_and_slices'],
        attributes: { dtypes: types },
      },
      ...all.map(({ name, type }, i) => ({
        name: restored[i] ?? '',
        op: 'AssignVariableOp',
        inputs: [name, i === 0 ? 'save/RestoreV2' : `save/RestoreV2:${i}`],
        attributes: { dtype: { type } },
      })),
      { name: RESTORED, op: 'NoOp', inputs: restored.map((name) => `^${name}`), attributes: {} },
    ];
  }
}

/** The node that reads a variable. */
export function readOf(variable: string): string {
  return `${variable}/Read/ReadVariableOp`;
}

/** The node that gives a variable its number from the checkpoint. */
export function restoreOf(place: number): string {
  return `save/AssignVariableOp${place === 0 ? '' : `_${place}`}`;
}

function withDefault(name: string, value: string): NodeDef {
  const attributes = { dtype: { type: 'string' }, shape: { shape: [] } } as const;
  return { name, op: 'PlaceholderWithDefault', inputs: [value], attributes };
}

function cast(name: string, from: 'float16' | 'int8'): NodeDef {
  return {
    name: `${name}/Cast`,
    op: 'Cast',
    inputs: [readOf(name)],
    attributes: { SrcT: { type: from }, DstT: FLOAT },
  };
}
