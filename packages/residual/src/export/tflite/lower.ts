/** Nodes of the inference graph → TFLite's operators, one function for each kind of node.
 *  Padding that SAME cannot say becomes a PAD; a normalisation becomes a depthwise 1×1 convolution. */

import { ModelError } from '../../models/errors.ts';
import type { Quantization } from '../../quantize/parameters.ts';
import {
  type Add,
  type Affine,
  type AveragePool,
  type Conv2D,
  type Dense,
  type DepthwiseConv2D,
  type GraphNode,
  type InferenceGraph,
  type MaxPool,
  type Mul,
  type Padding,
  type Pair,
  type Shape,
  sizeOf,
} from '../graph/graph.ts';
import { type StoredWeights, storeWeights, type WeightStorage, type Weights } from './constants.ts';
import { bytesOf, type TfliteModel } from './model.ts';
import { neverNegative } from './never-negative.ts';
import { paddingKind } from './padding.ts';
import { ACTIVATION, PADDING } from './schema.ts';
import type { Form, Values } from './values.ts';

export interface Lowering {
  readonly model: TfliteModel;
  readonly graph: InferenceGraph;
  readonly values: Values;
  readonly storage: WeightStorage;
  /** For `storage: 'int8'`. */
  readonly quantization?: Quantization;
}

/** Adds the operators of one node; what it reads must have been added before. */
export function lowerNode(lowering: Lowering, node: GraphNode): void {
  const { model, values } = lowering;
  const form = formOf(lowering, node);
  const inputs = () => node.inputs.map((name) => values.read(name, form));
  switch (node.op) {
    case 'conv2d':
      lowerConv2D(lowering, node, form);
      break;
    case 'depthwiseConv2d':
      lowerDepthwise(lowering, node, form);
      break;
    case 'dense':
      lowerDense(lowering, node, form);
      break;
    case 'affine':
      lowerAffine(lowering, node, form);
      break;
    case 'add':
      lowerAdd(lowering, node, form);
      break;
    case 'mul':
      lowerMul(lowering, node, form);
      break;
    case 'maxPool':
    case 'averagePool':
      lowerPool(lowering, node, form);
      break;
    case 'globalAveragePool': {
      const axes = model.int32(`${node.name}/axes`, [2], [1, 2]);
      const [x] = inputs();
      const options = { type: 'ReducerOptions', value: { keepDims: false } } as const;
      model.operator('MEAN', {}, [x, axes], [values.make(node.output, form)], options);
      break;
    }
    case 'pad': {
      const [x] = inputs();
      pad(lowering, node.name, x, values.make(node.output, form), node.padding);
      break;
    }
    case 'relu':
      model.operator('RELU', {}, inputs(), [values.make(node.output, form)]);
      break;
    case 'relu6':
      model.operator('RELU6', {}, inputs(), [values.make(node.output, form)]);
      break;
    case 'sigmoid':
      model.operator('LOGISTIC', {}, inputs(), [values.make(node.output, form)]);
      break;
    case 'softmax': {
      const options = { type: 'SoftmaxOptions', value: { beta: 1 } } as const;
      model.operator('SOFTMAX', {}, inputs(), [values.make(node.output, form)], options);
      break;
    }
    case 'reshape': {
      const [x] = inputs();
      reshape(lowering, node.name, x, values.make(node.output, form), node.shape);
      break;
    }
    case 'concat': {
      const options = { type: 'ConcatenationOptions', value: { axis: node.shape.length } } as const;
      model.operator('CONCATENATION', {}, inputs(), [values.make(node.output, form)], options);
      break;
    }
    default:
      node satisfies never;
  }
}

/** Whether a node computes in integers. */
function formOf({ quantization }: Lowering, node: GraphNode): Form {
  return quantization && !quantization.float.has(node.name) ? 'int8' : 'float32';
}

function store(lowering: Lowering, node: GraphNode, form: Form, weights: Weights): StoredWeights {
  const { model, storage, quantization, values } = lowering;
  if (!quantization) return storeWeights(model, weights, storage);
  // A layer that int8 spares is spared whole.
  if (form === 'float32') return storeWeights(model, weights, 'none');
  return storeWeights(model, weights, storage, {
    ...quantization,
    inputScale: values.parametersOf(node.inputs[0]).scale,
  });
}

function lowerConv2D(lowering: Lowering, node: Conv2D, form: Form): void {
  const { model, values } = lowering;
  const { name, strides, dilation, activation, filter, bias } = node;
  const [rows, columns, inputs, outputs] = filter.shape;
  const { x, padding } = windowed(lowering, node, form, [rows, columns], dilation);
  const {
    weights,
    bias: b,
    type,
    perChannel,
  } = store(lowering, node, form, {
    node: name,
    shape: [outputs, rows, columns, inputs],
    order: outputsFirst(rows * columns * inputs, outputs),
    values: filter.values,
    bias: bias.values,
    channelAxis: 0,
  });
  const options = {
    type: 'Conv2DOptions',
    value: {
      padding: PADDING[padding],
      strideH: strides[0],
      strideW: strides[1],
      dilationHFactor: dilation[0],
      dilationWFactor: dilation[1],
      fusedActivationFunction: ACTIVATION[activation],
    },
  } as const;
  model.operator('CONV_2D', { weights: type, perChannel }, [x, weights, b], [values.make(node.output, form)], options);
}

function lowerDepthwise(lowering: Lowering, node: DepthwiseConv2D, form: Form): void {
  const { model, values } = lowering;
  const { name, strides, dilation, activation, filter, bias } = node;
  const [rows, columns, channels, multiplier] = filter.shape;
  const { x, padding } = windowed(lowering, node, form, [rows, columns], dilation);
  const {
    weights,
    bias: b,
    type,
    perChannel,
  } = store(lowering, node, form, {
    node: name,
    shape: [1, rows, columns, channels * multiplier],
    order: (i) => i,
    values: filter.values,
    bias: bias.values,
    channelAxis: 3,
  });
  const options = {
    type: 'DepthwiseConv2DOptions',
    value: {
      padding: PADDING[padding],
      strideH: strides[0],
      strideW: strides[1],
      depthMultiplier: multiplier,
      dilationHFactor: dilation[0],
      dilationWFactor: dilation[1],
      fusedActivationFunction: ACTIVATION[activation],
    },
  } as const;
  const use = { weights: type, perChannel, dilated: dilation.some((step) => step !== 1) };
  model.operator('DEPTHWISE_CONV_2D', use, [x, weights, b], [values.make(node.output, form)], options);
}

function lowerDense(lowering: Lowering, node: Dense, form: Form): void {
  const { model, values } = lowering;
  const [inputs, outputs] = node.weights.shape;
  const x = values.read(node.inputs[0], form);
  const { weights, bias, type, perChannel } = store(lowering, node, form, {
    node: node.name,
    shape: [outputs, inputs],
    order: outputsFirst(inputs, outputs),
    values: node.weights.values,
    bias: node.bias.values,
    channelAxis: 0,
  });
  const options = {
    type: 'FullyConnectedOptions',
    value: { fusedActivationFunction: ACTIVATION[node.activation] },
  } as const;
  const out = values.make(node.output, form);
  model.operator('FULLY_CONNECTED', { weights: type, perChannel }, [x, weights, bias], [out], options);
}

/** x · scale + offset as a depthwise 1×1 convolution, so that integers have a scale for each channel here too. */
function lowerAffine(lowering: Lowering, node: Affine, form: Form): void {
  const { model, values } = lowering;
  const [input] = node.inputs;
  const channels = node.scale.values.length;
  const flat = node.shape.length !== 3;
  let x = values.read(input, form);
  const image: Shape = [1, sizeOf(node.shape) / channels, channels];
  if (flat) {
    const reshaped = values.between(`${node.name}/input`, input, form, image);
    reshape(lowering, node.name, x, reshaped, image);
    x = reshaped;
  }
  const { weights, bias, type, perChannel } = store(lowering, node, form, {
    node: node.name,
    shape: [1, 1, 1, channels],
    order: (i) => i,
    values: node.scale.values,
    bias: node.offset.values,
    channelAxis: 3,
  });
  const options = {
    type: 'DepthwiseConv2DOptions',
    value: {
      padding: PADDING.VALID,
      strideH: 1,
      strideW: 1,
      depthMultiplier: 1,
      fusedActivationFunction: ACTIVATION[node.activation],
    },
  } as const;
  const out = values.make(node.output, form);
  const result = flat ? values.between(`${node.name}/output`, node.output, form, image) : out;
  model.operator('DEPTHWISE_CONV_2D', { weights: type, perChannel }, [x, weights, bias], [result], options);
  if (flat) reshape(lowering, node.name, result, out, node.shape);
}

function lowerAdd({ model, values }: Lowering, node: Add, form: Form): void {
  const inputs = node.inputs.map((name) => values.read(name, form));
  const options = { type: 'AddOptions', value: { fusedActivationFunction: ACTIVATION[node.activation] } } as const;
  model.operator('ADD', {}, inputs, [values.make(node.output, form)], options);
}

function lowerMul({ model, values }: Lowering, node: Mul, form: Form): void {
  const inputs = node.inputs.map((name) => values.read(name, form));
  const scale = (name: string) => values.parametersOf(name).scale;
  const grows = form === 'int8' && scale(node.inputs[0]) * scale(node.inputs[1]) >= scale(node.output);
  const options = { type: 'MulOptions', value: { fusedActivationFunction: ACTIVATION.none } } as const;
  model.operator('MUL', { grows }, inputs, [values.make(node.output, form)], options);
}

function lowerPool(lowering: Lowering, node: MaxPool | AveragePool, form: Form): void {
  const { model, values } = lowering;
  const { x, padding } = windowed(lowering, node, form, node.size, [1, 1]);
  const options = {
    type: 'Pool2DOptions',
    value: {
      padding: PADDING[padding],
      strideH: node.strides[0],
      strideW: node.strides[1],
      filterHeight: node.size[0],
      filterWidth: node.size[1],
      fusedActivationFunction: ACTIVATION.none,
    },
  } as const;
  const op = node.op === 'maxPool' ? 'MAX_POOL_2D' : 'AVERAGE_POOL_2D';
  model.operator(op, {}, [x], [values.make(node.output, form)], options);
}

/** A window's input, padded by an operator of its own where the window cannot do it. */
function windowed(
  lowering: Lowering,
  node: Conv2D | DepthwiseConv2D | MaxPool | AveragePool,
  form: Form,
  size: Pair,
  dilation: Pair,
): { readonly x: number; readonly padding: 'SAME' | 'VALID' } {
  const { values } = lowering;
  const [input] = node.inputs;
  const x = values.read(input, form);
  const [height, width, channels] = values.shapeOf(input);
  const { padding, strides } = node;
  let kind = paddingKind(padding, { input: [height, width], size, strides, dilation });
  if (node.op === 'averagePool' && kind !== 'VALID') {
    // SAME takes the mean of the pixels alone.
    if (node.countPadding) kind = 'explicit';
    else if (kind === 'explicit') {
      throw new ModelError(
        `${node.name}: TFLite has no average pooling that leaves out padding of ${padding.join(', ')} pixels at ` +
          `${height} × ${width}; only that of SAME`,
      );
    }
  }
  if (kind !== 'explicit') return { x, padding: kind };
  const [top, bottom, left, right] = padding;
  const padded = values.between(`${node.name}/padded`, input, form, [
    height + top + bottom,
    width + left + right,
    channels,
  ]);
  // Zeros never win a maximum over values of which none is below them.
  const zeros = node.op !== 'maxPool' || neverNegative(lowering.graph, input);
  if (zeros) pad(lowering, node.name, x, padded, padding);
  else padWithLowest(lowering, node.name, x, padded, padding, input, form);
  return { x: padded, padding: 'VALID' };
}

function pad({ model }: Lowering, name: string, x: number, padded: number, padding: Padding): void {
  model.operator('PAD', {}, [x, paddings(model, name, padding)], [padded], { type: 'PadOptions', value: {} });
}

function padWithLowest(
  { model, values }: Lowering,
  name: string,
  x: number,
  padded: number,
  padding: Padding,
  input: string,
  form: Form,
): void {
  const quantization = values.scalesOf(input, form);
  const lowest = model.tensor({
    name: `${name}/lowest`,
    type: form,
    shape: [],
    data: form === 'int8' ? bytesOf(Int8Array.of(-128)) : bytesOf(Float32Array.of(-3.4028234663852886e38)),
    ...(quantization && { quantization }),
  });
  const inputs = [x, paddings(model, name, padding), lowest];
  model.operator('PADV2', {}, inputs, [padded], { type: 'PadV2Options', value: {} });
}

function paddings(model: TfliteModel, name: string, [top, bottom, left, right]: Padding): number {
  return model.int32(`${name}/paddings`, [4, 2], [0, 0, top, bottom, left, right, 0, 0]);
}

function reshape({ model }: Lowering, name: string, x: number, out: number, shape: Shape): void {
  // −1: as many images as there are, so that a runtime may resize its input.
  const newShape = [-1, ...shape];
  const tensor = model.int32(`${name}/shape`, [newShape.length], newShape);
  model.operator('RESHAPE', {}, [x, tensor], [out], { type: 'ReshapeOptions', value: { newShape } });
}

/** From […, outputs] to [outputs, …], for `each` numbers of every output. */
function outputsFirst(each: number, outputs: number): (i: number) => number {
  return (i) => (i % each) * outputs + Math.floor(i / each);
}
