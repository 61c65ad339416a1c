/** What a loop costs: operations, bytes, and how much of it makes a worthwhile piece. */
import { liveInputs, liveNodes, type Nest, product, rootsOf } from './loop-nest.ts';
import { cost } from './scalar-functions.ts';

export interface Traffic {
  /** Points of the iteration space. */
  readonly elements: number;
  /** Operations per point. */
  readonly flops: number;
  /** Bytes read and written, each input's element once. */
  readonly bytes: number;
  /** Points per piece: 32 Ki of a cheap body, fewer of a costly one. */
  readonly grain: number;
}

const GRAIN = 32768;
/** A body up to this cost runs at the speed of memory. */
const CHEAP = 24;

export function traffic(nest: Nest): Traffic {
  const elements = product(nest.axes.map((a) => a.size));
  let flops = 0;
  for (const index of liveNodes(nest.body, rootsOf(nest))) {
    const node = nest.body[index];
    if (node?.kind === 'apply') flops += cost(node.fn);
  }
  const touched = (strides: readonly number[]): number =>
    product(nest.axes.map((axis, a) => (strides[a] === 0 ? 1 : axis.size)));
  let words = nest.stores.length * elements;
  for (const i of liveInputs(nest)) words += touched(nest.inputs[i]?.strides ?? []);
  const kept = product(nest.axes.map((a) => (a.reduced ? 1 : a.size)));
  words += nest.reductions.length * kept;
  const slower = Math.max(1, Math.min(8, flops / CHEAP));
  return { elements, flops, bytes: words * 4, grain: Math.ceil(GRAIN / slower / 512) * 512 };
}
