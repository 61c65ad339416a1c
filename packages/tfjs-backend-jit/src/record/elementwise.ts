/** Element-wise kernels: each is a scalar function of the fused loops. */
import { broadcast_util, type DataType, type TensorInfo } from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../graph/graph.ts';
import type { BinaryFn, UnaryFn } from '../kernels/loop-spec.ts';
import { type CompiledType, isCompiled, isFloat, laneOf, type Rules, rule, type TensorType } from './rule.ts';

const UNARY: Readonly<Record<string, UnaryFn>> = {
  Abs: 'abs',
  Neg: 'neg',
  Exp: 'exp',
  Expm1: 'expm1',
  Log: 'log',
  Log1p: 'log1p',
  Sqrt: 'sqrt',
  Rsqrt: 'rsqrt',
  Square: 'square',
  Reciprocal: 'reciprocal',
  Sigmoid: 'sigmoid',
  Tanh: 'tanh',
  Softplus: 'softplus',
  Erf: 'erf',
  Sin: 'sin',
  Cos: 'cos',
  Floor: 'floor',
  Ceil: 'ceil',
  Round: 'round',
  Sign: 'sign',
  Relu: 'relu',
  Relu6: 'relu6',
  Elu: 'elu',
  Selu: 'selu',
};

const TESTS: Readonly<Record<string, UnaryFn>> = { IsNan: 'isNan', IsInf: 'isInf', IsFinite: 'isFinite' };

const UNARY_INT: Readonly<Record<string, UnaryFn>> = { Abs: 'absI', Neg: 'negI' };

const ARITHMETIC: Readonly<Record<string, BinaryFn>> = {
  Add: 'add',
  Sub: 'sub',
  Multiply: 'mul',
  RealDiv: 'div',
  Maximum: 'max',
  Minimum: 'min',
  Pow: 'pow',
  SquaredDifference: 'squaredDifference',
  Mod: 'mod',
  Atan2: 'atan2',
  Prelu: 'prelu',
};

const ARITHMETIC_INT: Readonly<Record<string, BinaryFn>> = {
  Add: 'addI',
  Sub: 'subI',
  Multiply: 'mulI',
  Maximum: 'maxI',
  Minimum: 'minI',
};

const COMPARE: Readonly<Record<string, readonly [float: BinaryFn, int: BinaryFn]>> = {
  Equal: ['eq', 'eqI'],
  NotEqual: ['ne', 'neI'],
  Less: ['lt', 'ltI'],
  LessEqual: ['le', 'leI'],
  Greater: ['gt', 'gtI'],
  GreaterEqual: ['ge', 'geI'],
};

const LOGICAL: Readonly<Record<string, BinaryFn>> = { LogicalAnd: 'andI', LogicalOr: 'orI' };

/** Applies a binary function after broadcasting both sides. */
export function broadcasting(g: Graph, fn: BinaryFn, a: Value, b: Value): Value {
  const shape = broadcast_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]);
  return g.apply(fn, g.broadcast(a, shape), g.broadcast(b, shape));
}

/** A function of one float tensor and constants. */
function withConstants(g: Graph, fn: BinaryFn | 'clip', x: Value, ...constants: number[]): Value {
  return g.apply(fn, x, ...constants.map((c) => g.constant(Math.fround(c), x.shape)));
}

function common(a: TensorInfo, b: TensorInfo): readonly number[] {
  return broadcast_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]);
}

/** Converts between the types of compiled code. */
export function convert(g: Graph, x: Value, from: CompiledType, to: CompiledType): Value {
  if (from === to) return x;
  if (to === 'float32') return g.apply('toF32', x);
  if (to === 'int32') return from === 'bool' ? x : g.apply('toI32', x);
  return g.apply(from === 'float32' ? 'toBoolF' : 'toBoolI', x);
}

function unaryRules(): Rules {
  const rules: Record<string, Rules[string]> = {};
  for (const [kernel, fn] of Object.entries(UNARY)) {
    rules[kernel] = rule({
      infer({ x }) {
        if (!isFloat(x) && !(x.dtype === 'int32' && kernel in UNARY_INT)) return null;
        return [{ shape: x.shape, dtype: x.dtype as CompiledType }];
      },
      lower: (g, { x }) => [g.apply(x.lane === 'f32' ? fn : UNARY_INT[kernel], x)],
    });
  }
  for (const [kernel, fn] of Object.entries(TESTS)) {
    rules[kernel] = rule({
      infer: ({ x }) => (isFloat(x) ? [{ shape: x.shape, dtype: 'bool' }] : null),
      lower: (g, { x }) => [g.apply(fn, x)],
    });
  }
  return rules;
}

function binaryRules(): Rules {
  const rules: Record<string, Rules[string]> = {};
  for (const [kernel, fn] of Object.entries(ARITHMETIC)) {
    rules[kernel] = rule({
      infer(inputs) {
        const [a, b] = operandsOf(inputs);
        if (a.dtype !== b.dtype) return null;
        if (!isFloat(a) && !(a.dtype === 'int32' && kernel in ARITHMETIC_INT)) return null;
        return [{ shape: common(a, b), dtype: a.dtype as CompiledType }];
      },
      lower(g, values) {
        const [a, b] = operandsOf(values);
        return [broadcasting(g, a.lane === 'f32' ? fn : ARITHMETIC_INT[kernel], a, b)];
      },
    });
  }
  for (const [kernel, [float, int]] of Object.entries(COMPARE)) {
    rules[kernel] = rule({
      infer: ({ a, b }) =>
        a.dtype === b.dtype && isCompiled(a.dtype) ? [{ shape: common(a, b), dtype: 'bool' }] : null,
      lower: (g, { a, b }) => [broadcasting(g, a.lane === 'f32' ? float : int, a, b)],
    });
  }
  for (const [kernel, fn] of Object.entries(LOGICAL)) {
    rules[kernel] = rule({
      infer: ({ a, b }) => (a.dtype === 'bool' && b.dtype === 'bool' ? [{ shape: common(a, b), dtype: 'bool' }] : null),
      lower: (g, { a, b }) => [broadcasting(g, fn, a, b)],
    });
  }
  return rules;
}

/** `a, b` of most binary kernels; `x, alpha` of Prelu. */
function operandsOf<T>(inputs: Readonly<Record<string, T>>): readonly [T, T] {
  return 'alpha' in inputs ? [inputs.x, inputs.alpha] : [inputs.a, inputs.b];
}

export const elementwise: Rules = {
  ...unaryRules(),
  ...binaryRules(),
  LogicalNot: rule({
    infer: ({ x }) => (x.dtype === 'bool' ? [{ shape: x.shape, dtype: 'bool' }] : null),
    lower: (g, { x }) => [g.apply('notI', x)],
  }),
  // Of floats too the quotient is an int32.
  FloorDiv: rule({
    infer: ({ a, b }) => (isFloat(a, b) ? [{ shape: common(a, b), dtype: 'int32' }] : null),
    lower: (g, { a, b }) => [g.apply('toI32', broadcasting(g, 'floorDiv', a, b))],
  }),
  Step: rule<{ alpha: number }>({
    infer: ({ x }) => (isFloat(x) ? [{ shape: x.shape, dtype: 'float32' }] : null),
    lower: (g, { x }, { alpha }) => [withConstants(g, 'step', x, alpha)],
  }),
  LeakyRelu: rule<{ alpha: number }>({
    infer: ({ x }) => (isFloat(x) ? [{ shape: x.shape, dtype: 'float32' }] : null),
    lower: (g, { x }, { alpha }) => [withConstants(g, 'leakyRelu', x, alpha)],
  }),
  ClipByValue: rule<{ clipValueMin: number; clipValueMax: number }>({
    infer: ({ x }) => (isFloat(x) ? [{ shape: x.shape, dtype: 'float32' }] : null),
    lower: (g, { x }, { clipValueMin, clipValueMax }) => [withConstants(g, 'clip', x, clipValueMin, clipValueMax)],
  }),
  EluGrad: rule({
    infer: ({ dy, y }) => (isFloat(dy, y) ? [{ shape: y.shape, dtype: 'float32' }] : null),
    lower: (g, { dy, y }) => [g.apply('eluGrad', g.reshape(dy, y.shape), y)],
  }),
  Cast: rule<{ dtype: DataType }>({
    infer: ({ x }, { dtype }) => (isCompiled(x.dtype) && isCompiled(dtype) ? [{ shape: x.shape, dtype }] : null),
    // A bool and an int32 share a lane, so int32 -> bool is told by the output's type, bool -> int32 is no change.
    lower: (g, { x }, _attrs, [out]) => [
      x.lane === 'f32' ? convert(g, x, 'float32', out.dtype) : convert(g, x, 'int32', out.dtype),
    ],
  }),
  AddN: rule({
    infer(inputs) {
      const list = Object.values(inputs);
      return isFloat(...list) ? [{ shape: list[0].shape, dtype: 'float32' }] : null;
    },
    lower(g, values) {
      const [first, ...rest] = Object.values(values);
      return [rest.reduce((sum, x) => g.apply('add', sum, x), first)];
    },
  }),
  Select: rule({
    infer({ condition, t, e }) {
      const simple = condition.shape.length === t.shape.length || condition.shape.length <= 1;
      if (!simple || t.dtype !== e.dtype || !isCompiled(t.dtype) || condition.dtype !== 'bool') return null;
      return [{ shape: t.shape, dtype: t.dtype }];
    },
    lower(g, { condition, t, e }) {
      // A condition of rank 1 chooses whole rows.
      const rows = condition.shape.length === 1 && t.shape.length > 1;
      const mask = rows
        ? g.reshape(
            condition,
            t.shape.map((d, i) => (i === 0 ? d : 1)),
          )
        : condition;
      return [g.apply('select', g.broadcast(mask, t.shape), t, g.broadcast(e, t.shape))];
    },
  }),
  Fill: rule<{ shape: number[]; value: number; dtype: DataType }>({
    // 0 and 1 are part of the program; any other value is its input, so that a new one needs no new program.
    infer: ({ value }, { shape, value: constant, dtype }) =>
      isCompiled(dtype) && (value !== undefined || constant === 0 || constant === 1) ? [{ shape, dtype }] : null,
    lower: (g, { value }, { shape, value: constant }, [out]) => [
      value === undefined ? g.constant(constant, shape, laneOf(out.dtype)) : g.broadcast(value, shape),
    ],
  }),
  ...likes(),
};

function likes(): Rules {
  const like = (value: number) =>
    rule({
      infer: ({ x }): TensorType[] | null => (isCompiled(x.dtype) ? [{ shape: x.shape, dtype: x.dtype }] : null),
      lower: (g, { x }) => [g.constant(value, x.shape, x.lane)],
    });
  return { OnesLike: like(1), ZerosLike: like(0) };
}
