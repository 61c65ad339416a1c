/**
 * What a fused loop computes, as plain data: an iteration space, strided inputs, a body of scalar
 * functions and stores or reductions. The scheduler makes these; `loop.ts` turns them into Wasm.
 */

/** How an element is held in Wasm memory: always four bytes. A `bool` is an i32 of 0 or 1. */
export type Lane = 'f32' | 'i32';

/** Scalar functions of the body, with the semantics of tfjs's cpu backend (NaN propagation included). */
export type UnaryFn =
  // f32 -> f32
  | 'neg'
  | 'abs'
  | 'sqrt'
  | 'rsqrt'
  | 'square'
  | 'reciprocal'
  | 'exp'
  | 'expm1'
  | 'log'
  | 'log1p'
  | 'sigmoid'
  | 'tanh'
  | 'softplus'
  | 'erf'
  | 'sin'
  | 'cos'
  | 'floor'
  | 'ceil'
  | 'round'
  | 'trunc'
  | 'sign'
  | 'relu'
  | 'relu6'
  | 'elu'
  | 'selu'
  | 'isNan'
  | 'isInf'
  | 'isFinite' // f32 -> i32 (0 or 1)
  // i32 -> i32
  | 'notI'
  | 'negI'
  | 'absI' // notI: logical not of a bool
  // conversions
  | 'toF32' // i32 -> f32
  | 'toI32' // f32 -> i32, towards zero (NaN -> 0)
  | 'toBoolF' // f32 -> i32: x !== 0 (NaN -> 1)
  | 'toBoolI'; // i32 -> i32: x !== 0
export type BinaryFn =
  // f32, f32 -> f32
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'max'
  | 'min'
  | 'pow'
  | 'squaredDifference'
  | 'floorDiv'
  | 'mod'
  | 'atan2'
  | 'prelu'
  | 'divNoNan' // b === 0 ? 0 : a / b
  | 'step' // (x, alpha): x > 0 ? 1 : NaN ? NaN : alpha
  | 'leakyRelu' // (x, alpha)
  | 'eluGrad' // (dy, y): y >= 0 ? dy : dy * (y + 1)
  // f32, f32 -> i32 (0 or 1)
  | 'eq'
  | 'ne'
  | 'lt'
  | 'le'
  | 'gt'
  | 'ge'
  // i32, i32 -> i32
  | 'addI'
  | 'subI'
  | 'mulI'
  | 'maxI'
  | 'minI'
  | 'eqI'
  | 'neI'
  | 'ltI'
  | 'leI'
  | 'gtI'
  | 'geI'
  | 'andI'
  | 'orI'
  | 'xorI'; // and, or, xor: of bools
export type TernaryFn =
  | 'select' // (condition: i32, a, b): a where condition is not 0; a and b of one lane type
  | 'clip' // (x, low, high), f32: NaN stays NaN
  | 'madd'; // a·b + c, f32, one rounding or two
export type ScalarFn = UnaryFn | BinaryFn | TernaryFn;

/** One value of the body. Arguments are indices of earlier values. */
export type BodyNode =
  | { readonly kind: 'load'; readonly input: number; readonly lane: Lane }
  | { readonly kind: 'const'; readonly value: number; readonly lane: Lane }
  | { readonly kind: 'index'; readonly axis: number; readonly lane: 'i32' } // the coordinate along an axis of `shape`
  | { readonly kind: 'apply'; readonly fn: ScalarFn; readonly args: readonly number[]; readonly lane: Lane };

/** How an input is read at (i0, i1, …): element offset + Σ iₐ·strideₐ. A stride of 0 broadcasts. Strides may be negative. */
export interface LoopInput {
  readonly lane: Lane;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** Writes body value `value` of every point to a dense row-major tensor of `shape`. */
export interface LoopStore {
  readonly value: number;
}

export type ReduceFn = 'sum' | 'max' | 'min' | 'prod' | 'sumI' | 'maxI' | 'minI' | 'any' | 'all';

/** Folds body value `value` over the reduced axes; the result is dense over the kept axes, in their order. */
export interface LoopReduce {
  readonly value: number;
  readonly fn: ReduceFn;
}

/** A fused loop. Pointers of its kernels: inputs in order, then outputs (stores in order, then reductions in order). */
export interface LoopSpec {
  /** The iteration space; neighbouring axes that every input walks alike are already merged. At least one axis. */
  readonly shape: readonly number[];
  readonly inputs: readonly LoopInput[];
  readonly body: readonly BodyNode[];
  readonly stores: readonly LoopStore[];
  /** True for each axis that `reductions` fold; absent or all false when there are none. */
  readonly reduced?: readonly boolean[];
  readonly reductions?: readonly LoopReduce[];
}
