/** Versions of TFLite's operators: which one a use of an operator needs, and the first runtime that has it.
 *  (tensorflow/lite/tools/versioning: op_version.cc and runtime_version.cc.) */

import type { Builtin, TensorType } from './schema.ts';

/** For each operator the first TensorFlow release with version 1, 2, 3 …; an empty place is a version we never need. */
const RELEASES: Readonly<Record<Builtin, readonly string[]>> = {
  ADD: ['1.5.0', '1.14.0'],
  AVERAGE_POOL_2D: ['1.5.0', '1.14.0'],
  CONCATENATION: ['1.5.0', '1.14.0'],
  CONV_2D: ['1.5.0', '1.14.0', '1.14.0', '', '2.4.0'],
  DEPTHWISE_CONV_2D: ['1.5.0', '1.12.0', '1.14.0', '2.2.0', '', '2.3.0'],
  DEQUANTIZE: ['1.13.1', '1.14.0', '1.15.0'],
  FULLY_CONNECTED: ['1.5.0', '', '1.14.0', '1.14.0', '', '', '', '', '', '', '', '2.17.0'],
  LOGISTIC: ['1.14.0', '1.14.0'],
  MAX_POOL_2D: ['1.5.0', '1.14.0'],
  MEAN: ['1.6.0', '1.14.0'],
  MUL: ['1.5.0', '1.14.0', '1.15.0'],
  PAD: ['1.5.0', '1.14.0'],
  PADV2: ['1.9.0', '1.14.0'],
  QUANTIZE: ['1.14.0'],
  RELU: ['1.5.0', '2.1.0'],
  RELU6: ['1.5.0', '1.14.0'],
  RESHAPE: ['1.5.0'],
  SOFTMAX: ['1.5.0', '1.14.0'],
};

/** What an operator's version depends on. */
export interface Use {
  readonly input: TensorType;
  /** Of a convolution's filter or a dense layer's weights. */
  readonly weights?: TensorType;
  /** Whether those have a scale for each output channel. */
  readonly perChannel?: boolean;
  readonly dilated?: boolean;
  /** MUL in integers whose scales multiply to 1 or more of the output's. */
  readonly grows?: boolean;
}

/** The lowest version of an operator that can do what is asked. */
export function versionOf(op: Builtin, use: Use): number {
  const int8 = use.input === 'int8';
  // Floats times integers: the runtime makes integers of the input as it goes.
  const hybrid = use.input === 'float32' && use.weights === 'int8';
  switch (op) {
    case 'CONV_2D':
      return int8 ? 3 : hybrid ? (use.perChannel ? 5 : 2) : 1;
    case 'DEPTHWISE_CONV_2D':
      return int8 ? 3 : hybrid ? (use.perChannel ? 6 : 4) : use.dilated ? 2 : 1;
    case 'FULLY_CONNECTED':
      return int8 ? 4 : hybrid ? (use.perChannel ? 12 : 3) : 1;
    case 'DEQUANTIZE':
      return use.input === 'float16' ? 3 : int8 ? 2 : 1;
    case 'MUL':
      return int8 ? (use.grows ? 3 : 2) : 1;
    case 'QUANTIZE':
    case 'RESHAPE':
      return 1;
    case 'ADD':
    case 'AVERAGE_POOL_2D':
    case 'CONCATENATION':
    case 'LOGISTIC':
    case 'MAX_POOL_2D':
    case 'MEAN':
    case 'PAD':
    case 'PADV2':
    case 'RELU':
    case 'RELU6':
    case 'SOFTMAX':
      return int8 ? 2 : 1;
    default:
      return op satisfies never;
  }
}

/** The first release that runs all of these, e.g. `1.14.0`: the metadata `min_runtime_version`. */
export function minimumRuntime(uses: Iterable<{ readonly op: Builtin; readonly version: number }>): string {
  let newest = '1.5.0';
  for (const { op, version } of uses) {
    const release = RELEASES[op][version - 1];
    if (!release) throw new Error(`internal: no release for ${op} version ${version}`);
    if (precedes(newest, release)) newest = release;
  }
  return newest;
}

function precedes(a: string, b: string): boolean {
  const [first, second] = [a, b].map((version) => version.split('.').map(Number));
  const i = first.findIndex((part, index) => part !== second[index]);
  return i >= 0 && first[i] < second[i];
}
