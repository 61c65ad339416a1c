/**
 * Batch norm's sums over a convolution's result, taken by the convolution itself: the loop over the result goes away.
 * Only the two sums that `record/normalize.ts` writes are known: of y − y₀ and of its square, y₀ being the first pixel.
 */
import { storageOf, type Value } from '../graph/graph.ts';
import { sizeOf } from '../graph/shape.ts';
import { takesEpilogue } from '../kernels/conv2d.ts';
import { IN_ORDER } from '../kernels/loop.ts';
import { buildLoop } from './loops.ts';
import type { Item, LoopGroup } from './schedule.ts';

/** The values that a convolution makes beside its result. */
export interface Moments {
  readonly sums: Value;
  readonly squares: Value;
}

/** Moves such loops into the convolutions before them; what remains, in order. */
export function takeMoments(items: readonly Item[], roots: ReadonlySet<Value>): Item[] {
  const left: (Item | undefined)[] = [...items];
  items.forEach((item, at) => {
    const found = item.kind === 'loop' ? momentsOf(item, roots) : undefined;
    if (found === undefined) return;
    const place = items.findIndex((other) => resultOf(other) === found.of);
    const recipe = left[place];
    if (recipe?.kind !== 'recipe') return;
    left[place] = { ...recipe, moments: found };
    left[at] = undefined;
  });
  return left.filter((item) => item !== undefined);
}

/** What a convolution that can take moments leaves in memory, as a key: its result, or what its epilogue makes of it. */
function resultOf(item: Item): Value | undefined {
  if (item.kind !== 'recipe') return undefined;
  const { value, fused } = item;
  if (value.op.kind !== 'recipe' || value.op.name !== 'Conv2D' || value.op.detail?.kind !== 'window') return undefined;
  return takesEpilogue(value.op.detail.shape) ? (fused?.made ?? value) : undefined;
}

function momentsOf(item: LoopGroup, roots: ReadonlySet<Value>): (Moments & { readonly of: Value }) | undefined {
  const { shape, stores, reductions, reduced, reads } = item;
  const [read, ...others] = reads;
  // So few are added in order, as they are where a small program is not compiled.
  if (sizeOf(shape) <= IN_ORDER) return undefined;
  if (stores.length > 0 || reductions.length !== 2 || others.length > 0 || read?.lane !== 'f32') return undefined;
  const { spec } = buildLoop(shape, [], reductions, reduced, roots);
  const [rows, channels, ...more] = spec.shape;
  if (more.length > 0 || channels !== read.shape.at(-1) || spec.reduced?.[0] !== true || spec.reduced[1])
    return undefined;
  const isElement = (index: number) => isLoad(index, rows === 1 ? 0 : channels);
  const isFirst = (index: number) => isLoad(index, 0);
  const [apart, square] = (spec.reductions ?? []).map(({ fn, value }) => (fn === 'sum' ? spec.body[value] : undefined));
  const fits =
    apart?.kind === 'apply' &&
    apart.fn === 'sub' &&
    isElement(apart.args[0]) &&
    isFirst(apart.args[1]) &&
    square?.kind === 'apply' &&
    square.fn === 'square' &&
    spec.body[square.args[0]] === apart;
  if (!fits) return undefined;
  const storage = storageOf(read);
  const of = storage.op.kind === 'result' ? storage.op.of : storage;
  return { of, sums: reductions[0], squares: reductions[1] };

  /** Whether a node of the body reads the value, `step` elements further in each row. */
  function isLoad(index: number, step: number): boolean {
    const node = spec.body[index];
    if (node?.kind !== 'load') return false;
    const { offset, strides } = spec.inputs[node.input];
    return offset === 0 && strides[0] === step && strides[1] === 1;
  }
}
