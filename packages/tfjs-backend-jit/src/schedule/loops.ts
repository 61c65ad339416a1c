/** From values to the plain data of a fused loop: bodies are inlined down to what lies in memory. */
import { storageOf, type Value } from '../graph/graph.ts';
import { denseStrides, isDense, mergeAxes, reshapeStrides, type Shape, sizeOf } from '../graph/shape.ts';
import type { BodyNode, LoopInput, LoopSpec } from '../kernels/loop-spec.ts';

/** A loop and the values behind its pointers. */
export interface BuiltLoop {
  readonly spec: LoopSpec;
  /** The values that the inputs read, in order. One may be read in several ways. */
  readonly inputs: readonly Value[];
  /** Inputs that are read exactly where each store writes: the output may take their memory. */
  readonly inPlace: readonly boolean[];
}

/** From strides under a value's own shape to strides in the loop's space. */
type Placement = (strides: readonly number[]) => readonly number[];

/**
 * Builds one loop over `shape` that stores `stores` and folds `reductions` (values of kind `reduce`, whose operand
 * has `shape` up to reshaping).
 */
export function buildLoop(
  shape: Shape,
  stores: readonly Value[],
  reductions: readonly Value[],
  reduced: readonly boolean[] | undefined,
  roots: ReadonlySet<Value>,
): BuiltLoop {
  const body: BodyNode[] = [];
  const bodyIndex = new Map<string, number>();
  /** Places of values already emitted, by value and the reshapes on the way to it. */
  const emitted = new Map<string, number>();
  const inputs: { value: Value; offset: number; strides: readonly number[] }[] = [];
  const inside = new Set(stores);
  const indexAxes = new Set<number>();

  const node = (key: string, make: () => BodyNode): number => {
    const found = bodyIndex.get(key);
    if (found !== undefined) return found;
    body.push(make());
    bodyIndex.set(key, body.length - 1);
    return body.length - 1;
  };

  const load = (value: Value, offset: number, strides: readonly number[]): number =>
    node(`load ${value.id} ${offset} ${strides}`, () => {
      inputs.push({ value, offset, strides });
      return { kind: 'load', input: inputs.length - 1, lane: value.lane };
    });

  const emit = (value: Value, path: string, place: Placement): number => {
    const { op } = value;
    if (op.kind === 'const') {
      return node(`const ${value.lane} ${Object.is(op.value, -0) ? '-0' : op.value}`, () => ({
        kind: 'const',
        value: op.value,
        lane: value.lane,
      }));
    }
    if (op.kind === 'index') {
      const axis = axisOf(value, op.axis, shape, place);
      indexAxes.add(axis);
      return node(`index ${axis}`, () => ({ kind: 'index', axis, lane: 'i32' }));
    }
    if (op.kind === 'view') return load(storageOf(op.of), op.offset, place(op.strides));
    const storage = storageOf(value);
    const computedHere = storage.op.kind === 'apply' && (!roots.has(storage) || inside.has(storage));
    if (!computedHere) return load(storage, 0, place(denseStrides(value.shape)));
    if (op.kind === 'reshape') {
      const below: Placement = (strides) => {
        const here = reshapeStrides(op.of.shape, strides, value.shape);
        if (here === null) throw new Error('internal: a reshape does not sink');
        return place(here);
      };
      return emit(op.of, `${path}/${value.shape}`, below);
    }
    if (op.kind !== 'apply') throw new Error(`internal: ${op.kind} inside a loop`);
    const memo = `${value.id} ${path}`;
    const done = emitted.get(memo);
    if (done !== undefined) return done;
    const args = op.args.map((arg) => emit(arg, path, place));
    const at = node(`${op.fn} ${args}`, () => ({ kind: 'apply', fn: op.fn, args, lane: value.lane }));
    emitted.set(memo, at);
    return at;
  };

  const top = (value: Value): number => {
    const place: Placement = (strides) => {
      const here = reshapeStrides(value.shape, strides, shape);
      if (here === null) throw new Error('internal: a value does not fit the loop');
      return here;
    };
    return emit(value, `${value.shape}`, place);
  };

  const storeNodes = stores.map((value) => ({ value: value.op.kind === 'copy' ? top(value.op.of) : top(value) }));
  const reduceNodes = reductions.map((value) => {
    if (value.op.kind !== 'reduce') throw new Error('internal: not a reduction');
    return { value: top(value.op.of), fn: value.op.fn };
  });

  const merged = mergeAxes(
    shape,
    inputs.map((input) => input.strides),
    (a, b) => reduced?.[a] !== reduced?.[b] || indexAxes.has(a) || indexAxes.has(b),
  );
  const loopInputs: LoopInput[] = inputs.map(({ value, offset }, i) => ({
    lane: value.lane,
    offset,
    strides: merged.inputs[i],
  }));
  const renumbered = body.map((n) =>
    n.kind === 'index' ? { ...n, axis: Math.max(0, merged.axes.indexOf(n.axis)) } : n,
  );
  const spec: LoopSpec = {
    shape: merged.shape,
    inputs: loopInputs,
    body: renumbered,
    stores: storeNodes,
    ...(reduceNodes.length > 0 && {
      reduced: merged.axes.map((axis) => reduced?.[axis] ?? false),
      reductions: reduceNodes,
    }),
  };
  const inPlace = inputs.map(
    ({ value, offset, strides }, i) =>
      offset === 0 &&
      sizeOf(value.shape) === sizeOf(shape) &&
      isDense(shape, strides) &&
      inputs.every((other, j) => i === j || other.value !== value),
  );
  return { spec, inputs: inputs.map((input) => input.value), inPlace };
}

/** The loop's axis that a coordinate runs along. */
function axisOf(value: Value, axis: number, shape: Shape, place: Placement): number {
  const marker = value.shape.map((_, a) => (a === axis ? 1 : 0));
  const placed = place(marker);
  const found = placed.findIndex((stride, a) => stride === 1 && shape[a] === value.shape[axis]);
  if (value.shape[axis] === 1) return 0;
  if (found < 0) throw new Error('internal: a coordinate under another shape');
  return found;
}
