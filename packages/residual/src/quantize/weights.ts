/** Weights and biases as integers: symmetric, with a scale for each output channel.
 *  The zero point is always 0, which spares the runtime a sum over the inputs. */

import { clamp, type QuantizedWeights, roundAway } from './parameters.ts';

/** A scale for every output channel (the default: a channel's loss is its own), or one for all. */
export type Granularity = 'per-channel' | 'per-tensor';

export interface WeightOptions {
  readonly granularity?: Granularity;
  /** 2 to 8: how many of the eight bits are used. Fewer serve experiments; runtimes compute with eight. */
  readonly bits?: number;
  /**
   * Smallest scale of each channel, or of all: one below it would make a bias too large for 32 bits. See
   * {@link smallestScales}.
   */
  readonly atLeast?: Float32Array;
}

/**
 * @param values the output channel changes fastest, as in the graph's constants
 * @param channels how many output channels there are
 */
export function quantizeWeights(
  values: Float32Array,
  channels: number,
  { granularity = 'per-channel', bits = 8, atLeast }: WeightOptions = {},
): QuantizedWeights {
  const most = 2 ** (bits - 1) - 1;
  const largest = new Float32Array(channels);
  for (let i = 0; i < values.length; i++) {
    const c = i % channels;
    const size = Math.abs(values[i]);
    if (size > largest[c]) largest[c] = size;
  }
  if (granularity === 'per-tensor') largest.fill(largest.reduce((a, b) => Math.max(a, b), 0));
  let each = largest.map((size, c) => Math.max(size / most, atLeast?.[c] ?? 0));
  if (granularity === 'per-tensor') each = each.fill(each.reduce((a, b) => Math.max(a, b), 0));
  // A channel of zeros means 0 at any scale.
  each = each.map((scale) => scale || 1);
  const integers = new Int8Array(values.length);
  for (let i = 0; i < values.length; i++) integers[i] = clamp(roundAway(values[i] / each[i % channels]), -most, most);
  return { values: integers, scales: granularity === 'per-tensor' ? each.slice(0, 1) : each };
}

/**
 * Scales below which the bias would leave 32 bits, e.g. where batch normalisation switched a channel off and only its
 * offset is left. A quarter of the range stays free for the sum that the bias is added to.
 *
 * @param inputScale of the value that the weights are multiplied with
 */
export function smallestScales(bias: Float32Array, inputScale: number): Float32Array {
  return bias.map((value) => Math.abs(value) / inputScale / 2 ** 30);
}

/** The bias at scale (input's · weights'), zero point 0, in 32 bits. */
export function quantizeBias(bias: Float32Array, inputScale: number, scales: Float32Array): Int32Array {
  return Int32Array.from(bias, (value, c) => {
    // The runtime multiplies the two scales as 32-bit floats read from the file.
    const scale = inputScale * scales[scales.length === 1 ? 0 : c];
    return clamp(roundAway(value / scale), -(2 ** 31), 2 ** 31 - 1);
  });
}

/** The floats that the integers stand for. */
export function dequantizeWeights({ values, scales }: QuantizedWeights): Float32Array {
  return Float32Array.from(values, (value, i) => value * scales[i % scales.length]);
}
