/** Kernels that move elements without computing: most become strided views and cost nothing of their own. */
import { backend_util, type DataType, slice_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../graph/graph.ts';
import { sizeOf } from '../graph/shape.ts';
import { concat, gather, mirrorPad, pad, unsortedSegmentSum } from '../kernels/move.ts';
import { type CompiledType, isCompiled, laneOf, type Rules, rule, type TensorType } from './rule.ts';

function same(info: TensorInfo, shape: readonly number[]): TensorType[] | null {
  return isCompiled(info.dtype) ? [{ shape, dtype: info.dtype }] : null;
}

/** Joins values along an axis. All other axes agree. */
function join(g: Graph, parts: readonly Value[], axis: number): Value {
  const shape = parts[0].shape.map((d, a) => (a === axis ? parts.reduce((sum, p) => sum + p.shape[a], 0) : d));
  const outer = sizeOf(shape.slice(0, axis));
  const inner = parts.map((p) => sizeOf(p.shape.slice(axis)));
  const { lane } = parts[0];
  const [out] = g.recipe({
    name: 'concat',
    key: `${outer}: ${inner}`,
    inputs: parts,
    outputs: [{ shape, lane }],
    build: (features) => concat(outer, inner, features),
    detail: { kind: 'concat', outer, inner },
  });
  return out;
}

function repeat(g: Graph, x: Value, reps: readonly number[]): Value {
  // [a, b] -> [1, a, 1, b] -> [ra, a, rb, b] -> [ra·a, rb·b]
  const split = x.shape.flatMap((d) => [1, d]);
  const spread = x.shape.flatMap((d, i) => [reps[i], d]);
  const out = x.shape.map((d, i) => d * reps[i]);
  return g.reshape(g.broadcast(g.reshape(x, split), spread), out);
}

interface StridedSliceAttrs {
  readonly begin: number[];
  readonly end: number[];
  readonly strides: number[];
  readonly beginMask: number;
  readonly endMask: number;
  readonly ellipsisMask: number;
  readonly newAxisMask: number;
  readonly shrinkAxisMask: number;
}

function stridedSlice(shape: number[], a: StridedSliceAttrs) {
  return slice_util.sliceInfo(
    shape,
    a.begin,
    a.end,
    a.strides,
    a.beginMask,
    a.endMask,
    a.ellipsisMask,
    a.newAxisMask,
    a.shrinkAxisMask,
  );
}

function gatherInfo(
  x: { shape: readonly number[] },
  indices: { shape: readonly number[] },
  axis: number,
  batchDims: number,
) {
  const [parsed] = util.parseAxisParam(axis, [...x.shape]);
  return backend_util.segment_util.collectGatherOpShapeInfo(
    { shape: x.shape } as never,
    { shape: indices.shape } as never,
    parsed,
    batchDims,
  );
}

export const move: Rules = {
  Transpose: rule<{ perm: number[] }>({
    infer: ({ x }, { perm }) =>
      same(
        x,
        perm.map((axis) => x.shape[axis]),
      ),
    lower: (g, { x }, { perm }) => [g.permute(x, perm)],
  }),
  Slice: rule<{ begin: number | number[]; size: number | number[] }>({
    infer({ x }, { begin, size }) {
      const [b, s] = slice_util.parseSliceParams({ shape: x.shape } as never, begin, size);
      slice_util.assertParamsValid({ shape: x.shape, rank: x.shape.length } as never, b, s);
      return same(x, s);
    },
    lower(g, { x }, { begin, size }) {
      const [b, s] = slice_util.parseSliceParams({ shape: x.shape } as never, begin, size);
      return [g.slice(x, b, s)];
    },
  }),
  StridedSlice: rule<StridedSliceAttrs>({
    infer: ({ x }, attrs) => same(x, stridedSlice(x.shape, attrs).finalShape),
    lower(g, { x }, attrs) {
      const { finalShapeSparse, begin, end, strides, isIdentity, finalShape } = stridedSlice([...x.shape], attrs);
      if (isIdentity) return [g.reshape(x, finalShape)];
      const size = slice_util.computeOutShape(begin, end, strides);
      return [g.reshape(g.reshape(g.slice(x, begin, size, strides), finalShapeSparse), finalShape)];
    },
  }),
  Reverse: rule<{ dims: number | number[] }>({
    infer({ x }, { dims }) {
      util.parseAxisParam(dims, x.shape); // throws if there is no such axis
      return same(x, x.shape);
    },
    lower(g, { x }, { dims }) {
      const axes = util.parseAxisParam(dims, [...x.shape]);
      const begin = x.shape.map((d, axis) => (axes.includes(axis) ? d - 1 : 0));
      return [
        g.slice(
          x,
          begin,
          x.shape,
          x.shape.map((_, axis) => (axes.includes(axis) ? -1 : 1)),
        ),
      ];
    },
  }),
  Tile: rule<{ reps: number[] }>({
    infer: ({ x }, { reps }) =>
      reps.length === x.shape.length
        ? same(
            x,
            x.shape.map((d, i) => d * reps[i]),
          )
        : null,
    lower: (g, { x }, { reps }) => [repeat(g, x, reps)],
  }),
  Concat: rule<{ axis: number }>({
    infer(inputs, attrs) {
      const list = Object.values(inputs);
      const [axis] = util.parseAxisParam(attrs.axis, list[0].shape);
      if (list.some((x) => x.dtype !== list[0].dtype || sizeOf(x.shape) === 0)) return null;
      backend_util.assertParamsConsistent(
        list.map((x) => x.shape),
        axis,
      );
      return same(
        list[0],
        backend_util.computeOutShape(
          list.map((x) => x.shape),
          axis,
        ),
      );
    },
    lower(g, values, attrs) {
      const parts = Object.values(values);
      const [axis] = util.parseAxisParam(attrs.axis, [...parts[0].shape]);
      return [parts.length === 1 ? parts[0] : join(g, parts, axis)];
    },
  }),
  Pack: rule<{ axis: number }>({
    infer(inputs, { axis }) {
      const list = Object.values(inputs);
      if (list.some((x) => x.dtype !== list[0].dtype || !util.arraysEqual(x.shape, list[0].shape))) return null;
      const at = axis < 0 ? axis + list[0].shape.length + 1 : axis;
      return same(list[0], list[0].shape.toSpliced(at, 0, list.length));
    },
    lower(g, values, { axis }, [out]) {
      const parts = Object.values(values);
      const at = axis < 0 ? axis + parts[0].shape.length + 1 : axis;
      const grown = parts.map((x) => g.reshape(x, x.shape.toSpliced(at, 0, 1)));
      return [g.reshape(grown.length === 1 ? grown[0] : join(g, grown, at), out.shape)];
    },
  }),
  Unpack: rule<{ axis: number }>({
    list: true,
    infer({ value }, attrs) {
      const [axis] = util.parseAxisParam(attrs.axis, value.shape);
      const { dtype } = value;
      if (!isCompiled(dtype)) return null;
      return Array.from({ length: value.shape[axis] }, () => ({ shape: value.shape.toSpliced(axis, 1), dtype }));
    },
    lower(g, { value }, attrs, outs) {
      const [axis] = util.parseAxisParam(attrs.axis, [...value.shape]);
      const size = value.shape.map((d, a) => (a === axis ? 1 : d));
      return outs.map(({ shape }, i) =>
        g.reshape(
          g.slice(
            value,
            size.map((_, a) => (a === axis ? i : 0)),
            size,
          ),
          shape,
        ),
      );
    },
  }),
  SplitV: rule<{ numOrSizeSplits: number | number[]; axis: number }>({
    list: true,
    infer({ x }, { numOrSizeSplits, axis: rawAxis }) {
      const { dtype } = x;
      const [axis] = util.parseAxisParam(rawAxis, x.shape);
      const sizes = backend_util.prepareSplitSize({ shape: x.shape } as never, numOrSizeSplits, axis);
      if (!isCompiled(dtype) || sizes.includes(0)) return null;
      return sizes.map((s) => ({ shape: x.shape.with(axis, s), dtype }));
    },
    lower(g, { x }, { axis: rawAxis }, outs) {
      const [axis] = util.parseAxisParam(rawAxis, [...x.shape]);
      let at = 0;
      return outs.map(({ shape }) => {
        const part = g.slice(
          x,
          shape.map((_, a) => (a === axis ? at : 0)),
          shape,
        );
        at += shape[axis];
        return part;
      });
    },
  }),
  PadV2: rule<{ paddings: [number, number][]; constantValue: number }>({
    infer: ({ x }, { paddings }) =>
      same(
        x,
        x.shape.map((d, i) => d + paddings[i][0] + paddings[i][1]),
      ),
    lower(g, { x }, { paddings, constantValue }, [out]) {
      const { shape, lane } = x;
      return g.recipe({
        name: 'pad',
        key: `${shape} ${paddings} ${constantValue} ${lane}`,
        inputs: [x],
        outputs: [{ shape: out.shape, lane }],
        build: (features) => pad(shape, paddings, constantValue, lane, features),
        detail: { kind: 'pad', paddings, value: constantValue },
      });
    },
  }),
  MirrorPad: rule<{ paddings: [number, number][]; mode: 'reflect' | 'symmetric' }>({
    infer: ({ x }, { paddings }) =>
      same(
        x,
        x.shape.map((d, i) => d + paddings[i][0] + paddings[i][1]),
      ),
    lower(g, { x }, { paddings, mode }, [out]) {
      const { shape, lane } = x;
      return g.recipe({
        name: 'mirrorPad',
        key: `${shape} ${paddings} ${mode}`,
        inputs: [x],
        outputs: [{ shape: out.shape, lane }],
        build: (features) => mirrorPad(shape, paddings, mode, features),
      });
    },
  }),
  /** The gradient of a gather. */
  UnsortedSegmentSum: rule<{ numSegments: number }>({
    infer({ x, segmentIds }, { numSegments }) {
      if (x.dtype !== 'float32' || segmentIds.dtype !== 'int32' || segmentIds.shape.length !== 1 || numSegments === 0)
        return null;
      return [{ shape: [numSegments, ...x.shape.slice(1)], dtype: 'float32' }];
    },
    lower(g, { x, segmentIds }, { numSegments }, [out]) {
      const [n] = x.shape;
      const inner = sizeOf(x.shape.slice(1));
      return g.recipe({
        name: 'segmentSum',
        key: `${n} ${inner} ${numSegments}`,
        inputs: [x, segmentIds],
        outputs: [{ shape: out.shape, lane: 'f32' }],
        build: (features) => unsortedSegmentSum(n, inner, numSegments, features),
      });
    },
  }),
  GatherV2: rule<{ axis: number; batchDims: number }>({
    infer({ x, indices }, { axis, batchDims }) {
      if (indices.dtype !== 'int32') return null;
      return same(x, gatherInfo(x, indices, axis, batchDims).outputShape);
    },
    lower(g, { x, indices }, { axis, batchDims }, [out]) {
      const info = gatherInfo(x, indices, axis, batchDims);
      const dims = {
        batch: info.batchSize,
        outer: info.outerSize,
        axis: info.dimSize,
        inner: info.sliceSize,
        indices: sizeOf(indices.shape) / info.batchSize,
      };
      return g.recipe({
        name: 'gather',
        key: JSON.stringify(dims),
        inputs: [x, indices],
        outputs: [{ shape: out.shape, lane: x.lane }],
        build: (features) => gather(dims, features),
        detail: { kind: 'gather', shape: dims },
      });
    },
  }),
  OneHot: rule<{ depth: number; onValue: number; offValue: number; dtype: DataType }>({
    infer: ({ indices }, { depth, dtype }) =>
      indices.dtype === 'int32' && isCompiled(dtype) ? [{ shape: [...indices.shape, depth], dtype }] : null,
    lower(g, { indices }, { onValue, offValue, dtype }, [out]) {
      const lane = laneOf(dtype as CompiledType);
      const { shape } = out;
      const spread = g.broadcast(g.reshape(indices, [...indices.shape, 1]), shape);
      const hit = g.apply('eqI', spread, g.index(shape, shape.length - 1));
      return [g.apply('select', hit, g.constant(onValue, shape, lane), g.constant(offValue, shape, lane))];
    },
  }),
};
