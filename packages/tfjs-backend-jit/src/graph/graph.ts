/**
 * The compiler's graph: values in single assignment, shared where equal. The builder's methods simplify as they
 * go: views compose, reshapes fold into views, constants stay out of memory.
 */
import type { Conv2DShape } from '../kernels/conv-shape.ts';
import type { Features, Recipe, Setting } from '../kernels/kernel.ts';
import type { Lane, ReduceFn, ScalarFn } from '../kernels/loop-spec.ts';
import type { MatMulShape } from '../kernels/matmul.ts';
import type { GatherShape } from '../kernels/move-gather.ts';
import type { Paddings } from '../kernels/move-pad.ts';
import { denseStrides, isDense, reshapeStrides, type Shape, sameShape, sizeOf } from './shape.ts';

/** An operation with a kernel of its own (convolution, pooling …). Equal `name` and `key` mean equal code. */
export interface RecipeOp {
  readonly kind: 'recipe';
  readonly name: string;
  readonly key: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly { readonly shape: Shape; readonly lane: Lane }[];
  readonly build: (features: Features, setting?: Setting) => Recipe;
  /** What passes may know of the operation beyond its name. */
  readonly detail?: Detail;
}

/** The geometry of a window operation, a move or a product. */
export type Detail =
  | { readonly kind: 'window'; readonly shape: Conv2DShape; readonly build: WindowBuild }
  | { readonly kind: 'pad'; readonly paddings: Paddings; readonly value: number }
  | { readonly kind: 'concat'; readonly outer: number; readonly inner: readonly number[] }
  | { readonly kind: 'gather'; readonly shape: GatherShape }
  | { readonly kind: 'extreme'; readonly of: 'max' | 'min'; readonly dims: readonly [number, number, number] }
  | { readonly kind: 'product'; readonly shape: MatMulShape };

export type WindowBuild = (shape: Conv2DShape, features: Features, setting?: Setting) => Recipe;

export type Op =
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'const'; readonly value: number }
  /** The coordinate along an axis of the value's own shape. */
  | { readonly kind: 'index'; readonly axis: number }
  /** A scalar function, element by element; all arguments have the value's shape. */
  | { readonly kind: 'apply'; readonly fn: ScalarFn; readonly args: readonly Value[] }
  /** The same elements under another shape. */
  | { readonly kind: 'reshape'; readonly of: Value }
  /** A strided read of the dense elements of another value. */
  | { readonly kind: 'view'; readonly of: Value; readonly offset: number; readonly strides: readonly number[] }
  /** Elements gathered from a view into a dense tensor. */
  | { readonly kind: 'copy'; readonly of: Value }
  | { readonly kind: 'reduce'; readonly fn: ReduceFn; readonly of: Value; readonly reduced: readonly boolean[] }
  | RecipeOp
  /** One output of a recipe. */
  | { readonly kind: 'result'; readonly of: Value; readonly index: number };

export interface Value {
  readonly id: number;
  readonly op: Op;
  readonly shape: Shape;
  readonly lane: Lane;
}

/** A strided read: what every value can be seen as. */
interface View {
  readonly of: Value;
  readonly offset: number;
  readonly strides: readonly number[];
}

const I32_RESULTS: ReadonlySet<ScalarFn> = new Set<ScalarFn>([
  ...(['isNan', 'isInf', 'isFinite', 'notI', 'negI', 'absI', 'toI32', 'toBoolF', 'toBoolI'] as const),
  ...(['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const),
  ...([
    'addI',
    'subI',
    'mulI',
    'maxI',
    'minI',
    'eqI',
    'neI',
    'ltI',
    'leI',
    'gtI',
    'geI',
    'andI',
    'orI',
    'xorI',
  ] as const),
]);

export class Graph {
  readonly inputs: Value[] = [];
  outputs: Value[] = [];
  /** In the order of creation, so every value comes after those it reads. */
  readonly values: Value[] = [];
  private readonly shared = new Map<string, Value>();

  input(shape: Shape, lane: Lane): Value {
    const value = this.make({ kind: 'input', index: this.inputs.length }, shape, lane);
    this.inputs.push(value);
    return value;
  }

  constant(value: number, shape: Shape = [], lane: Lane = 'f32'): Value {
    return this.make({ kind: 'const', value }, shape, lane);
  }

  index(shape: Shape, axis: number): Value {
    return this.make({ kind: 'index', axis }, shape, 'i32');
  }

  /** Applies a scalar function; arguments must have one shape (see `broadcast`). */
  apply(fn: ScalarFn, ...args: Value[]): Value {
    const { shape } = args[0];
    for (const arg of args) {
      if (!sameShape(arg.shape, shape)) throw new Error(`internal: ${fn} of shapes [${shape}] and [${arg.shape}]`);
    }
    const lane: Lane = fn === 'select' ? args[1].lane : I32_RESULTS.has(fn) ? 'i32' : 'f32';
    return this.make({ kind: 'apply', fn, args }, shape, lane);
  }

  reshape(value: Value, shape: Shape): Value {
    if (sameShape(value.shape, shape)) return value;
    const { op } = value;
    switch (op.kind) {
      case 'const':
        return this.constant(op.value, shape, value.lane);
      case 'reshape':
        return this.reshape(op.of, shape);
      case 'view': {
        const strides = reshapeStrides(value.shape, op.strides, shape);
        if (strides === null) return this.reshape(this.copy(value), shape);
        return this.view(value, { of: op.of, offset: op.offset, strides }, shape);
      }
      default:
    }
    return this.make({ kind: 'reshape', of: value }, shape, value.lane);
  }

  /** Stretches axes of one element (and adds leading axes) as NumPy does. */
  broadcast(value: Value, shape: Shape): Value {
    if (sameShape(value.shape, shape)) return value;
    if (value.op.kind === 'const') return this.constant(value.op.value, shape, value.lane);
    if (sizeOf(value.shape) === sizeOf(shape)) return this.reshape(value, shape);
    const view = viewOf(value);
    const pad = shape.length - value.shape.length;
    const strides = shape.map((d, i) => {
      if (i < pad || (value.shape[i - pad] === 1 && d !== 1)) return 0;
      if (value.shape[i - pad] !== d) throw new Error(`internal: [${value.shape}] does not broadcast to [${shape}]`);
      return view.strides[i - pad];
    });
    return this.view(value, { ...view, strides }, shape);
  }

  permute(value: Value, perm: readonly number[]): Value {
    const shape = perm.map((axis) => value.shape[axis]);
    if (value.op.kind === 'const') return this.constant(value.op.value, shape, value.lane);
    const view = viewOf(value);
    return this.view(value, { ...view, strides: perm.map((axis) => view.strides[axis]) }, shape);
  }

  /** Elements begin, begin + step, … (step may be negative) along each axis, `size` of them. */
  slice(value: Value, begin: readonly number[], size: readonly number[], step?: readonly number[]): Value {
    if (value.op.kind === 'const') return this.constant(value.op.value, size, value.lane);
    const view = viewOf(value);
    let { offset } = view;
    begin.forEach((b, axis) => {
      offset += b * view.strides[axis];
    });
    return this.view(value, { of: view.of, offset, strides: view.strides.map((s, a) => s * (step?.[a] ?? 1)) }, size);
  }

  copy(value: Value): Value {
    return this.make({ kind: 'copy', of: value }, value.shape, value.lane);
  }

  /** Folds the axes marked in `reduced`; the result has the kept axes in their order. */
  reduce(fn: ReduceFn, value: Value, reduced: readonly boolean[]): Value {
    const shape = value.shape.filter((_, axis) => !reduced[axis]);
    const trivial = value.shape.every((d, axis) => !reduced[axis] || d === 1);
    if (trivial) return this.reshape(value, shape);
    return this.make({ kind: 'reduce', fn, of: value, reduced }, shape, value.lane);
  }

  /** An operation with kernels of its own: its outputs. Inputs are read as dense tensors. */
  recipe(op: Omit<RecipeOp, 'kind'>): Value[] {
    const of = this.recipeValue({ ...op, kind: 'recipe' });
    return op.outputs.map(({ shape, lane }, index) => this.result(of, index, shape, lane));
  }

  /** An operation that slides a window over images: one output, named by its geometry. */
  windowed(name: string, shape: Conv2DShape, inputs: readonly Value[], out: Shape, build: WindowBuild): Value {
    return this.recipe({
      name,
      key: Object.values(shape).join(),
      inputs,
      outputs: [{ shape: out, lane: 'f32' }],
      build: (features, setting) => build(shape, features, setting),
      detail: { kind: 'window', shape, build },
    })[0];
  }

  recipeValue(op: RecipeOp): Value {
    return this.make({ ...op, inputs: op.inputs.map((v) => this.dense(v)) }, [], 'f32');
  }

  result(of: Value, index: number, shape: Shape, lane: Lane): Value {
    return this.make({ kind: 'result', of, index }, shape, lane);
  }

  /** A strided read of what `of` holds densely. */
  viewOf(of: Value, offset: number, strides: readonly number[], shape: Shape): Value {
    return this.view(of, { of: storageOf(this.dense(of)), offset, strides }, shape);
  }

  /** The value as something that can lie in memory densely: views and constants are copied. */
  dense(value: Value): Value {
    return value.op.kind === 'view' || value.op.kind === 'const' || value.op.kind === 'index'
      ? this.copy(value)
      : value;
  }

  private view(value: Value, { of, offset, strides }: View, shape: Shape): Value {
    const whole = sizeOf(shape) === sizeOf(of.shape) && offset === 0 && isDense(shape, strides);
    if (whole) return this.reshape(of, shape);
    return this.make(
      { kind: 'view', of, offset, strides: shape.map((d, i) => (d === 1 ? 0 : strides[i])) },
      shape,
      value.lane,
    );
  }

  private make(op: Op, shape: Shape, lane: Lane): Value {
    const key = `${keyOf(op)}:${shape}:${lane}`;
    const found = this.shared.get(key);
    if (found !== undefined) return found;
    const value: Value = { id: this.values.length, op, shape, lane };
    this.values.push(value);
    this.shared.set(key, value);
    return value;
  }
}

/** The values that an operation reads. */
export function operands(op: Op): readonly Value[] {
  switch (op.kind) {
    case 'input':
    case 'const':
    case 'index':
      return [];
    case 'apply':
      return op.args;
    case 'recipe':
      return op.inputs;
    case 'reshape':
    case 'view':
    case 'copy':
    case 'reduce':
    case 'result':
      return [op.of];
    default:
      return op satisfies never;
  }
}

/** The values that the outputs need, in order. */
export function liveValues(graph: Graph): Value[] {
  const live = new Set(graph.outputs);
  const found: Value[] = [];
  // Backwards, since every value comes after those it reads; a recursion would overflow on long chains.
  for (const value of graph.values.toReversed()) {
    if (!live.has(value)) continue;
    found.push(value);
    for (const operand of operands(value.op)) live.add(operand);
  }
  return found.reverse();
}

/** The value whose memory holds these elements: reshapes take no memory of their own. */
export function storageOf(value: Value): Value {
  return value.op.kind === 'reshape' ? storageOf(value.op.of) : value;
}

function viewOf(value: Value): View {
  if (value.op.kind === 'view') return value.op;
  const of = storageOf(value);
  return { of, offset: 0, strides: denseStrides(value.shape) };
}

function keyOf(op: Op): string {
  switch (op.kind) {
    case 'input':
      return `input ${op.index}`;
    case 'const':
      return `const ${Object.is(op.value, -0) ? '-0' : op.value}`;
    case 'index':
      return `index ${op.axis}`;
    case 'apply':
      return `${op.fn} ${op.args.map((v) => v.id)}`;
    case 'reshape':
      return `reshape ${op.of.id}`;
    case 'view':
      return `view ${op.of.id} ${op.offset} ${op.strides}`;
    case 'copy':
      return `copy ${op.of.id}`;
    case 'reduce':
      return `reduce ${op.fn} ${op.of.id} ${op.reduced.map(Number)}`;
    case 'recipe':
      return `${op.name} ${op.key} ${op.inputs.map((v) => v.id)} ${op.outputs.map((out) => `[${out.shape}]`)}`;
    case 'result':
      return `result ${op.of.id} ${op.index}`;
    default:
      return op satisfies never;
  }
}
