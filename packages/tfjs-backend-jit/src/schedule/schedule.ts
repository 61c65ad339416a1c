/**
 * From the graph to launches in order. Each value that lies in memory is made by a recipe or by a fused loop;
 * loops over the same elements that may run together become one.
 */
import { type Graph, operands, storageOf, type Value } from '../graph/graph.ts';
import { type Shape, sameShape, sizeOf } from '../graph/shape.ts';
import type { Features, Recipe } from '../kernels/kernel.ts';
import { loop } from '../kernels/loop.ts';
import { type Fused, fuseEpilogues } from './epilogues.ts';
import { buildLoop } from './loops.ts';
import { type Moments, takeMoments } from './moments.ts';
import { chooseRoots, sinks } from './roots.ts';

/** One recipe over values in memory. */
export interface Task {
  readonly recipe: Recipe;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Outputs that may take an input's memory: pairs of indices. */
  readonly inPlace: readonly (readonly [output: number, input: number])[];
}

/** A loop in the making. */
export interface LoopGroup {
  readonly kind: 'loop';
  shape: Shape;
  reduced: readonly boolean[] | undefined;
  readonly stores: Value[];
  readonly reductions: Value[];
  /** Values in memory that the members read, but for what the group itself makes. */
  readonly reads: Set<Value>;
}

export type Item = LoopGroup | RecipeItem;

export interface RecipeItem {
  readonly kind: 'recipe';
  readonly value: Value;
  readonly fused?: Fused;
  readonly moments?: Moments;
}

/** How far back a loop looks for another to join: joining moves it earlier, and what it makes lives longer. */
const WINDOW = 12;
/** Pointers of one loop; more would spill. */
const MAX_POINTERS = 14;

/** `steady`: inputs that outlive the run, so that what is made of them alone may be kept for the next. */
export function schedule(graph: Graph, features: Features, steady: ReadonlySet<Value> = new Set()): Task[] {
  const { roots, live } = chooseRoots(graph);
  const items: Item[] = [];
  /** The item that makes a value. */
  const madeBy = new Map<Value, number>();
  const results = new Map<Value, Value[]>();
  for (const value of live) {
    if (value.op.kind === 'result') {
      const list = results.get(value.op.of) ?? [];
      list[value.op.index] = value;
      results.set(value.op.of, list);
    }
  }
  for (const value of live) {
    const { op } = value;
    if (op.kind === 'recipe') {
      items.push({ kind: 'recipe', value });
      for (const result of results.get(value) ?? []) if (result) madeBy.set(result, items.length - 1);
    } else if (op.kind === 'reduce' || op.kind === 'copy' || (op.kind === 'apply' && roots.has(value))) {
      madeBy.set(value, place(value, items, madeBy, roots));
    }
  }
  return takeMoments(fuseEpilogues(items, graph, roots), roots).map((item) =>
    item.kind === 'recipe'
      ? recipeTask(item, results, features, steady)
      : loopTask(item, roots, features, steady, graph),
  );
}

/** Puts a value into a loop that already stands, or into a new one; returns the item's place. */
function place(value: Value, items: Item[], madeBy: ReadonlyMap<Value, number>, roots: ReadonlySet<Value>): number {
  const reads = readsOf(value, roots);
  const earliest = Math.max(-1, ...[...reads].map((read) => madeBy.get(read) ?? -1));
  const oldest = Math.max(0, earliest, items.length - WINDOW);
  for (let i = items.length - 1; i >= oldest; i--) {
    const group = items[i];
    if (group.kind !== 'loop' || !mayJoin(value, reads, group, i, madeBy, roots)) continue;
    join(value, reads, group);
    return i;
  }
  const { op } = value;
  items.push({
    kind: 'loop',
    shape: op.kind === 'reduce' ? op.of.shape : value.shape,
    reduced: op.kind === 'reduce' ? op.reduced : undefined,
    stores: op.kind === 'reduce' ? [] : [value],
    reductions: op.kind === 'reduce' ? [value] : [],
    reads,
  });
  return items.length - 1;
}

function mayJoin(
  value: Value,
  reads: ReadonlySet<Value>,
  group: LoopGroup,
  place: number,
  madeBy: ReadonlyMap<Value, number>,
  roots: ReadonlySet<Value>,
): boolean {
  const { op } = value;
  const space = op.kind === 'reduce' ? op.of : value;
  if (sizeOf(space.shape) !== sizeOf(group.shape)) return false;
  // What the group itself makes can be read in registers: stored values of the same elements, never sums or copies.
  const own = [...reads].filter((read) => madeBy.get(read) === place);
  if (own.some((read) => read.op.kind !== 'apply' || !readsInOrder(value, read, roots))) return false;
  const shares = own.length > 0 || [...reads].some((read) => group.reads.has(read) && sizeOf(read.shape) > 1);
  if (!shares) return false;
  const pointers = group.stores.length + group.reductions.length + new Set([...group.reads, ...reads]).size;
  if (pointers >= MAX_POINTERS) return false;
  const kept = (v: Value) => roots.has(v) && madeBy.get(v) !== place;
  if (op.kind !== 'reduce') return fits(value, group.shape, kept);
  if (!sinks(op.of, op.of.shape, kept)) return false;
  if (group.reduced === undefined) return group.stores.every((store) => fits(store, op.of.shape, kept));
  return sameShape(group.shape, op.of.shape) && group.reduced.every((r, axis) => r === op.reduced[axis]);
}

/** True if what a store computes can be walked under `shape`. */
function fits(store: Value, shape: Shape, kept: (value: Value) => boolean): boolean {
  if (store.op.kind === 'copy') return sinks(store.op.of, shape, kept);
  return store.op.kind === 'apply' && store.op.args.every((arg) => sinks(arg, shape, kept, store.shape));
}

function join(value: Value, reads: ReadonlySet<Value>, group: LoopGroup): void {
  const { op } = value;
  if (op.kind === 'reduce') {
    group.reductions.push(value);
    if (group.reduced === undefined) {
      group.shape = op.of.shape;
      group.reduced = op.reduced;
    }
  } else group.stores.push(value);
  for (const read of reads) group.reads.add(read);
}

/** True if `value` reads `read` only element by element in its own order: no strided view, no other walk. */
function readsInOrder(value: Value, read: Value, roots: ReadonlySet<Value>): boolean {
  const visit = (v: Value): boolean => {
    if (v.op.kind === 'view') return storageOf(v.op.of) !== read;
    const storage = storageOf(v);
    if (storage === read) return true;
    if (v !== value && roots.has(storage)) return true;
    return operands(v.op).every(visit);
  };
  return operands(value.op).every(visit);
}

/** The values in memory that computing `value` loads. */
function readsOf(value: Value, roots: ReadonlySet<Value>): Set<Value> {
  const reads = new Set<Value>();
  const seen = new Set<Value>();
  const visit = (v: Value) => {
    if (seen.has(v)) return;
    seen.add(v);
    if (roots.has(v)) reads.add(v);
    else for (const operand of operands(v.op)) visit(operand);
  };
  for (const operand of operands(value.op)) visit(operand);
  return reads;
}

function recipeTask(
  { value, fused, moments }: RecipeItem,
  results: ReadonlyMap<Value, readonly Value[]>,
  features: Features,
  steady: ReadonlySet<Value>,
): Task {
  const { op } = value;
  if (op.kind !== 'recipe') throw new Error('internal: not a recipe');
  const named = results.get(value) ?? [];
  const outputs = op.outputs.map(
    ({ shape, lane }, index): Value =>
      named[index] ?? { id: -1, op: { kind: 'result', of: value, index }, shape, lane },
  );
  const inputs = op.inputs.map(storageOf);
  const setting = { steady: inputs.map((input) => steady.has(input)) };
  const beside = moments ? [moments.sums, moments.squares] : [];
  const more = { ...(fused && { epilogue: fused.epilogue }), ...(moments && { moments: true }) };
  return {
    recipe: op.build(features, { ...setting, ...more }),
    inputs: [...inputs, ...(fused?.inputs ?? [])],
    outputs: [...(fused ? [fused.made] : outputs), ...beside],
    inPlace: [],
  };
}

/** Elements of a loop's results that are worth keeping: vectors made of weights, as batch norm's factors are. */
const MAX_KEPT = 4096;

function loopTask(
  group: LoopGroup,
  roots: ReadonlySet<Value>,
  features: Features,
  steady: ReadonlySet<Value>,
  graph: Graph,
): Task {
  const built = buildLoop(group.shape, group.stores, group.reductions, group.reduced, roots);
  const recipe = loop(built.spec, features);
  const outputs = [...group.stores, ...group.reductions];
  const inPlace: [number, number][] = [];
  if (group.reductions.length === 0 && recipe.steps.length === 1) {
    group.stores.forEach((_, output) => {
      built.inPlace.forEach((may, input) => {
        if (may) inPlace.push([output, input]);
      });
    });
  }
  const keeps =
    recipe.temps.length === 0 &&
    recipe.steps.length === 1 &&
    built.inputs.length > 0 &&
    built.inputs.every((input) => steady.has(input) && input.shape.length <= 1) &&
    outputs.every((output) => sizeOf(output.shape) <= MAX_KEPT && !graph.outputs.some((o) => storageOf(o) === output));
  if (!keeps) return { recipe, inputs: built.inputs, outputs, inPlace };
  const steps = recipe.steps.map((step) => ({ ...step, keep: true }));
  return { recipe: { ...recipe, steps }, inputs: built.inputs, outputs, inPlace: [] };
}
