/** Colour as linear algebra: each pixel-wise change is a small matrix, and a chain of them is one.
 *  Hue turns in YIQ, which keeps the luma and is linear, as NVIDIA DALI's ColorTwist does; not in HSV. */
import { DataError } from '../data/errors.ts';
import type { Picture } from './transform.ts';

/**
 * For c channels, c rows of c factors and one number to add, on the scale 0–255:
 * out[i] = Σ m[i·(c+1) + j]·in[j] + m[i·(c+1) + c].
 */
export type ColorMatrix = readonly number[];

/** For each channel, what each byte becomes. */
export type Tables = readonly Uint8Array[];

/** The luma of ITU-R BT.601, which Pillow's and torchvision's grey is. */
export const LUMA = [0.299, 0.587, 0.114] as const;

/** The same factor for all channels. */
export function brightness(channels: number, factor: number): ColorMatrix {
  return diagonal(channels, factor, 0);
}

/** Away from, or towards, a grey of the given luma. */
export function contrast(channels: number, factor: number, grey: number): ColorMatrix {
  return diagonal(channels, factor, grey * (1 - factor));
}

/** Away from, or towards, each pixel's own grey; pictures without colour stay as they are. */
export function saturation(channels: number, factor: number): ColorMatrix {
  if (channels !== 3) return withoutColor(channels);
  return [0, 1, 2].flatMap((i) => [...LUMA.map((weight, j) => (i === j ? factor : 0) + (1 - factor) * weight), 0]);
}

/** @param turn of the colour circle, −½ to ½ */
export function hue(channels: number, turn: number): ColorMatrix {
  if (channels !== 3) return withoutColor(channels);
  const [cos, sin] = [Math.cos(2 * Math.PI * turn), Math.sin(2 * Math.PI * turn)];
  const rotated = multiply(FROM_YIQ, multiply([1, 0, 0, 0, cos, -sin, 0, sin, cos], TO_YIQ));
  return [0, 1, 2].flatMap((i) => [...rotated.slice(3 * i, 3 * i + 3), 0]);
}

/** Each pixel's luma in all channels. */
export function grey(channels: number): ColorMatrix {
  return saturation(channels, 0);
}

/** The changes one after the other, as one. Values are clamped after the whole chain only. */
export function chain(channels: number, ...matrices: readonly ColorMatrix[]): ColorMatrix {
  const n = channels + 1;
  return matrices.reduce(
    (first, then) => {
      const out: number[] = [];
      for (let i = 0; i < channels; i++) {
        for (let j = 0; j < n; j++) {
          let sum = j === channels ? then[i * n + channels] : 0;
          for (let k = 0; k < channels; k++) sum += then[i * n + k] * first[k * n + j];
          out.push(sum);
        }
      }
      return out;
    },
    diagonal(channels, 1, 0),
  );
}

/** The tables of a matrix that does not mix channels; undefined for one that does. */
export function tablesOf(matrix: ColorMatrix, channels: number): Tables | undefined {
  const n = channels + 1;
  for (let i = 0; i < channels; i++) {
    for (let j = 0; j < channels; j++) if (i !== j && matrix[i * n + j] !== 0) return undefined;
  }
  return Array.from({ length: channels }, (_, i) =>
    Uint8Array.from({ length: 256 }, (_, value) => toByte(matrix[i * n + i] * value + matrix[i * n + channels])),
  );
}

/** Looks up in `first`, then in `then`. */
export function chainTables(first: Tables, then: Tables): Tables {
  return first.map((table, c) => table.map((value) => then[c][value]));
}

/** The nearest byte. */
export function toByte(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : (value + 0.5) | 0;
}

/** Changes `from`'s colours into `to`, which may be the same array: bytes are rounded, floats only clamped. */
export function applyMatrix(from: Picture, to: Picture['data'], matrix: ColorMatrix): void {
  const { data, channels } = from;
  const bytes = to instanceof Uint8Array;
  const settle = bytes ? toByte : clamp;
  if (channels === 3) {
    const [a, b, c, d, e, f, g, h, i, j, k, l] = matrix;
    for (let p = 0; p < data.length; p += 3) {
      const [red, green, blue] = [data[p], data[p + 1], data[p + 2]];
      to[p] = settle(a * red + b * green + c * blue + d);
      to[p + 1] = settle(e * red + f * green + g * blue + h);
      to[p + 2] = settle(i * red + j * green + k * blue + l);
    }
    return;
  }
  // Matrices of other pictures do not mix channels.
  const n = channels + 1;
  for (let c = 0; c < channels; c++) {
    const [factor, offset] = [matrix[c * n + c], matrix[c * n + channels]];
    for (let p = c; p < data.length; p += channels) to[p] = settle(data[p] * factor + offset);
  }
}

/** Looks up every value; floats are rounded to bytes first. */
export function applyTables(from: Picture, to: Picture['data'], tables: Tables): void {
  const { data, channels } = from;
  const bytes = data instanceof Uint8Array;
  for (let c = 0; c < channels; c++) {
    const table = tables[c];
    for (let p = c; p < data.length; p += channels) to[p] = table[bytes ? data[p] : toByte(data[p])];
  }
}

/** The mean luma of a picture; of one without colour, the mean value. */
export function meanGrey({ data, channels }: Picture): number {
  const sums = Array<number>(channels).fill(0);
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let p = c; p < data.length; p += channels) sum += data[p];
    sums[c] = sum;
  }
  const weights = channels === 3 ? LUMA : sums.map(() => 1 / channels);
  return sums.reduce((total, sum, c) => total + sum * weights[c], 0) / (data.length / channels);
}

function clamp(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function diagonal(channels: number, factor: number, offset: number): ColorMatrix {
  const matrix = Array<number>(channels * (channels + 1)).fill(0);
  for (let c = 0; c < channels; c++) {
    matrix[c * (channels + 1) + c] = factor;
    matrix[c * (channels + 1) + channels] = offset;
  }
  return matrix;
}

function withoutColor(channels: number): ColorMatrix {
  if (channels !== 1) {
    throw new DataError(`saturation, hue and grey need pictures of 1 or 3 channels, received ${channels}`);
  }
  return [1, 0];
}

const TO_YIQ = [...LUMA, 0.595716, -0.274453, -0.321263, 0.211456, -0.522591, 0.311135];
const FROM_YIQ = inverse(TO_YIQ);

/** Of 3×3 matrices. */
function multiply(a: readonly number[], b: readonly number[]): number[] {
  return a.map((_, at) => {
    const [i, j] = [3 * Math.floor(at / 3), at % 3];
    return a[i] * b[j] + a[i + 1] * b[3 + j] + a[i + 2] * b[6 + j];
  });
}

function inverse([a, b, c, d, e, f, g, h, i]: readonly number[]): number[] {
  const cofactors = [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ];
  const determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0];
  return cofactors.flat().map((value) => value / determinant);
}
