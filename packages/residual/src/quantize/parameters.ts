/** What turns a network of floats into one of 8-bit integers: a scale for every value and for every output channel.
 *  TensorFlow Lite's rules, which are those of most integer hardware (ai.google.dev/edge/litert, "quantization spec"). */

/** real = scale · (q − zeroPoint), with −128 ≤ q ≤ 127. */
export interface AffineParameters {
  /** Positive, a 32-bit float. */
  readonly scale: number;
  /** The q that means 0. Padding is made of it, so 0 is always represented exactly. */
  readonly zeroPoint: number;
}

/** The numbers between which a value was seen. */
export interface ValueRange {
  readonly min: number;
  readonly max: number;
}

/** The weights of one node: real = scale · q, with −127 ≤ q ≤ 127. */
export interface QuantizedWeights {
  /** In the order of the graph's own constant. */
  readonly values: Int8Array;
  /** One for each output channel (the constant's last index, or last two of a depthwise filter), or one for all. */
  readonly scales: Float32Array;
}

/** All that an exporter needs beside the graph. Node and value names are the graph's. */
export interface Quantization {
  /** For every value that is an integer anywhere. */
  readonly values: Readonly<Record<string, AffineParameters>>;
  /** For every node with weights that computes in integers. */
  readonly weights: Readonly<Record<string, QuantizedWeights>>;
  /** For the same nodes: q of the bias at scale (input's scale · weights' scale), zero point 0. */
  readonly biases: Readonly<Record<string, Int32Array>>;
  /** Nodes that go on computing in floats. */
  readonly float: ReadonlySet<string>;
  /**
   * By whose rules it is computed. `tflite`, the default: halves away from zero, and a value is rounded where a node of
   * integers makes or reads it. `onnx`: halves to even, and all of `values` are rounded and no other, as a file with
   * QuantizeLinear and DequantizeLinear says itself.
   */
  readonly rules?: 'tflite' | 'onnx';
}

export interface ActivationOptions {
  /**
   * `asymmetric`: the range fills −128 … 127. `symmetric`: the zero point is 0, as TensorRT wants it, and half of the
   * integers are lost on a value that is never negative.
   */
  readonly scheme?: 'asymmetric' | 'symmetric';
}

/** A value between 0 and 1 whose integers the specification fixes: the outputs of softmax and sigmoid. */
export const UNIT_PARAMETERS: AffineParameters = { scale: 1 / 256, zeroPoint: -128 };

/** Numbers 0 … 255, each exactly one integer. */
export const BYTE_PARAMETERS: AffineParameters = { scale: 1, zeroPoint: -128 };

/** Scale and zero point for a range, which is widened to hold 0. A range of nothing but 0 has scale 1. */
export function parametersOf(
  { min, max }: ValueRange,
  { scheme = 'asymmetric' }: ActivationOptions = {},
): AffineParameters {
  const low = Math.min(min, 0);
  const high = Math.max(max, 0);
  if (!Number.isFinite(high - low)) throw new Error(`internal: a range from ${min} to ${max}`);
  if (scheme === 'symmetric') {
    const scale = Math.fround(Math.max(-low, high) / 127);
    return { scale: scale || 1, zeroPoint: 0 };
  }
  const scale = Math.fround((high - low) / 255);
  if (scale === 0) return { scale: 1, zeroPoint: -128 };
  return { scale, zeroPoint: clamp(roundAway(-128 - low / scale), -128, 127) };
}

/** The integers that stand for `values`. */
export function quantizeValues(values: Float32Array, { scale, zeroPoint }: AffineParameters): Int8Array {
  return Int8Array.from(values, (value) => clamp(roundAway(value / scale) + zeroPoint, -128, 127));
}

export function dequantizeValues(values: Int8Array, { scale, zeroPoint }: AffineParameters): Float32Array {
  return Float32Array.from(values, (value) => scale * (value - zeroPoint));
}

/** Halves away from zero, as C's `round` and TensorFlow do. */
export function roundAway(value: number): number {
  return value < 0 ? 0 - Math.floor(0.5 - value) : Math.floor(value + 0.5);
}

/** Halves to the even neighbour, as ONNX does. */
export function roundEven(value: number): number {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
