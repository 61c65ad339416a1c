/** Reductions and what is made of them: softmax and its like. */
import { type backend_util, util } from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../graph/graph.ts';
import { type Shape, sizeOf } from '../graph/shape.ts';
import { argReduce } from '../kernels/argreduce.ts';
import { cumulative } from '../kernels/cumulative.ts';
import type { ReduceFn } from '../kernels/loop-spec.ts';
import { convert } from './elementwise.ts';
import { type CompiledType, isCompiled, isFloat, type Rules, rule, type TensorType } from './rule.ts';

interface ReduceAttrs {
  readonly axis?: number | number[];
  readonly reductionIndices?: number | number[];
  readonly keepDims?: boolean;
}

function reducedAxes(shape: Shape, attrs: ReduceAttrs): boolean[] {
  const axes = util.parseAxisParam(attrs.axis ?? attrs.reductionIndices ?? [...shape.keys()], [...shape]);
  return shape.map((_, axis) => axes.includes(axis));
}

function reducedShape(shape: Shape, reduced: readonly boolean[], keepDims: boolean): number[] {
  return shape.flatMap((d, axis) => (reduced[axis] ? (keepDims ? [1] : []) : [d]));
}

/** Folds axes; the result has the shape given by `keepDims`. */
export function fold(g: Graph, fn: ReduceFn, x: Value, reduced: readonly boolean[], keepDims: boolean): Value {
  return g.reshape(g.reduce(fn, x, reduced), reducedShape(x.shape, reduced, keepDims));
}

function reduction(float: ReduceFn, int: ReduceFn | null, outType: (dtype: CompiledType) => CompiledType) {
  return rule<ReduceAttrs>({
    infer({ x }, attrs) {
      if (!isCompiled(x.dtype) || (x.dtype !== 'float32' && int === null)) return null;
      const shape = reducedShape(x.shape, reducedAxes(x.shape, attrs), attrs.keepDims ?? false);
      return [{ shape, dtype: outType(x.dtype) }];
    },
    lower(g, { x }, attrs) {
      const fn = x.lane === 'f32' ? float : int;
      if (fn === null) throw new Error('internal: a reduction of integers was recorded');
      return [fold(g, fn, x, reducedAxes(x.shape, attrs), attrs.keepDims ?? false)];
    },
  });
}

const sumType = (dtype: CompiledType): CompiledType => (dtype === 'float32' ? 'float32' : 'int32');
const sameType = (dtype: CompiledType): CompiledType => dtype;

function boolean(fn: 'any' | 'all') {
  return rule<ReduceAttrs>({
    infer({ x }, attrs): TensorType[] | null {
      if (x.dtype !== 'bool') return null;
      return [{ shape: reducedShape(x.shape, reducedAxes(x.shape, attrs), attrs.keepDims ?? false), dtype: 'bool' }];
    },
    lower: (g, { x }, attrs) => [fold(g, fn, x, reducedAxes(x.shape, attrs), attrs.keepDims ?? false)],
  });
}

function argument(fn: 'max' | 'min') {
  return rule<{ axis: number }>({
    infer({ x }, attrs) {
      if (x.dtype !== 'float32' && x.dtype !== 'int32') return null;
      const [axis] = util.parseAxisParam(attrs.axis, x.shape);
      return [{ shape: x.shape.filter((_, a) => a !== axis), dtype: 'int32' }];
    },
    lower(g, { x }, attrs, [out]) {
      const [axis] = util.parseAxisParam(attrs.axis, [...x.shape]);
      const dims = [sizeOf(x.shape.slice(0, axis)), x.shape[axis], sizeOf(x.shape.slice(axis + 1))] as const;
      const { lane } = x;
      return g.recipe({
        name: `arg${fn}`,
        key: `${dims} ${lane}`,
        inputs: [x],
        outputs: [{ shape: out.shape, lane: 'i32' }],
        build: (features) => argReduce(fn, dims, lane, features),
        detail: { kind: 'extreme', of: fn, dims },
      });
    },
  });
}

interface CumulativeAttrs {
  readonly axis: number;
  readonly exclusive: boolean;
  readonly reverse: boolean;
}

function running(kind: 'sum' | 'prod') {
  return rule<CumulativeAttrs>({
    infer({ x }, { axis }): TensorType[] | null {
      util.parseAxisParam(axis, x.shape); // throws if there is no such axis
      return isFloat(x) ? [{ shape: x.shape, dtype: 'float32' }] : null;
    },
    lower(g, { x }, { axis: given, exclusive, reverse }, [out]) {
      const [axis] = util.parseAxisParam(given, [...x.shape]);
      const dims = [sizeOf(x.shape.slice(0, axis)), x.shape[axis] ?? 1, sizeOf(x.shape.slice(axis + 1))] as const;
      return g.recipe({
        name: `cumulative ${kind}`,
        key: `${dims} ${exclusive} ${reverse}`,
        inputs: [x],
        outputs: [{ shape: out.shape, lane: 'f32' }],
        build: (features) => cumulative(kind, dims, exclusive, reverse, 'f32', features),
      });
    },
  });
}

/** x − max(x) along an axis, and the sum of its exponentials. */
function shifted(g: Graph, x: Value, axis: number): { readonly shift: Value; readonly total: Value } {
  const reduced = x.shape.map((_, a) => a === axis);
  const shift = g.apply('sub', x, g.broadcast(fold(g, 'max', x, reduced, true), x.shape));
  return { shift, total: g.broadcast(fold(g, 'sum', g.apply('exp', shift), reduced, true), x.shape) };
}

export const reduce: Rules = {
  Sum: reduction('sum', 'sumI', sumType),
  Max: reduction('max', 'maxI', sameType),
  Min: reduction('min', 'minI', sameType),
  Prod: reduction('prod', null, sameType),
  All: boolean('all'),
  Any: boolean('any'),
  ArgMax: argument('max'),
  ArgMin: argument('min'),
  Cumsum: running('sum'),
  Cumprod: running('prod'),
  Mean: rule<ReduceAttrs>({
    infer({ x }, attrs) {
      if (!isCompiled(x.dtype)) return null;
      const shape = reducedShape(x.shape, reducedAxes(x.shape, attrs), attrs.keepDims ?? false);
      return [{ shape, dtype: 'float32' }];
    },
    lower(g, { x }, attrs) {
      const reduced = reducedAxes(x.shape, attrs);
      const count = sizeOf(x.shape.filter((_, axis) => reduced[axis]));
      const sum = fold(
        g,
        'sum',
        x.lane === 'f32' ? x : convert(g, x, 'int32', 'float32'),
        reduced,
        attrs.keepDims ?? false,
      );
      return [g.apply('mul', sum, g.constant(Math.fround(1 / count), sum.shape))];
    },
  }),
  Softmax: rule<{ dim: number }>({
    infer: ({ logits }) => (isFloat(logits) ? [{ shape: logits.shape, dtype: 'float32' }] : null),
    lower(g, { logits }, { dim }) {
      const { shift, total } = shifted(g, logits, util.parseAxisParam(dim, [...logits.shape])[0]);
      return [g.apply('div', g.apply('exp', shift), total)];
    },
  }),
  LogSoftmax: rule<{ axis: number }>({
    infer: ({ logits }) => (isFloat(logits) ? [{ shape: logits.shape, dtype: 'float32' }] : null),
    lower(g, { logits }, { axis }) {
      const { shift, total } = shifted(g, logits, util.parseAxisParam(axis, [...logits.shape])[0]);
      return [g.apply('sub', shift, g.apply('log', total))];
    },
  }),
};

/** What tfjs-core says of a fused activation, as loops say it. Null where it is unknown. */
export function activate(g: Graph, x: Value, activation: backend_util.Activation, leakyreluAlpha = 0.2): Value {
  switch (activation) {
    case 'linear':
      return x;
    case 'relu':
    case 'relu6':
    case 'elu':
    case 'sigmoid':
      return g.apply(activation, x);
    case 'leakyrelu':
      return g.apply('leakyRelu', x, g.constant(Math.fround(leakyreluAlpha), x.shape));
    default:
      throw new Error(`internal: activation ${activation} was recorded`);
  }
}
