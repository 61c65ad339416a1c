/** Trained numbers as tensors of a TFLite file: floats, half floats that are widened again when the model is loaded,
 *  or 8-bit integers with a scale for each output channel. */

import { clamp, type Quantization } from '../../quantize/parameters.ts';
import { quantizeWeights } from '../../quantize/weights.ts';
import { float16Of, LARGEST_FLOAT16 } from '../float16.ts';
import { bytesOf, type TfliteModel } from './model.ts';
import type { TensorType } from './schema.ts';

/**
 * How weights are stored.
 * - `none`: 32-bit floats.
 * - `float16`: half the size; computed in 32 bits, on GPUs in 16.
 * - `dynamic`: 8-bit integers; a quarter of the size. Values between layers stay floats, no calibration is needed.
 * - `int8`: everything in 8-bit integers, values between layers too.
 */
export type WeightStorage = 'none' | 'float16' | 'dynamic' | 'int8';

/** Weights with fewer numbers stay floats under `dynamic`, as TensorFlow's converter leaves them. */
const DYNAMIC_MINIMUM = 1024;

/** A constant in TFLite's layout. */
export interface Weights {
  /** e.g. `layer1.0.conv1` */
  readonly node: string;
  readonly shape: readonly number[];
  /** From the graph's order to the file's: the place in the graph's constant of each number of the file. */
  readonly order: (i: number) => number;
  readonly values: Float32Array;
  readonly bias: Float32Array;
  /** The axis of `shape` along which the output channels lie. */
  readonly channelAxis: number;
}

export interface StoredWeights {
  readonly weights: number;
  readonly bias: number;
  readonly type: TensorType;
  readonly perChannel: boolean;
}

/**
 * Adds a node's weights and bias to the model.
 *
 * @param quantization for nodes that compute in integers
 */
export function storeWeights(
  model: TfliteModel,
  weights: Weights,
  storage: WeightStorage,
  quantization?: Quantization & { readonly inputScale: number },
): StoredWeights {
  const { node, shape, values, bias, order, channelAxis } = weights;
  const channels = bias.length;
  const name = `${node}/weight`;
  const int8 = (integers: Int8Array, scales: Float32Array) =>
    model.tensor({
      name,
      type: 'int8',
      shape,
      quantization: perChannelScales(scales, channelAxis),
      data: bytesOf(reordered(integers, order)),
    });
  if (quantization) {
    const { values: integers, scales } = quantization.weights[node];
    const biases = quantization.biases[node];
    const quantized = int8(integers, scales);
    const added = model.tensor({
      name: `${node}/bias`,
      type: 'int32',
      shape: [channels],
      quantization: perChannelScales(
        scales.map((scale) => scale * quantization.inputScale),
        0,
      ),
      data: bytesOf(biases),
    });
    return { weights: quantized, bias: added, type: 'int8', perChannel: scales.length > 1 };
  }
  const float = (suffix: string, size: readonly number[], data: Float32Array) =>
    model.tensor({ name: `${node}/${suffix}`, type: 'float32', shape: size, data: bytesOf(data) });
  if (storage === 'dynamic' && values.length >= DYNAMIC_MINIMUM) {
    // A dense layer with a scale for each channel and floats around it needs TensorFlow 2.17: newer than what the Task
    // Library was built with.
    const granularity = shape.length === 2 ? 'per-tensor' : 'per-channel';
    const { values: integers, scales } = quantizeWeights(values, channels, { granularity });
    const quantized = int8(integers, scales);
    return { weights: quantized, bias: float('bias', [channels], bias), type: 'int8', perChannel: scales.length > 1 };
  }
  const moved = reordered(values, order);
  if (storage === 'float16') {
    const [w, b] = [half(model, name, shape, moved), half(model, `${node}/bias`, [channels], bias)];
    return { weights: w, bias: b, type: 'float32', perChannel: false };
  }
  return {
    weights: float('weight', shape, moved),
    bias: float('bias', [channels], bias),
    type: 'float32',
    perChannel: false,
  };
}

function perChannelScales(scales: Float32Array, axis: number) {
  return { scale: [...scales], zeroPoint: Array<number>(scales.length).fill(0), quantizedDimension: axis };
}

/** Half floats and the operator that widens them; runtimes do it once, when they load the file. */
function half(model: TfliteModel, name: string, shape: readonly number[], values: Float32Array): number {
  const data = bytesOf(float16Of(name, values.map(saturated)));
  const stored = model.tensor({ name: `${name}/float16`, type: 'float16', shape, data });
  const widened = model.tensor({ name, type: 'float32', shape });
  model.operator('DEQUANTIZE', {}, [stored], [widened], { type: 'DequantizeOptions', value: {} });
  return widened;
}

/** As TensorFlow's converter: what is too large becomes the largest. */
const saturated = (value: number) => clamp(value, -LARGEST_FLOAT16, LARGEST_FLOAT16);

function reordered<T extends Float32Array | Int8Array>(values: T, order: (i: number) => number): T {
  const result = values.slice() as T;
  for (let i = 0; i < values.length; i++) result[i] = values[order(i)];
  return result;
}
