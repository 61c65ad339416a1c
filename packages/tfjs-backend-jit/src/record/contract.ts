/** Matrix products, convolutions and pooling: operations with kernels of their own. */
import { backend_util, type TensorInfo } from '@tensorflow/tfjs-core';
import type { Graph, Value, WindowBuild } from '../graph/graph.ts';
import { type Shape, sameShape, sizeOf } from '../graph/shape.ts';
import type { Conv2DShape } from '../kernels/conv-shape.ts';
import { conv2d, conv2dBackpropFilter, conv2dBackpropInput } from '../kernels/conv2d.ts';
import { depthwiseBackpropInput, depthwiseConv2d } from '../kernels/depthwise.ts';
import { depthwiseBackpropFilter } from '../kernels/depthwise-filter.ts';
import type { DepthwiseShape } from '../kernels/depthwise-taps.ts';
import type { Features, Recipe } from '../kernels/kernel.ts';
import { matMul } from '../kernels/matmul.ts';
import { avgPool, avgPoolGrad, maxPool, maxPoolGrad } from '../kernels/pool.ts';
import { broadcasting } from './elementwise.ts';
import { activate } from './reduce.ts';
import { floats, isFloat, type Rules, rule } from './rule.ts';

type Padding = 'valid' | 'same' | number | backend_util.ExplicitPadding;

interface ConvAttrs {
  readonly strides: number | [number, number];
  readonly pad: Padding;
  readonly dataFormat: 'NHWC' | 'NCHW';
  readonly dilations?: number | [number, number];
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

interface FusedAttrs {
  readonly activation: backend_util.Activation;
  readonly leakyreluAlpha?: number;
}

type Shape4D = [number, number, number, number];

function geometry(info: backend_util.Conv2DInfo): Conv2DShape {
  return {
    batch: info.batchSize,
    inHeight: info.inHeight,
    inWidth: info.inWidth,
    inChannels: info.inChannels,
    outHeight: info.outHeight,
    outWidth: info.outWidth,
    outChannels: info.outChannels,
    filterHeight: info.filterHeight,
    filterWidth: info.filterWidth,
    strideHeight: info.strideHeight,
    strideWidth: info.strideWidth,
    dilationHeight: info.dilationHeight,
    dilationWidth: info.dilationWidth,
    padTop: info.padInfo.top,
    padLeft: info.padInfo.left,
  };
}

function convInfo(x: readonly number[], filter: readonly number[], a: ConvAttrs): backend_util.Conv2DInfo {
  return backend_util.computeConv2DInfo(
    x as Shape4D,
    filter as Shape4D,
    a.strides,
    a.dilations ?? 1,
    a.pad as 'same',
    a.dimRoundingMode,
    false,
    'channelsLast',
  );
}

interface PoolAttrs {
  readonly filterSize: number | [number, number];
  readonly strides: number | [number, number];
  readonly pad: Padding;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

function poolInfo(x: readonly number[], a: PoolAttrs): backend_util.Conv2DInfo {
  return backend_util.computePool2DInfo(x as Shape4D, a.filterSize, a.strides, 1, a.pad as 'same', a.dimRoundingMode);
}

type DepthwiseAttrs = Omit<ConvAttrs, 'dataFormat'>;

function depthwiseInfo(x: readonly number[], filter: readonly number[], a: DepthwiseAttrs): backend_util.Conv2DInfo {
  return backend_util.computeConv2DInfo(
    x as Shape4D,
    filter as Shape4D,
    a.strides,
    a.dilations ?? 1,
    a.pad as 'same',
    a.dimRoundingMode,
    true,
  );
}

/** One of the three depthwise convolutions. */
function depthwise(
  g: Graph,
  name: string,
  info: backend_util.Conv2DInfo,
  inputs: readonly Value[],
  out: Shape,
  build: (shape: DepthwiseShape, features: Features) => Recipe,
): Value {
  const channelMultiplier = info.outChannels / info.inChannels;
  return g.windowed(name, geometry(info), inputs, out, (shape, features) =>
    build({ ...shape, channelMultiplier }, features),
  );
}

/** Both matrices over one batch, broadcast where one has a batch of 1. */
function product(
  g: Graph,
  a: Value,
  b: Value,
  transposeA: boolean,
  transposeB: boolean,
  out: readonly number[],
): Value {
  const [m, n] = out.slice(-2);
  const k = a.shape.at(transposeA ? -2 : -1) as number;
  const batch = sizeOf(out.slice(0, -2));
  const [batchA, batchB] = [a, b].map((x) => sizeOf(x.shape.slice(0, -2)) > 1);
  const dims = { batch, m, k, n, transposeA, transposeB, batchA, batchB };
  return g.recipe({
    name: 'matMul',
    key: JSON.stringify(dims),
    inputs: [a, b],
    outputs: [{ shape: out, lane: 'f32' }],
    build: (features) => matMul(dims, features),
  })[0];
}

interface MatMulAttrs {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** The product's shape, or null where the batches broadcast in a way that the kernel does not know. */
function productShape(a: TensorInfo, b: TensorInfo, { transposeA, transposeB }: MatMulAttrs): number[] | null {
  const [m, ka] = transposeA ? [a.shape.at(-1), a.shape.at(-2)] : [a.shape.at(-2), a.shape.at(-1)];
  const [kb, n] = transposeB ? [b.shape.at(-1), b.shape.at(-2)] : [b.shape.at(-2), b.shape.at(-1)];
  const outerA = a.shape.slice(0, -2);
  const outerB = b.shape.slice(0, -2);
  const agree = outerA.join() === outerB.join() || sizeOf(outerA) === 1 || sizeOf(outerB) === 1;
  if (ka !== kb || !agree || m === undefined || n === undefined) return null;
  return [...(sizeOf(outerA) > sizeOf(outerB) || outerA.length > outerB.length ? outerA : outerB), m, n];
}

const KNOWN_ACTIVATIONS: readonly string[] = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu'];

function knows(attrs: FusedAttrs, inputs: Readonly<Record<string, TensorInfo>>): boolean {
  return KNOWN_ACTIVATIONS.includes(attrs.activation) && isFloat(...Object.values(inputs));
}

function finish(g: Graph, y: Value, bias: Value | undefined, attrs: FusedAttrs): Value {
  const sum = bias === undefined ? y : broadcasting(g, 'add', y, bias);
  return activate(g, sum, attrs.activation, attrs.leakyreluAlpha);
}

/** One pooled image. As in the cpu kernels a window of one pixel that keeps the size changes nothing, padding or not. */
function pooled(g: Graph, name: string, x: Value, attrs: PoolAttrs, out: Shape, build: WindowBuild): Value {
  const shape = geometry(poolInfo(x.shape, attrs));
  if (shape.filterHeight === 1 && shape.filterWidth === 1 && sameShape(out, x.shape)) return x;
  return g.windowed(name, shape, [x], out, build);
}

export const contract: Rules = {
  BatchMatMul: rule<MatMulAttrs>({
    infer({ a, b }, attrs) {
      const shape = isFloat(a, b) ? productShape(a, b, attrs) : null;
      return shape && [floats(shape)];
    },
    lower: (g, { a, b }, attrs, [out]) => [product(g, a, b, attrs.transposeA, attrs.transposeB, out.shape)],
  }),
  _FusedMatMul: rule<MatMulAttrs & FusedAttrs>({
    infer(inputs, attrs) {
      const shape = knows(attrs, inputs) ? productShape(inputs.a, inputs.b, attrs) : null;
      return shape && [floats(shape)];
    },
    lower(g, { a, b, bias }, attrs, [out]) {
      return [finish(g, product(g, a, b, attrs.transposeA, attrs.transposeB, out.shape), bias, attrs)];
    },
  }),
  Conv2D: rule<ConvAttrs>({
    infer({ x, filter }, attrs) {
      if (attrs.dataFormat !== 'NHWC' || !isFloat(x, filter) || x.shape[3] !== filter.shape[2]) return null;
      return [floats(convInfo(x.shape, filter.shape, attrs).outShape)];
    },
    lower(g, { x, filter }, attrs, [out]) {
      const shape = geometry(convInfo(x.shape, filter.shape, attrs));
      return [g.windowed('Conv2D', shape, [x, filter], out.shape, conv2d)];
    },
  }),
  FusedConv2D: rule<ConvAttrs & FusedAttrs>({
    infer(inputs, attrs) {
      const { x, filter } = inputs;
      if (attrs.dataFormat !== 'NHWC' || !knows(attrs, inputs) || x.shape[3] !== filter.shape[2]) return null;
      return [floats(convInfo(x.shape, filter.shape, attrs).outShape)];
    },
    lower(g, { x, filter, bias }, attrs, [out]) {
      const shape = geometry(convInfo(x.shape, filter.shape, attrs));
      return [finish(g, g.windowed('Conv2D', shape, [x, filter], out.shape, conv2d), bias, attrs)];
    },
  }),
  Conv2DBackpropInput: rule<ConvAttrs & { inputShape: number[] }>({
    infer({ dy, filter }, attrs) {
      if (attrs.dataFormat !== 'NHWC' || !isFloat(dy, filter)) return null;
      if (!sameShape(convInfo(attrs.inputShape, filter.shape, attrs).outShape, dy.shape)) return null;
      return [floats(attrs.inputShape)];
    },
    lower(g, { dy, filter }, attrs, [out]) {
      const shape = geometry(convInfo(attrs.inputShape, filter.shape, attrs));
      return [g.windowed('Conv2DBackpropInput', shape, [dy, filter], out.shape, conv2dBackpropInput)];
    },
  }),
  Conv2DBackpropFilter: rule<ConvAttrs & { filterShape: number[] }>({
    infer({ x, dy }, attrs) {
      if (attrs.dataFormat !== 'NHWC' || !isFloat(x, dy)) return null;
      if (!sameShape(convInfo(x.shape, attrs.filterShape, attrs).outShape, dy.shape)) return null;
      return [floats(attrs.filterShape)];
    },
    lower(g, { x, dy }, attrs, [out]) {
      const shape = geometry(convInfo(x.shape, attrs.filterShape, attrs));
      return [g.windowed('Conv2DBackpropFilter', shape, [x, dy], out.shape, conv2dBackpropFilter)];
    },
  }),
  DepthwiseConv2dNative: rule<DepthwiseAttrs>({
    infer({ x, filter }, attrs) {
      if (!isFloat(x, filter) || x.shape[3] !== filter.shape[2]) return null;
      return [floats(depthwiseInfo(x.shape, filter.shape, attrs).outShape)];
    },
    lower(g, { x, filter }, attrs, [out]) {
      const info = depthwiseInfo(x.shape, filter.shape, attrs);
      return [depthwise(g, 'DepthwiseConv2d', info, [x, filter], out.shape, depthwiseConv2d)];
    },
  }),
  FusedDepthwiseConv2D: rule<DepthwiseAttrs & FusedAttrs>({
    infer(inputs, attrs) {
      const { x, filter } = inputs;
      if (!knows(attrs, inputs) || x.shape[3] !== filter.shape[2]) return null;
      return [floats(depthwiseInfo(x.shape, filter.shape, attrs).outShape)];
    },
    lower(g, { x, filter, bias }, attrs, [out]) {
      const info = depthwiseInfo(x.shape, filter.shape, attrs);
      return [finish(g, depthwise(g, 'DepthwiseConv2d', info, [x, filter], out.shape, depthwiseConv2d), bias, attrs)];
    },
  }),
  DepthwiseConv2dNativeBackpropInput: rule<DepthwiseAttrs & { inputShape: number[] }>({
    infer({ dy, filter }, attrs) {
      if (!isFloat(dy, filter)) return null;
      if (!sameShape(depthwiseInfo(attrs.inputShape, filter.shape, attrs).outShape, dy.shape)) return null;
      return [floats(attrs.inputShape)];
    },
    lower(g, { dy, filter }, attrs, [out]) {
      const info = depthwiseInfo(attrs.inputShape, filter.shape, attrs);
      return [depthwise(g, 'DepthwiseBackpropInput', info, [dy, filter], out.shape, depthwiseBackpropInput)];
    },
  }),
  DepthwiseConv2dNativeBackpropFilter: rule<DepthwiseAttrs & { filterShape: number[] }>({
    infer({ x, dy }, attrs) {
      if (!isFloat(x, dy)) return null;
      if (!sameShape(depthwiseInfo(x.shape, attrs.filterShape, attrs).outShape, dy.shape)) return null;
      return [floats(attrs.filterShape)];
    },
    lower(g, { x, dy }, attrs, [out]) {
      const info = depthwiseInfo(x.shape, attrs.filterShape, attrs);
      return [depthwise(g, 'DepthwiseBackpropFilter', info, [x, dy], out.shape, depthwiseBackpropFilter)];
    },
  }),
  MaxPool: rule<PoolAttrs>({
    infer: ({ x }, attrs) => (isFloat(x) ? [floats(poolInfo(x.shape, attrs).outShape)] : null),
    lower: (g, { x }, attrs, [out]) => [pooled(g, 'MaxPool', x, attrs, out.shape, maxPool)],
  }),
  MaxPoolGrad: rule<PoolAttrs>({
    infer: ({ dy, input }) => (isFloat(dy, input) ? [floats(input.shape)] : null),
    lower: (g, { dy, input, output }, attrs, [out]) => [
      g.windowed('MaxPoolGrad', geometry(poolInfo(input.shape, attrs)), [dy, input, output], out.shape, maxPoolGrad),
    ],
  }),
  AvgPool: rule<PoolAttrs>({
    infer: ({ x }, attrs) => (isFloat(x) ? [floats(poolInfo(x.shape, attrs).outShape)] : null),
    lower: (g, { x }, attrs, [out]) => [pooled(g, 'AvgPool', x, attrs, out.shape, avgPool)],
  }),
  AvgPoolGrad: rule<PoolAttrs>({
    infer: ({ dy, input }) => (isFloat(dy, input) ? [floats(input.shape)] : null),
    lower: (g, { dy, input }, attrs, [out]) => [
      g.windowed('AvgPoolGrad', geometry(poolInfo(input.shape, attrs)), [dy], out.shape, avgPoolGrad),
    ],
  }),
};
