/** How the kernels of `tfjs-backend-jit` want 8-bit tensors: four numbers in an int32, channels in panels of sixteen.
 *  The layout is that of its `kernels/int8-layout.ts`; kernels refuse tensors of another size. */

import type { AffineParameters } from '../parameters.ts';
import type { FixedMultiplier } from './fixed-point.ts';

const PANEL = 16;

/** Channels that a pixel takes: four of up to four, else a multiple of sixteen. */
export const packedChannels = (channels: number): number => (channels <= 4 ? 4 : Math.ceil(channels / PANEL) * PANEL);

/** The shape of the int32 tensor that holds an 8-bit tensor of this shape, channels last. */
export const wordsOf = (shape: readonly number[]): number[] => [
  ...shape.slice(0, -1),
  packedChannels(shape.at(-1) ?? 1) / 4,
];

const panelsOf = (channels: number): number => Math.ceil(channels / PANEL);

/** [taps, inputs, outputs] → [outputs / 16][taps][packed inputs / 2][16][2]. */
export function packFilter(values: Int8Array, inputs: number, outputs: number): Int32Array {
  const taps = values.length / (inputs * outputs);
  const packed = packedChannels(inputs);
  const panelBytes = taps * packed * PANEL;
  const bytes = new Int8Array(panelsOf(outputs) * panelBytes);
  for (let k = 0, from = 0; k < taps * inputs; k++) {
    const place = Math.floor(k / inputs) * packed + (k % inputs);
    const row = (place >> 1) * PANEL * 2 + (place & 1);
    for (let o = 0; o < outputs; o++, from++) {
      bytes[Math.floor(o / PANEL) * panelBytes + row + (o % PANEL) * 2] = values[from];
    }
  }
  return new Int32Array(bytes.buffer);
}

/** [taps, outputs] → [outputs / 16][taps][16]. */
export function packDepthwise(values: Int8Array, outputs: number): Int32Array {
  const taps = values.length / outputs;
  const bytes = new Int8Array(panelsOf(outputs) * taps * PANEL);
  values.forEach((value, i) => {
    const [tap, o] = [Math.floor(i / outputs), i % outputs];
    bytes[(Math.floor(o / PANEL) * taps + tap) * PANEL + (o % PANEL)] = value;
  });
  return new Int32Array(bytes.buffer);
}

/** [scale as float32 bits, zero point] */
export function packParameters({ scale, zeroPoint }: AffineParameters): Int32Array {
  return Int32Array.of(new Int32Array(Float32Array.of(scale).buffer)[0], zeroPoint);
}

/** What turns the sums of a channel into its 8 bits. */
export interface Factor {
  /** Added to the sum first. Default 0. */
  readonly bias?: number;
  readonly factor: FixedMultiplier;
  /** The sum is multiplied by this, a power of two, before all else. Default 1. */
  readonly lift?: number;
}

export interface Ends {
  readonly inputZero: number;
  readonly zero: number;
  readonly bounds: readonly [number, number];
}

/**
 * How a factor rounds: `twice`, as most of TensorFlow Lite's reference kernels (the product with the multiplier, then
 * the shift), or `once`, as its dense layers.
 */
export type FactorRounding = 'twice' | 'once';

/** A factor's powers of two: multiply by 2^left, divide by 2^right. */
function shiftsOf(shift: number, rounding: FactorRounding): { readonly left: number; readonly right: number } {
  const right = Math.max(rounding === 'once' ? 1 : 0, -shift);
  return { left: shift + right, right };
}

/** [channels / 16][bias, left, multiplier, half, away, scale, zero, min, max, inputZero][16] */
export function packFactors(
  channels: readonly Factor[],
  { inputZero, zero, bounds: [min, max] }: Ends,
  rounding: FactorRounding = 'twice',
): Int32Array {
  const fields = channels.map(({ bias = 0, factor: { multiplier, shift }, lift = 1 }) => {
    const { left, right } = shiftsOf(shift, rounding);
    // Whatever a sum is (see `fits`), divided by 2³¹ it is nothing.
    if (right > 30) return [bias, lift, 0, 0, 0, 2 ** 30, zero, min, max, inputZero];
    const half = right === 0 ? 0 : 2 ** (right - 1);
    const away = right > 0 && rounding === 'twice' ? -1 : 0;
    return [bias, lift * 2 ** left, multiplier, half, away, 2 ** (30 - right), zero, min, max, inputZero];
  });
  return inPanels(fields);
}

/** A factor as ONNX has it: one number in single precision. */
export interface RealFactor {
  /** Added to the sum first. */
  readonly bias: number;
  readonly factor: number;
}

/** The same fields, for kernels that round halves to even: they read no other than these. */
export function packRealFactors(
  channels: readonly RealFactor[],
  { inputZero, zero, bounds: [min, max] }: Ends,
): Int32Array {
  const bits = new Int32Array(Float32Array.from(channels, ({ factor }) => factor).buffer);
  return inPanels(channels.map(({ bias }, c) => [bias, 0, bits[c], 0, 0, 0, zero, min, max, inputZero]));
}

function inPanels(fields: readonly (readonly number[])[]): Int32Array {
  const count = fields[0]?.length ?? 0;
  const out = new Int32Array(panelsOf(fields.length) * count * PANEL);
  fields.forEach((values, channel) => {
    const panel = Math.floor(channel / PANEL) * count * PANEL;
    values.forEach((value, field) => {
      out[panel + field * PANEL + (channel % PANEL)] = value;
    });
  });
  return out;
}

/** True where no sum of at most `largest` (bias included) leaves 32 bits on its way through a factor. */
export function fits(
  largest: number,
  { factor: { shift }, lift = 1 }: Factor,
  rounding: FactorRounding = 'twice',
): boolean {
  const { left, right } = shiftsOf(shift, rounding);
  return largest * lift * 2 ** left + (right === 0 ? 0 : 2 ** (right - 1)) < 2 ** 31;
}

/** The same for a real factor: the sum, and the result to which a zero point is added. */
export function realFits(largest: number, factor: number): boolean {
  return largest < 2 ** 31 && largest * factor < 2 ** 30;
}
