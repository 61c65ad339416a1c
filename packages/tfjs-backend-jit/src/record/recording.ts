/** What has been recorded but not run: nodes over data entries, and the key under which their program is found again. */
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import type { DataId } from '@tensorflow/tfjs-core/dist/tensor_info.js';
import type { HostValues } from '../runtime/engine.ts';
import type { Inputs, Rule, TensorType } from './rule.ts';

/** A place in Wasm memory, shared by all entries that hold the same value. */
export interface DeviceBuffer {
  readonly address: number;
  readonly bytes: number;
  refs: number;
  /** The run that fills it; readable once that is done. */
  run: number;
  /** It was made for values from the host: the next of that size go there when it is free. */
  readonly isInput?: boolean;
  /** What programs made of it alone and keep, by `Kept.key`. */
  kept?: Map<string, KeptBuffers>;
}

/** Memory that holds what was made of `sources`, as they were after the runs of `stamps`. */
export interface KeptBuffers {
  readonly addresses: readonly number[];
  readonly sources: readonly DeviceBuffer[];
  stamps: readonly number[];
}

/** One TF.js data id: a value that is on the host, in Wasm memory, or not yet computed. */
export interface Entry {
  refCount: number;
  readonly dtype: DataType;
  readonly size: number;
  /** On the host, in the array of its type. */
  values: HostValues | undefined;
  /** Its id in the cpu backend: of what came from there, or went there. */
  host: DataId | undefined;
  device: DeviceBuffer | undefined;
  /** The recorded operation that will make it. */
  node: Node | undefined;
  output: number;
  /** Pending nodes that read it. */
  readers: number;
  /** Why it could not be computed. */
  failure: Error | undefined;
}

/** An entry with one holder. */
export function newEntry(
  dtype: DataType,
  size: number,
  of: Partial<Pick<Entry, 'values' | 'host' | 'device' | 'output'>> = {},
): Entry {
  const { values, host, device, output = 0 } = of;
  return { refCount: 1, dtype, size, values, host, device, node: undefined, output, readers: 0, failure: undefined };
}

/** One recorded TF.js kernel. */
export interface Node {
  readonly kernel: string;
  readonly rule: Rule<never>;
  readonly names: readonly string[];
  /** `dtype` is the tensor's; the cpu backend casts integers to floats by name only, so an entry from there may differ. */
  readonly inputs: readonly { readonly entry: Entry; readonly shape: readonly number[]; readonly dtype: DataType }[];
  readonly attrs: unknown;
  readonly types: readonly TensorType[];
  readonly outputs: readonly Entry[];
}

/** The part of a recording that someone still needs, in order. */
export interface Recording {
  /** Equal keys mean equal programs: operations, attributes, shapes, wiring, which values live on and which die. */
  readonly key: string;
  readonly nodes: readonly Node[];
  readonly leaves: readonly Entry[];
  /** For each leaf: nobody else needs it afterwards. */
  readonly donatable: readonly boolean[];
  readonly outputs: readonly Entry[];
}

/** Finds what of `pending` the live entries need, and names it. */
export function takeRecording(pending: readonly Node[]): Recording {
  const nodes = neededOf(pending);
  const numbers = new Map<Entry, number>();
  const leaves: Entry[] = [];
  const outputs: Entry[] = [];
  let key = '';
  for (const { kernel, attrs, names, inputs, outputs: made } of nodes) {
    key += `${kernel}${textOf(attrs)}(${names}:`;
    for (const { entry, shape, dtype } of inputs) {
      const number = numbers.get(entry);
      const as = dtype === entry.dtype ? '' : dtype;
      if (number === undefined) {
        key += `${numbers.size}=${entry.dtype}${mayOverwrite(entry) ? '!' : ''}[${shape}]${as},`;
        numbers.set(entry, numbers.size);
        leaves.push(entry);
      } else key += `${number}[${shape}]${as},`;
    }
    key += ')';
    for (const entry of made) {
      numbers.set(entry, numbers.size);
      key += entry.refCount === 0 ? '_' : '+';
      if (entry.refCount > 0) outputs.push(entry);
    }
    key += '\n';
  }
  return { key, nodes, leaves, donatable: leaves.map(mayOverwrite), outputs };
}

function neededOf(pending: readonly Node[]): readonly Node[] {
  const needed = new Set<Node>();
  for (let i = pending.length - 1; i >= 0; i--) {
    const node = pending[i];
    if (!needed.has(node) && !node.outputs.some((entry) => entry.refCount > 0)) continue;
    needed.add(node);
    for (const { entry } of node.inputs) if (entry.node !== undefined) needed.add(entry.node);
  }
  return needed.size === pending.length ? pending : pending.filter((node) => needed.has(node));
}

/** True if nobody needs the value afterwards, nor another value that lies in the same memory. */
function mayOverwrite({ refCount, device }: Entry): boolean {
  return refCount === 0 && (device === undefined || device.refs === 1);
}

/** Attributes as text: equal only where they are equal, -0 and NaN included. */
function textOf(value: unknown): string {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : `${value}`;
  if (typeof value !== 'object' || value === null)
    return typeof value === 'string' ? JSON.stringify(value) : `${value}`;
  if (Array.isArray(value)) return `[${value.map(textOf)}]`;
  let text = '';
  for (const [name, inner] of Object.entries(value)) text += `${name}:${textOf(inner)},`;
  return `{${text}}`;
}

type Given = Readonly<Record<string, TensorInfo | TensorInfo[] | null | undefined>>;

/** The inputs as the rule's `infer` sees them: those that were given, by name. */
export function namedInputs(inputs: Given): Inputs {
  const named: Record<string, TensorInfo> = {};
  for (const name in inputs) {
    const info = inputs[name];
    if (info !== null && info !== undefined) named[name] = info as TensorInfo;
  }
  return named;
}
