/** TensorFlow Lite's file format, schema version 3: the tables and fields that a classifier needs, in their slots.
 *  (tensorflow/lite/schema/schema.fbs; interop/export/tflite-slots.py compares every number here with TensorFlow's own.) */

import { bool, bytes, many, numbers, one, scalar, type Table, type TableValue, text, union } from './flat/fields.ts';

export const IDENTIFIER = 'TFL3';
export const SCHEMA_VERSION = 3;

export const TENSOR_TYPE = { float32: 0, float16: 1, int32: 2, uint8: 3, int8: 9 } as const;
export type TensorType = keyof typeof TENSOR_TYPE;

export const PADDING = { SAME: 0, VALID: 1 } as const;

export const ACTIVATION = { none: 0, relu: 1, relu6: 3 } as const;

export const BUILTIN = {
  ADD: 0,
  AVERAGE_POOL_2D: 1,
  CONCATENATION: 2,
  CONV_2D: 3,
  DEPTHWISE_CONV_2D: 4,
  DEQUANTIZE: 6,
  FULLY_CONNECTED: 9,
  LOGISTIC: 14,
  MAX_POOL_2D: 17,
  MUL: 18,
  RELU: 19,
  RELU6: 21,
  RESHAPE: 22,
  SOFTMAX: 25,
  PAD: 34,
  MEAN: 40,
  PADV2: 60,
  QUANTIZE: 114,
} as const;
export type Builtin = keyof typeof BUILTIN;

const QuantizationParameters = {
  min: numbers(0, 'float32'),
  max: numbers(1, 'float32'),
  scale: numbers(2, 'float32'),
  zeroPoint: numbers(3, 'int64'),
  quantizedDimension: scalar(6, 'int32'),
} satisfies Table;

const Tensor = {
  shape: numbers(0, 'int32'),
  type: scalar(1, 'int8'),
  buffer: scalar(2, 'uint32'),
  name: text(3),
  quantization: one(4, QuantizationParameters),
  isVariable: bool(5),
  /** The shape with −1 for a size that the caller chooses. */
  shapeSignature: numbers(7, 'int32'),
  hasRank: bool(8),
} satisfies Table;

/** The union of options: the number of each kind, and its fields. */
const OPTIONS = {
  Conv2DOptions: {
    tag: 1,
    table: {
      padding: scalar(0, 'int8'),
      strideW: scalar(1, 'int32'),
      strideH: scalar(2, 'int32'),
      fusedActivationFunction: scalar(3, 'int8'),
      dilationWFactor: scalar(4, 'int32', 1),
      dilationHFactor: scalar(5, 'int32', 1),
    },
  },
  DepthwiseConv2DOptions: {
    tag: 2,
    table: {
      padding: scalar(0, 'int8'),
      strideW: scalar(1, 'int32'),
      strideH: scalar(2, 'int32'),
      depthMultiplier: scalar(3, 'int32'),
      fusedActivationFunction: scalar(4, 'int8'),
      dilationWFactor: scalar(5, 'int32', 1),
      dilationHFactor: scalar(6, 'int32', 1),
    },
  },
  Pool2DOptions: {
    tag: 5,
    table: {
      padding: scalar(0, 'int8'),
      strideW: scalar(1, 'int32'),
      strideH: scalar(2, 'int32'),
      filterWidth: scalar(3, 'int32'),
      filterHeight: scalar(4, 'int32'),
      fusedActivationFunction: scalar(5, 'int8'),
    },
  },
  FullyConnectedOptions: {
    tag: 8,
    table: {
      fusedActivationFunction: scalar(0, 'int8'),
      weightsFormat: scalar(1, 'int8'),
      keepNumDims: bool(2),
      asymmetricQuantizeInputs: bool(3),
    },
  },
  SoftmaxOptions: { tag: 9, table: { beta: scalar(0, 'float32') } },
  ConcatenationOptions: { tag: 10, table: { axis: scalar(0, 'int32'), fusedActivationFunction: scalar(1, 'int8') } },
  AddOptions: { tag: 11, table: { fusedActivationFunction: scalar(0, 'int8') } },
  ReshapeOptions: { tag: 17, table: { newShape: numbers(0, 'int32') } },
  MulOptions: { tag: 21, table: { fusedActivationFunction: scalar(0, 'int8') } },
  PadOptions: { tag: 22, table: {} },
  ReducerOptions: { tag: 27, table: { keepDims: bool(0) } },
  DequantizeOptions: { tag: 38, table: {} },
  PadV2Options: { tag: 43, table: {} },
  QuantizeOptions: { tag: 89, table: {} },
} satisfies Record<string, { readonly tag: number; readonly table: Table }>;

const Operator = {
  opcodeIndex: scalar(0, 'uint32'),
  inputs: numbers(1, 'int32'),
  outputs: numbers(2, 'int32'),
  /** Its kind is in slot 3. */
  builtinOptions: union(4, OPTIONS),
} satisfies Table;

const OperatorCode = {
  /** The code again, at most 127: what readers from before TensorFlow 2.4 look at. */
  deprecatedBuiltinCode: scalar(0, 'int8'),
  customCode: text(1),
  version: scalar(2, 'int32', 1),
  builtinCode: scalar(3, 'int32'),
} satisfies Table;

const SubGraph = {
  tensors: many(0, Tensor),
  inputs: numbers(1, 'int32'),
  outputs: numbers(2, 'int32'),
  operators: many(3, Operator),
  name: text(4),
} satisfies Table;

/** XNNPACK and the kernels read weights in place, with aligned loads. */
const Buffer = { data: bytes(0, 16) } satisfies Table;

const Metadata = { name: text(0), buffer: scalar(1, 'uint32') } satisfies Table;

const TensorMap = { name: text(0), tensorIndex: scalar(1, 'uint32') } satisfies Table;

const SignatureDef = {
  inputs: many(0, TensorMap),
  outputs: many(1, TensorMap),
  signatureKey: text(2),
  subgraphIndex: scalar(4, 'uint32'),
} satisfies Table;

export const Model = {
  version: scalar(0, 'uint32'),
  operatorCodes: many(1, OperatorCode),
  subgraphs: many(2, SubGraph),
  description: text(3),
  buffers: many(4, Buffer),
  metadata: many(6, Metadata),
  signatureDefs: many(7, SignatureDef),
} satisfies Table;

export type ModelValue = TableValue<typeof Model>;
export type TensorValue = TableValue<typeof Tensor>;
export type OperatorValue = TableValue<typeof Operator>;
export type OperatorCodeValue = TableValue<typeof OperatorCode>;
export type QuantizationValue = TableValue<typeof QuantizationParameters>;
export type OptionsValue = NonNullable<OperatorValue['builtinOptions']>;
