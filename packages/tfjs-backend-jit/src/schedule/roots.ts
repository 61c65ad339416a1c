/**
 * Which values get memory of their own. Everything else is computed inside the loops that read it:
 * a cheap value is computed again by each reader rather than written and read back, where that moves fewer bytes.
 */
import { type Graph, liveValues, operands, storageOf, type Value } from '../graph/graph.ts';
import { denseStrides, reshapeStrides, type Shape, sizeOf } from '../graph/shape.ts';

/** Functions whose cost is worth about two more loads of an element (measured: exp 2–3 ns a vector against 1 ns a load). */
const HEAVY: ReadonlySet<string> = new Set([
  ...[
    'exp',
    'expm1',
    'log',
    'log1p',
    'sigmoid',
    'tanh',
    'softplus',
    'erf',
    'sin',
    'cos',
    'pow',
    'atan2',
    'elu',
    'selu',
  ],
  ...['div', 'sqrt', 'rsqrt', 'mod', 'floorDiv'],
]);

/** Whether a function is better computed once and kept. */
export const isHeavy = (fn: string): boolean => HEAVY.has(fn);

/** Past this many functions a loop's registers spill and its code grows; the value is written out instead. */
const MAX_INLINED = 48;

/** Values that lie in memory, and all values that the outputs need, in order. */
export interface Roots {
  readonly roots: ReadonlySet<Value>;
  readonly live: readonly Value[];
}

export function chooseRoots(graph: Graph): Roots {
  const live = liveValues(graph);
  const forced = forcedRoots(graph, live);
  const readers = readersOf(live, forced);
  const roots = new Set(forced);
  /** For values computed in place: what one evaluation costs in loads, and how many functions it inlines. */
  const costs = new Map<Value, { loads: Map<Value, number>; work: number; functions: number }>();
  for (const value of live) {
    const { op } = value;
    if (op.kind !== 'apply') {
      if (
        op.kind === 'reshape' &&
        !roots.has(storageOf(value)) &&
        op.of.op.kind === 'apply' &&
        !sinks(op.of, value.shape, (v) => roots.has(v))
      ) {
        roots.add(op.of);
      }
      continue;
    }
    if (roots.has(value)) continue;
    const loads = new Map<Value, number>();
    let work = isHeavy(op.fn) ? 2 : 0;
    let functions = 1;
    for (const arg of op.args) {
      const source = sourceOf(arg);
      const inner = roots.has(source) ? undefined : costs.get(source);
      if (inner === undefined) {
        if (source.op.kind !== 'const' && source.op.kind !== 'index') {
          loads.set(source, Math.min(1, sizeOf(source.shape) / Math.max(1, sizeOf(value.shape))));
        }
      } else {
        for (const [leaf, weight] of inner.loads) loads.set(leaf, weight);
        work += inner.work;
        functions += inner.functions;
      }
    }
    costs.set(value, { loads, work, functions });
    const n = readers.get(value)?.size ?? 0;
    let once = work;
    for (const weight of loads.values()) once += weight;
    const cheaperKept = n > 1 && n * once > once + 1 + n;
    if (cheaperKept || functions > MAX_INLINED) roots.add(value);
  }
  return { roots, live };
}

/** What a loop reads when it reads `value`: reshapes cost nothing, a view reads the value below it. */
function sourceOf(value: Value): Value {
  const { op } = value;
  return op.kind === 'reshape' || op.kind === 'view' ? sourceOf(op.of) : value;
}

/** Outputs, what recipes and strided views read, and what only its own kernel can make. */
function forcedRoots(graph: Graph, live: readonly Value[]): Set<Value> {
  const roots = new Set<Value>(graph.outputs.map(storageOf));
  for (const value of live) {
    const { op } = value;
    if (op.kind === 'recipe') for (const input of op.inputs) roots.add(storageOf(input));
    if (op.kind === 'view') roots.add(storageOf(op.of));
    if (op.kind === 'input' || op.kind === 'copy' || op.kind === 'reduce' || op.kind === 'result') roots.add(value);
  }
  return roots;
}

/** For each value, the loops that would evaluate it if nothing else were kept. Reductions over one space share a loop. */
function readersOf(live: readonly Value[], forced: ReadonlySet<Value>): Map<Value, Set<string>> {
  const readers = new Map<Value, Set<string>>();
  for (let i = live.length - 1; i >= 0; i--) {
    const value = live[i];
    const { op } = value;
    let keys: ReadonlySet<string>;
    if (op.kind === 'reduce') keys = new Set([`reduce ${op.of.shape} ${op.reduced.map(Number)}`]);
    else if (forced.has(value) || op.kind === 'recipe') keys = new Set([`root ${value.id}`]);
    else keys = readers.get(value) ?? new Set();
    for (const operand of operands(op)) {
      const all = readers.get(operand) ?? new Set();
      for (const key of keys) all.add(key);
      readers.set(operand, all);
    }
  }
  return readers;
}

/**
 * True if the value, computed in place, can be walked under another shape: all it loads has strides there.
 * `kept` tells which values are loaded rather than computed.
 */
export function sinks(value: Value, to: Shape, kept: (value: Value) => boolean, from: Shape = value.shape): boolean {
  const strided = (strides: readonly number[], shape: Shape): boolean => {
    const here = reshapeStrides(shape, strides, from);
    return here !== null && reshapeStrides(from, here, to) !== null;
  };
  const { op } = value;
  if (op.kind === 'const') return true;
  if (op.kind === 'index') return false;
  if (op.kind === 'view') return strided(op.strides, value.shape);
  const storage = storageOf(value);
  if (storage.op.kind !== 'apply' || kept(storage)) return strided(denseStrides(value.shape), value.shape);
  if (op.kind === 'reshape') return sinks(op.of, to, kept, from);
  return op.kind === 'apply' && op.args.every((arg) => sinks(arg, to, kept, from));
}
