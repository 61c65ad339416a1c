/**
 * Kernels of our own for networks of 8-bit integers, beside TF.js's: `tf.engine().runKernel('Int8Conv2D', …)`.
 * 8-bit tensors are int32 tensors with four numbers in each element; `kernels/int8-layout.ts` says how all of them lie.
 */
import { backend_util, type TensorInfo } from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../graph/graph.ts';
import { type Shape, sizeOf } from '../graph/shape.ts';
import type { Conv2DShape } from '../kernels/conv-shape.ts';
import { factorBytes, int8Conv2D, int8FilterBytes } from '../kernels/int8-conv2d.ts';
import { int8Depthwise } from '../kernels/int8-depthwise.ts';
import { int8Add, int8Dequantize, int8Lookup, int8Mul, int8Quantize } from '../kernels/int8-elementwise.ts';
import { PANEL, panelsOf, type Rounding, wordsOf } from '../kernels/int8-layout.ts';
import { int8Concat, int8Reshape } from '../kernels/int8-move.ts';
import { int8AvgPool, int8MaxPool, int8Mean } from '../kernels/int8-pool.ts';
import { int8Softmax } from '../kernels/int8-softmax.ts';
import type { Features, Recipe } from '../kernels/kernel.ts';
import { geometry } from './contract.ts';
import { floats, type Inputs, type Rules, rule, type TensorType, type Values } from './rule.ts';

/** The shape of the 8-bit input in numbers, channels last: its tensor's own shape does not tell the channels. */
interface Shaped {
  readonly shape: readonly number[];
}

interface Rounded {
  /** How sums become 8 bits, see `int8-layout.ts`. Default `twice`, as TensorFlow Lite's convolutions. */
  readonly rounding?: Rounding;
}

interface RoundedTerms {
  /** Default `twice`, as TensorFlow Lite's operations without weights. */
  readonly rounding?: Exclude<Rounding, 'once'>;
}

interface WindowAttrs extends Shaped {
  /** [rows, columns] */
  readonly size: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations?: readonly [number, number];
  /** Top, bottom, left, right. */
  readonly padding: readonly [number, number, number, number];
}

interface ConvAttrs extends WindowAttrs, Rounded {
  readonly outputs: number;
}

function windowShape(a: WindowAttrs, outputs = a.shape[3]): Conv2DShape {
  const [top, bottom, left, right] = a.padding;
  const explicit: backend_util.ExplicitPadding = [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
  const info = backend_util.computeConv2DInfo(
    a.shape as [number, number, number, number],
    [...a.size, a.shape[3], outputs],
    [...a.strides],
    [...(a.dilations ?? [1, 1])],
    explicit,
    undefined,
    false,
    'channelsLast',
  );
  return { ...geometry(info), outChannels: outputs };
}

const outShape = (s: Conv2DShape): Shape => [s.batch, s.outHeight, s.outWidth, s.outChannels];

/** An 8-bit tensor of this shape in numbers. */
const bytesType = (shape: Shape): TensorType => ({ shape: wordsOf(shape), dtype: 'int32' });

/** What a kernel reads and makes. */
interface Definition<A> {
  /** The number of elements that each input must have, by its name; `undefined`: any. */
  readonly inputs: (attrs: A) => Readonly<Record<string, number | undefined>>;
  readonly output: (attrs: A) => TensorType;
  readonly build: (attrs: A, features: Features) => Recipe;
}

function int8Rule<A extends object>(name: string, { inputs, output, build }: Definition<A>) {
  const check = (given: Inputs, attrs: A) => {
    for (const [input, size] of Object.entries(inputs(attrs))) {
      const tensor: TensorInfo | undefined = given[input];
      if (tensor === undefined) throw new Error(`${name}: the input ${input} is missing`);
      if (size !== undefined && sizeOf(tensor.shape) !== size) {
        throw new Error(`${name}: ${input} must have ${size} elements and has ${sizeOf(tensor.shape)}`);
      }
    }
  };
  return rule<A>({
    infer(given, attrs) {
      check(given, attrs);
      return [output(attrs)];
    },
    lower(g: Graph, values: Values, attrs, [type]) {
      const names = Object.keys(inputs(attrs));
      return [
        g.recipe({
          name,
          key: JSON.stringify(attrs),
          inputs: names.map((input) => values[input] as Value),
          outputs: [{ shape: type.shape, lane: type.dtype === 'float32' ? 'f32' : 'i32' }],
          build: (features) => build(attrs, features),
        })[0],
      ];
    },
  });
}

const words = (shape: Shape): number => sizeOf(wordsOf(shape));
const pixelsOf = (shape: Shape): number => sizeOf(shape.slice(0, -1));
const channelsOf = (shape: Shape): number => shape.at(-1) ?? 1;
/** 32-bit factors of this many output channels, all fields. */
const factors = (channels: number): number => factorBytes(channels) / 4;

export const int8: Rules = {
  /** x float32 of any shape, parameters [scale as float32 bits, zero point] → 8 bits. */
  Int8Quantize: int8Rule<Shaped & Rounded>('Int8Quantize', {
    inputs: ({ shape }) => ({ x: sizeOf(shape), parameters: 2 }),
    output: ({ shape }) => bytesType(shape),
    build: ({ shape, rounding = 'twice' }) => int8Quantize(pixelsOf(shape), channelsOf(shape), rounding),
  }),
  Int8Dequantize: int8Rule<Shaped>('Int8Dequantize', {
    inputs: ({ shape }) => ({ x: words(shape), parameters: 2 }),
    output: ({ shape }) => floats(shape),
    build: ({ shape }) => int8Dequantize(pixelsOf(shape), channelsOf(shape)),
  }),
  /** filter: [outputs / 16][rows][columns][packed inputs / 2][16][2]. A dense layer is one of 1 × 1 pixels. */
  Int8Conv2D: int8Rule<ConvAttrs>('Int8Conv2D', {
    inputs: (a) => ({
      x: words(a.shape),
      filter: int8FilterBytes(windowShape(a, a.outputs)) / 4,
      factors: factors(a.outputs),
    }),
    output: (a) => bytesType(outShape(windowShape(a, a.outputs))),
    build: (a, features) => int8Conv2D(windowShape(a, a.outputs), a.rounding ?? 'twice', features),
  }),
  /** filter: [outputs / 16][rows][columns][16]. Output channel o reads input channel o · inputs / outputs. */
  Int8DepthwiseConv2D: int8Rule<ConvAttrs>('Int8DepthwiseConv2D', {
    inputs: (a) => ({
      x: words(a.shape),
      filter: (panelsOf(a.outputs) * a.size[0] * a.size[1] * PANEL) / 4,
      factors: factors(a.outputs),
    }),
    output: (a) => bytesType(outShape(windowShape(a, a.outputs))),
    build: (a) => int8Depthwise(windowShape(a, a.outputs), a.rounding ?? 'twice'),
  }),
  /** factors: three panels, for a, b and the sum. */
  Int8Add: int8Rule<Shaped & RoundedTerms>('Int8Add', {
    inputs: ({ shape }) => ({ a: words(shape), b: words(shape), factors: 3 * factors(1) }),
    output: ({ shape }) => bytesType(shape),
    build: ({ shape, rounding = 'twice' }) => int8Add(words(shape) * 4, rounding),
  }),
  /** b has a's shape, or one pixel for each image of [images, …, channels]. factors: two panels. */
  Int8Mul: int8Rule<Shaped & RoundedTerms & { readonly broadcast: boolean }>('Int8Mul', {
    inputs: ({ shape, broadcast }) => ({
      a: words(shape),
      b: broadcast ? words([shape[0], channelsOf(shape)]) : words(shape),
      factors: 2 * factors(1),
    }),
    output: ({ shape }) => bytesType(shape),
    build({ shape, broadcast, rounding = 'twice' }) {
      const pixels = pixelsOf(shape) / shape[0];
      return int8Mul([shape[0], pixels, channelsOf(wordsOf(shape)) * 4], broadcast, rounding);
    },
  }),
  /** table: 256 int8 in 64 elements, for −128 … 127. */
  Int8Lookup: int8Rule<Shaped>('Int8Lookup', {
    inputs: ({ shape }) => ({ x: words(shape), table: 64 }),
    output: ({ shape }) => bytesType(shape),
    build: ({ shape }) => int8Lookup(words(shape) * 4),
  }),
  Int8MaxPool: int8Rule<WindowAttrs>('Int8MaxPool', {
    inputs: ({ shape }) => ({ x: words(shape) }),
    output: (a) => bytesType(outShape(windowShape(a))),
    build: (a) => int8MaxPool(windowShape(a)),
  }),
  /** parameters: as for quantizing, where halves are rounded to even. */
  Int8AvgPool: int8Rule<WindowAttrs & RoundedTerms>('Int8AvgPool', {
    inputs: ({ shape, rounding }) => ({ x: words(shape), ...(rounding === 'even' && { parameters: 2 }) }),
    output: (a) => bytesType(outShape(windowShape(a))),
    build: (a) => int8AvgPool(windowShape(a), a.rounding ?? 'twice'),
  }),
  /** [images, rows, columns, channels] → [images, channels]. */
  Int8Mean: int8Rule<Shaped & Rounded>('Int8Mean', {
    inputs: ({ shape }) => ({ x: words(shape), factors: factors(channelsOf(shape)) }),
    output: ({ shape }) => bytesType([shape[0], channelsOf(shape)]),
    build({ shape, rounding = 'twice' }) {
      return int8Mean(shape[0], pixelsOf(shape) / shape[0], channelsOf(shape), rounding);
    },
  }),
  /** table: 256 int32, see `int8Softmax`. */
  Int8Softmax: int8Rule<Shaped>('Int8Softmax', {
    inputs: ({ shape }) => ({ x: words(shape), table: 256 }),
    output: ({ shape }) => bytesType(shape),
    build: ({ shape }) => int8Softmax(pixelsOf(shape), channelsOf(shape)),
  }),
  Int8Reshape: int8Rule<Shaped & { readonly to: readonly number[] }>('Int8Reshape', {
    inputs: ({ shape }) => ({ x: words(shape) }),
    output: ({ to }) => bytesType(to),
    build: ({ shape, to }) => int8Reshape(sizeOf(shape), { from: channelsOf(shape), to: channelsOf(to) }),
  }),
  /** Along the channels: a of `shape`, b with `channels`. */
  Int8Concat: int8Rule<Shaped & { readonly channels: number }>('Int8Concat', {
    inputs: ({ shape, channels }) => ({ a: words(shape), b: words([...shape.slice(0, -1), channels]) }),
    output: ({ shape, channels }) => bytesType([...shape.slice(0, -1), channelsOf(shape) + channels]),
    build: ({ shape, channels }) => int8Concat(pixelsOf(shape), channelsOf(shape), channels),
  }),
};
