/** What each kind of Keras layer computes at inference, in the graph's operations: one entry for each class.
 *  Nothing is simplified here; that is the work of the passes. */

import { ModelError } from '../../models/errors.ts';
import { type Constant, type GraphNode, type Padding, type Pair, type Shape, sizeOf } from './graph.ts';

/** A value that a layer takes. */
export interface Value {
  readonly name: string;
  readonly shape: Shape;
}

/** One use of a layer. */
export interface LayerCall {
  /** Unique; the layer's own name where it is used once. */
  readonly name: string;
  /** The layer's class, e.g. `Conv2D`. */
  readonly kind: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** In the layer's order. */
  readonly weights: readonly Constant[];
  readonly inputs: readonly Value[];
}

/** A channel-by-channel x · scale + offset in double precision, until the first pass has put it where it belongs. */
export interface Norm {
  readonly op: 'norm';
  readonly name: string;
  readonly inputs: readonly [string];
  readonly output: string;
  readonly shape: Shape;
  readonly scale: Float64Array;
  readonly offset: Float64Array;
}

/** What layers become before any pass. */
export type DraftNode = GraphNode | Norm;

/** Nodes in order; the last one's value is the layer's. None where the layer gives its input. */
type Reader = (call: LayerCall) => readonly DraftNode[];

const identity: Reader = () => [];

const readers: Readonly<Record<string, Reader>> = {
  Conv2D: (call) => {
    const [filter = missing(call), bias] = call.weights;
    const [kernelRows = 0, kernelColumns = 0, , outputs = 0] = filter.shape;
    const moved = slide(call, [kernelRows, kernelColumns], outputs);
    return activated(call, { op: 'conv2d', ...moved, filter, bias: bias ?? zeros(outputs), activation: 'none' });
  },
  DepthwiseConv2D: (call) => {
    const [filter = missing(call), bias] = call.weights;
    const [kernelRows = 0, kernelColumns = 0, channels = 0, multiplier = 0] = filter.shape;
    const outputs = channels * multiplier;
    const moved = slide(call, [kernelRows, kernelColumns], outputs);
    return activated(call, {
      op: 'depthwiseConv2d',
      ...moved,
      filter,
      bias: bias ?? zeros(outputs),
      activation: 'none',
    });
  },
  Dense: (call) => {
    const input = only(call);
    const [weights = missing(call), bias] = call.weights;
    const outputs = weights.shape[1] ?? 0;
    if (input.shape.length !== 1) throw unsupported(call, `its input must be [features], is [${input.shape}]`);
    const { name } = call;
    const node = { op: 'dense', weights, bias: bias ?? zeros(outputs), activation: 'none' } as const;
    return activated(call, { name, inputs: [input.name], output: name, shape: [outputs], ...node });
  },
  BatchNormalization: (call) => {
    const input = only(call);
    const { scale: scaled, center: centred, axis, epsilon } = call.config;
    const rank = input.shape.length + 1;
    if (typeof axis === 'number' && axis !== -1 && axis !== rank - 1) {
      throw unsupported(call, `axis must be the last one, is ${axis}`);
    }
    const rest = [...call.weights];
    const gamma = scaled === false ? undefined : rest.shift();
    const beta = centred === false ? undefined : rest.shift();
    const [mean = missing(call), variance = missing(call)] = rest;
    const channels = mean.values.length;
    const scale = Float64Array.from(
      { length: channels },
      (_, c) => (gamma?.values[c] ?? 1) / Math.sqrt(variance.values[c] + Number(epsilon)),
    );
    const offset = scale.map((slope, c) => (beta?.values[c] ?? 0) - mean.values[c] * slope);
    const { name } = call;
    return [{ op: 'norm', name, inputs: [input.name], output: name, shape: input.shape, scale, offset }];
  },
  Rescaling: (call) => {
    const input = only(call);
    const channels = input.shape.at(-1) ?? 0;
    const scale = new Float64Array(channels).fill(Number(call.config.scale));
    const offset = new Float64Array(channels).fill(Number(call.config.offset ?? 0));
    const { name } = call;
    return [{ op: 'norm', name, inputs: [input.name], output: name, shape: input.shape, scale, offset }];
  },
  ReLU: (call) => {
    const { maxValue } = call.config;
    if (maxValue != null && maxValue !== 6) throw unsupported(call, `maxValue must be 6 or none, is ${maxValue}`);
    return activation(call.name, only(call), maxValue === 6 ? 'relu6' : 'relu', call);
  },
  Activation: (call) => activation(call.name, only(call), String(call.config.activation), call),
  Softmax: (call) => {
    const input = only(call);
    const { axis } = call.config;
    if (axis != null && axis !== -1 && axis !== input.shape.length) {
      throw unsupported(call, `axis must be the last one, is ${axis}`);
    }
    return activation(call.name, input, 'softmax', call);
  },
  Add: (call) => {
    const [first, ...others] = call.inputs;
    if (!first || others.some(({ shape }) => shape.join() !== first.shape.join())) {
      throw unsupported(call, `its inputs must have one shape, have ${shapesText(call)}`);
    }
    let sum = first.name;
    return others.map(({ name: other }, i) => {
      const name = i === others.length - 1 ? call.name : `${call.name}.${i}`;
      const inputs = [sum, other];
      sum = name;
      return { op: 'add', name, inputs, output: name, shape: first.shape, activation: 'none' } as const;
    });
  },
  Multiply: (call) => {
    const [a, b, ...others] = call.inputs;
    if (!a || !b || others.length > 0) throw unsupported(call, 'it must have two inputs');
    const perChannel = ({ shape }: Value) => shape.length === 3 && shape[0] === 1 && shape[1] === 1;
    const [x, y] = perChannel(a) && !perChannel(b) ? [b, a] : [a, b];
    const fits = x.shape.join() === y.shape.join() || (perChannel(y) && x.shape.at(-1) === y.shape.at(-1));
    if (!fits) throw unsupported(call, `its inputs do not fit each other: ${shapesText(call)}`);
    const { name } = call;
    return [{ op: 'mul', name, inputs: [x.name, y.name], output: name, shape: x.shape }];
  },
  Concatenate: (call) => {
    const [first] = call.inputs;
    const { axis } = call.config;
    if (!first || (axis !== -1 && axis !== first.shape.length)) {
      throw unsupported(call, `axis must be the last one, is ${axis}`);
    }
    const channels = call.inputs.reduce((sum, { shape }) => sum + (shape.at(-1) ?? 0), 0);
    const shape = [...first.shape.slice(0, -1), channels];
    const { name } = call;
    return [{ op: 'concat', name, inputs: call.inputs.map((input) => input.name), output: name, shape }];
  },
  ZeroPadding2D: (call) => {
    const { rows, columns, channels, from } = pictureOf(call);
    const [[top, bottom], [left, right]] = call.config.padding as [[number, number], [number, number]];
    const { name } = call;
    const shape = [rows + top + bottom, columns + left + right, channels];
    return [{ op: 'pad', name, inputs: [from], output: name, shape, padding: [top, bottom, left, right] }];
  },
  MaxPooling2D: (call) => [{ op: 'maxPool', ...pool(call) }],
  AveragePooling2D: (call) => [{ op: 'averagePool', ...pool(call), countPadding: false }],
  GlobalAveragePooling2D: (call) => {
    const { channels, from } = pictureOf(call);
    const { name } = call;
    return [{ op: 'globalAveragePool', name, inputs: [from], output: name, shape: [channels] }];
  },
  Flatten: (call) => {
    const input = only(call);
    if (call.config.dataFormat === 'channelsFirst') throw unsupported(call, 'dataFormat must be channelsLast');
    return reshape(call, [sizeOf(input.shape)]);
  },
  Reshape: (call) => {
    const input = only(call);
    const target = (call.config.targetShape as (number | null)[]).map((size) => size ?? -1);
    const known = target.reduce((product, size) => (size < 0 ? product : product * size), 1);
    return reshape(
      call,
      target.map((size) => (size < 0 ? sizeOf(input.shape) / known : size)),
    );
  },
  Dropout: identity,
  SpatialDropout1D: identity,
  GaussianNoise: identity,
  GaussianDropout: identity,
  AlphaDropout: identity,
};

/** The classes that can be exported. */
export const supportedLayers: readonly string[] = Object.keys(readers);

/**
 * @throws ModelError for a layer that has no place in the graph, naming it, its class and the classes that have
 */
export function readLayer(call: LayerCall): readonly DraftNode[] {
  const reader = Object.hasOwn(readers, call.kind) ? readers[call.kind] : undefined;
  if (!reader) {
    throw new ModelError(
      `layer ${call.name}: a ${call.kind} cannot be exported; those that can are ${supportedLayers.join(', ')}`,
    );
  }
  if (call.config.dataFormat === 'channelsFirst') throw unsupported(call, 'dataFormat must be channelsLast');
  return reader(call);
}

const activations: readonly string[] = ['linear', 'relu', 'relu6', 'sigmoid', 'softmax', 'swish'];

function activation(name: string, { name: from, shape }: Value, kind: string, call: LayerCall): readonly GraphNode[] {
  switch (kind) {
    case 'linear':
      return [];
    case 'relu':
    case 'relu6':
    case 'sigmoid':
    case 'softmax':
      return [{ op: kind, name, inputs: [from], output: name, shape }];
    case 'swish': {
      const gate = `${name}.sigmoid`;
      return [
        { op: 'sigmoid', name: gate, inputs: [from], output: gate, shape },
        { op: 'mul', name, inputs: [from, gate], output: name, shape },
      ];
    }
    default:
      throw unsupported(call, `activation must be ${activations.join(', ')}, is ${kind}`);
  }
}

/** The node, and after it the layer's own activation. */
function activated(call: LayerCall, node: GraphNode): readonly GraphNode[] {
  const kind = call.config.activation;
  if (kind == null) return [node];
  const value = { name: node.output, shape: node.shape };
  return [node, ...activation(`${call.name}.${kind}`, value, String(kind), call)];
}

/** What a convolution's windows give. */
function slide(call: LayerCall, kernel: Pair, outputs: number) {
  const { rows, columns, from } = pictureOf(call);
  const strides = pair(call, 'strides');
  const dilation = pair(call, 'dilationRate');
  const padding = paddingOf(call, kernel, strides, dilation);
  const shape = [
    windows(rows, padding[0] + padding[1], kernel[0], strides[0], dilation[0]),
    windows(columns, padding[2] + padding[3], kernel[1], strides[1], dilation[1]),
    outputs,
  ];
  return { name: call.name, inputs: [from], output: call.name, shape, strides, dilation, padding };
}

function pool(call: LayerCall) {
  const { channels } = pictureOf(call);
  const size = pair(call, 'poolSize');
  const { dilation: _, ...moved } = slide({ ...call, config: { ...call.config, dilationRate: 1 } }, size, channels);
  return { ...moved, size };
}

function reshape(call: LayerCall, shape: Shape): readonly GraphNode[] {
  const { name } = call;
  const input = only(call);
  if (input.shape.join() === shape.join()) return [];
  return [{ op: 'reshape', name, inputs: [input.name], output: name, shape }];
}

/** How many windows fit. */
function windows(size: number, padding: number, kernel: number, stride: number, dilation: number): number {
  return Math.floor((size + padding - (kernel - 1) * dilation - 1) / stride) + 1;
}

/** SAME as TensorFlow has it: ⌈size / stride⌉ windows, and the odd pixel of padding after. */
function paddingOf(call: LayerCall, kernel: Pair, strides: Pair, dilation: Pair): Padding {
  const { padding } = call.config;
  if (padding === 'valid') return [0, 0, 0, 0];
  if (padding !== 'same') throw unsupported(call, `padding must be 'same' or 'valid', is '${padding}'`);
  const { rows, columns } = pictureOf(call);
  const along = (size: number, axis: 0 | 1): Pair => {
    const covered = (Math.ceil(size / strides[axis]) - 1) * strides[axis] + (kernel[axis] - 1) * dilation[axis] + 1;
    const total = Math.max(covered - size, 0);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  };
  return [...along(rows, 0), ...along(columns, 1)];
}

function pictureOf(call: LayerCall) {
  const { name: from, shape } = only(call);
  const [rows, columns, channels] = shape;
  if (shape.length !== 3 || rows === undefined || columns === undefined || channels === undefined) {
    throw unsupported(call, `its input must be [height, width, channels], is [${shape}]`);
  }
  return { rows, columns, channels, from };
}

function pair(call: LayerCall, key: string): Pair {
  const value = call.config[key];
  return Array.isArray(value) ? [value[0], value[1]] : [Number(value ?? 1), Number(value ?? 1)];
}

function only(call: LayerCall): Value {
  const [input, ...others] = call.inputs;
  if (!input || others.length > 0) throw unsupported(call, `it must have one input, has ${call.inputs.length}`);
  return input;
}

function zeros(length: number): Constant {
  return { shape: [length], values: new Float32Array(length) };
}

function shapesText(call: LayerCall): string {
  return call.inputs.map(({ shape }) => `[${shape}]`).join(', ');
}

function unsupported(call: LayerCall, why: string): ModelError {
  return new ModelError(`layer ${call.name}: this ${call.kind} cannot be exported: ${why}`);
}

function missing(call: LayerCall): never {
  throw new Error(`internal: ${call.name} lacks a weight`);
}
