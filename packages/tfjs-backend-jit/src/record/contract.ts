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
import { floats, isFloat, type Rules, rule, type TensorType } from './rule.ts';

type Padding = 'valid' | 'same' | number | backend_util.ExplicitPadding;

interface ConvAttrs {
  readonly strides: number | [number, number];
  readonly pad: Padding;
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly dilations?: number | [number, number];
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

interface FusedAttrs {
  readonly activation: backend_util.Activation;
  readonly leakyreluAlpha?: number;
}

type Shape4D = [number, number, number, number];

export function geometry(info: backend_util.Conv2DInfo): Conv2DShape {
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

function convInfo(
  x: readonly number[],
  filter: readonly number[],
  a: ConvAttrs,
  depthwise: boolean,
): backend_util.Conv2DInfo {
  return backend_util.computeConv2DInfo(
    x as Shape4D,
    filter as Shape4D,
    a.strides,
    a.dilations ?? 1,
    a.pad as 'same',
    a.dimRoundingMode,
    depthwise,
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

/** The three directions of one kind of convolution. */
interface Family {
  readonly covers: (attrs: ConvAttrs) => boolean;
  readonly info: (x: readonly number[], filter: readonly number[], attrs: ConvAttrs) => backend_util.Conv2DInfo;
  /** The names and kernels of forward, input gradient and filter gradient. */
  readonly names: readonly [string, string, string];
  readonly builds: (info: backend_util.Conv2DInfo) => readonly [WindowBuild, WindowBuild, WindowBuild];
}

const full: Family = {
  covers: ({ dataFormat }) => dataFormat === 'NHWC',
  info: (x, filter, attrs) => convInfo(x, filter, attrs, false),
  names: ['Conv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter'],
  builds: () => [conv2d, conv2dBackpropInput, conv2dBackpropFilter],
};

const depthwise: Family = {
  covers: () => true,
  info: (x, filter, attrs) => convInfo(x, filter, attrs, true),
  names: ['DepthwiseConv2d', 'DepthwiseBackpropInput', 'DepthwiseBackpropFilter'],
  builds({ inChannels, outChannels }) {
    const channelMultiplier = outChannels / inChannels;
    const withMultiplier =
      (build: (shape: DepthwiseShape, features: Features) => Recipe): WindowBuild =>
      (shape, features) =>
        build({ ...shape, channelMultiplier }, features);
    return [
      withMultiplier(depthwiseConv2d),
      withMultiplier(depthwiseBackpropInput),
      withMultiplier(depthwiseBackpropFilter),
    ];
  },
};

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
    detail: { kind: 'product', shape: dims },
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

type ConvInputs = { readonly x: TensorInfo; readonly filter: TensorInfo };

function convolvedShape({ covers, info }: Family, { x, filter }: ConvInputs, attrs: ConvAttrs): TensorType[] | null {
  if (!covers(attrs) || x.shape[3] !== filter.shape[2]) return null;
  return [floats(info(x.shape, filter.shape, attrs).outShape)];
}

function convolve(g: Graph, family: Family, x: Value, filter: Value, attrs: ConvAttrs, out: Shape): Value {
  const info = family.info(x.shape, filter.shape, attrs);
  return g.windowed(family.names[0], geometry(info), [x, filter], out, family.builds(info)[0]);
}

function convolution(family: Family) {
  return rule<ConvAttrs>({
    infer: ({ x, filter }, attrs) => (isFloat(x, filter) ? convolvedShape(family, { x, filter }, attrs) : null),
    lower: (g, { x, filter }, attrs, [out]) => [convolve(g, family, x, filter, attrs, out.shape)],
  });
}

function fusedConvolution(family: Family) {
  return rule<ConvAttrs & FusedAttrs>({
    infer(inputs, attrs) {
      const { x, filter } = inputs;
      return knows(attrs, inputs) ? convolvedShape(family, { x, filter }, attrs) : null;
    },
    lower: (g, { x, filter, bias }, attrs, [out]) => [
      finish(g, convolve(g, family, x, filter, attrs, out.shape), bias, attrs),
    ],
  });
}

function inputGradient(family: Family) {
  return rule<ConvAttrs & { inputShape: number[] }>({
    infer({ dy, filter }, attrs) {
      if (!family.covers(attrs) || !isFloat(dy, filter)) return null;
      if (!sameShape(family.info(attrs.inputShape, filter.shape, attrs).outShape, dy.shape)) return null;
      return [floats(attrs.inputShape)];
    },
    lower(g, { dy, filter }, attrs, [out]) {
      const info = family.info(attrs.inputShape, filter.shape, attrs);
      return [g.windowed(family.names[1], geometry(info), [dy, filter], out.shape, family.builds(info)[1])];
    },
  });
}

function filterGradient(family: Family) {
  return rule<ConvAttrs & { filterShape: number[] }>({
    infer({ x, dy }, attrs) {
      if (!family.covers(attrs) || !isFloat(x, dy)) return null;
      if (!sameShape(family.info(x.shape, attrs.filterShape, attrs).outShape, dy.shape)) return null;
      return [floats(attrs.filterShape)];
    },
    lower(g, { x, dy }, attrs, [out]) {
      const info = family.info(x.shape, attrs.filterShape, attrs);
      return [g.windowed(family.names[2], geometry(info), [x, dy], out.shape, family.builds(info)[2])];
    },
  });
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
  Conv2D: convolution(full),
  FusedConv2D: fusedConvolution(full),
  Conv2DBackpropInput: inputGradient(full),
  Conv2DBackpropFilter: filterGradient(full),
  DepthwiseConv2dNative: convolution(depthwise),
  FusedDepthwiseConv2D: fusedConvolution(depthwise),
  DepthwiseConv2dNativeBackpropInput: inputGradient(depthwise),
  DepthwiseConv2dNativeBackpropFilter: filterGradient(depthwise),
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
