/**
 * How 8-bit tensors lie in memory: four numbers in each element of an int32 tensor, the channels of a pixel filled up so
 * that kernels read whole vectors. What lies between the last channel and the next pixel may be anything.
 */

/** Channels of a panel: sixteen int8 are one vector. */
export const PANEL = 16;

/** Channels that a pixel takes: up to four (pictures) take four, more take a multiple of sixteen. */
export const packedChannels = (channels: number): number => (channels <= 4 ? 4 : Math.ceil(channels / PANEL) * PANEL);

export const panelsOf = (channels: number): number => Math.ceil(channels / PANEL);

/** The shape of the int32 tensor that holds an 8-bit tensor of this shape, channels last. */
export function wordsOf(shape: readonly number[]): number[] {
  const channels = shape.at(-1) ?? 1;
  return [...shape.slice(0, -1), packedChannels(channels) / 4];
}

/**
 * What turns the 32-bit sum of an output channel into its 8-bit result. Each is a vector of sixteen int32 in a panel of
 * `FACTOR_PANEL` bytes: [channels / 16][field][16].
 *
 * `twice`, as TensorFlow Lite's reference kernels round but for dense layers:
 *   r = (sum + bias) · left · multiplier / 2³¹, rounded to the nearest, halves up;
 *   q = r / 2ᵉ, rounded to the nearest, halves away from 0, where half = 2ᵉ⁻¹, away = −1 and scale = 2³⁰⁻ᵉ,
 *       or for e = 0: half = 0, away = 0.
 * `once`, as its dense layers round: r is rounded down, half = 2ᵉ⁻¹, away = 0, e ≥ 1: the whole is rounded to the
 *   nearest, halves up. (A factor without a right shift takes e = 1 and a left that is doubled.)
 * `even`, as ONNX's QuantizeLinear and XNNPACK round: q = (sum + bias) · m in single precision, rounded to the nearest,
 *   halves to even, where m is the float32 whose bits stand in `multiplier`; left, half, away and scale are not read.
 *   q must lie within ±2³⁰: the zero point is added in 32 bits.
 * Then q + zero, held between min and max.
 */
export const FIELDS = [
  'bias',
  'left',
  'multiplier',
  'half',
  'away',
  'scale',
  'zero',
  'min',
  'max',
  /** The zero point of the input: only the first of each sixteen is read. */
  'inputZero',
] as const;

export type Field = (typeof FIELDS)[number];
export type Rounding = 'twice' | 'once' | 'even';

/** Bytes of the factors of sixteen channels. */
export const FACTOR_PANEL = FIELDS.length * PANEL * 4;

/** Where a field of the four channels of vector `v` stands in its panel. */
export const fieldAt = (field: Field, v = 0): number => (FIELDS.indexOf(field) * PANEL + v * 4) * 4;
