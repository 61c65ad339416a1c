/** How the exact sums of an operation become 8 bits again: what TensorFlow Lite and ONNX do differently. What the two have
 *  in common, shapes and calls of kernels, is in `steps.ts`. */

import type { Activation, Op } from '../../export/graph/graph.ts';
import type { AffineParameters } from '../parameters.ts';

/** The sums of a layer with weights: one an output channel. */
export interface Sums {
  readonly op: Op;
  readonly biases: Int32Array;
  /** Of the weights: one for all, or one an output channel. */
  readonly scales: Float32Array;
  /** What no sum of a channel exceeds, the bias included. */
  readonly largest: Float64Array;
  readonly activation: Activation;
}

/** Factors of a kernel, packed, and the kernel's `rounding`. */
export interface Rescaling {
  readonly factors: Int32Array;
  readonly rounding: 'twice' | 'once' | 'even';
}

/** Each gives undefined where its numbers might leave 32 bits, or it has no integers for such an operation. */
export interface Rules {
  layer(sums: Sums, input: AffineParameters, output: AffineParameters): Rescaling | undefined;
  add(
    terms: readonly [AffineParameters, AffineParameters],
    output: AffineParameters,
    activation: Activation,
  ): Rescaling | undefined;
  mul(terms: readonly [AffineParameters, AffineParameters], output: AffineParameters): Rescaling | undefined;
  /** The mean of an image of `pixels` pixels. */
  mean(
    size: { readonly pixels: number; readonly channels: number },
    input: AffineParameters,
    output: AffineParameters,
  ): Rescaling | undefined;
  /** For each int8 from −128 on, the int8 of its function. */
  table(op: 'relu' | 'relu6' | 'sigmoid', input: AffineParameters, output: AffineParameters): Int8Array | undefined;
  /** The table of `Int8Softmax`. */
  softmax(input: AffineParameters, output: AffineParameters, classes: number): Int32Array | undefined;
  /** How numbers round that have no factors: `Int8Quantize` and `Int8AvgPool`. */
  readonly rounding: 'twice' | 'even';
}

/** The largest distance of an int8 from its zero point. */
export const reach = ({ zeroPoint }: AffineParameters): number => Math.max(127 - zeroPoint, 128 + zeroPoint);

export const together = (parts: readonly Int32Array[]): Int32Array =>
  Int32Array.from(parts.flatMap((part) => [...part]));
