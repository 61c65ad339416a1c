/** How a TF.js kernel is recorded and lowered: what it yields, and what it becomes in the compiler's graph. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../graph/graph.ts';
import type { Shape } from '../graph/shape.ts';
import type { Lane } from '../kernels/loop-spec.ts';

/** The types that compiled code holds; the others stay with the cpu kernels. */
export type CompiledType = 'float32' | 'int32' | 'bool';

export interface TensorType {
  readonly shape: Shape;
  readonly dtype: CompiledType;
}

export type Inputs = Readonly<Record<string, TensorInfo>>;
export type Values = Readonly<Record<string, Value>>;

/** A rule for one TF.js kernel. `A` is the kernel's attributes. */
export interface Rule<A = unknown> {
  /** The outputs' types, or null where compiled code does not cover the case: then the cpu kernel runs at once. */
  infer(inputs: Inputs, attrs: A): readonly TensorType[] | null;
  /** The kernel's function returns a list even of one output. */
  readonly list?: true;
  /** Builds the outputs from the inputs, whose shapes are those seen by `infer`. */
  lower(g: Graph, values: Values, attrs: A, types: readonly TensorType[]): Value[];
}

export type Rules = Readonly<Record<string, Rule<never>>>;

/** Gives a rule its attributes' type inside, and hides it outside. */
export function rule<A>(definition: Rule<A>): Rule<never> {
  return definition;
}

export function laneOf(dtype: CompiledType): Lane {
  return dtype === 'float32' ? 'f32' : 'i32';
}

export function isFloat(...infos: readonly TensorInfo[]): boolean {
  return infos.every((info) => info.dtype === 'float32');
}

export function isCompiled(dtype: string): dtype is CompiledType {
  return dtype === 'float32' || dtype === 'int32' || dtype === 'bool';
}

export function floats(shape: Shape): TensorType {
  return { shape, dtype: 'float32' };
}
