/** The last pass over a picture: the colour changes that are still due, then (value / 255 − mean) / std.
 *  Bytes are looked up rather than divided; every value is rounded to float32 once. */
import type { Colors } from '../augment/canvas.ts';
import type { ColorMatrix, Tables } from '../augment/color.ts';
import { applyMatrix, applyTables, tablesOf, toByte } from '../augment/color.ts';
import type { Picture } from '../augment/transform.ts';
import type { Normalization } from './dataset.ts';
import { DataError } from './errors.ts';

/** Writes a picture, normalised, to `out` from `offset` on. */
export type Normalize = (picture: Picture, colors: Colors | undefined, out: Float32Array, offset: number) => void;

/** @throws DataError for a normalisation of another number of channels, or one that divides by 0 */
export function prepareNormalization(normalize: Normalization, channels: number): Normalize {
  const { mean, std } = normalize;
  if (mean.length !== channels || std.length !== channels) {
    throw new DataError(
      `normalize needs a mean and a std for each of ${channels} channel(s), received ${mean.length} and ${std.length}`,
    );
  }
  if (![...mean, ...std].every(Number.isFinite) || std.some((value) => value <= 0)) {
    throw new DataError(
      `normalize needs finite means and positive stds, received mean ${mean.join(', ')} and std ${std.join(', ')}`,
    );
  }
  const plain = mean.map((m, c) => Float32Array.from({ length: 256 }, (_, value) => (value / 255 - m) / std[c]));
  return (picture, colors, out, offset) => {
    const { data } = picture;
    if (!(data instanceof Uint8Array)) {
      const values = colors === undefined ? data : recolored(picture, colors);
      for (let c = 0; c < channels; c++) {
        for (let i = c; i < data.length; i += channels) out[offset + i] = (values[i] / 255 - mean[c]) / std[c];
      }
    } else if (colors === undefined) {
      lookUp(data, plain, out, offset);
    } else {
      const tables = colors.kind === 'table' ? colors.tables : tablesOf(colors.matrix, channels);
      if (tables !== undefined) lookUp(data, joined(tables, plain), out, offset);
      else if (colors.kind === 'color') mixChannels(data, colors.matrix, plain, out, offset);
    }
  };
}

function lookUp(data: Uint8Array, tables: readonly Float32Array[], out: Float32Array, offset: number): void {
  if (tables.length === 3) {
    const [red, green, blue] = tables;
    for (let i = 0; i < data.length; i += 3, offset += 3) {
      out[offset] = red[data[i]];
      out[offset + 1] = green[data[i + 1]];
      out[offset + 2] = blue[data[i + 2]];
    }
    return;
  }
  const channels = tables.length;
  for (let c = 0; c < channels; c++) {
    const table = tables[c];
    for (let i = c; i < data.length; i += channels) out[offset + i] = table[data[i]];
  }
}

/** A matrix of three channels, rounded to bytes in between, as a picture of bytes would be. */
function mixChannels(
  data: Uint8Array,
  matrix: ColorMatrix,
  [reds, greens, blues]: readonly Float32Array[],
  out: Float32Array,
  offset: number,
): void {
  const [a, b, c, d, e, f, g, h, i, j, k, l] = matrix;
  for (let p = 0; p < data.length; p += 3, offset += 3) {
    const red = data[p];
    const green = data[p + 1];
    const blue = data[p + 2];
    out[offset] = reds[toByte(a * red + b * green + c * blue + d)];
    out[offset + 1] = greens[toByte(e * red + f * green + g * blue + h)];
    out[offset + 2] = blues[toByte(i * red + j * green + k * blue + l)];
  }
}

function joined(bytes: Tables, floats: readonly Float32Array[]): Float32Array[] {
  return bytes.map((table, c) => {
    const values = floats[c];
    const out = new Float32Array(256);
    for (let i = 0; i < 256; i++) out[i] = values[table[i]];
    return out;
  });
}

function recolored(picture: Picture, colors: Colors): Float32Array {
  const out = new Float32Array(picture.data.length);
  if (colors.kind === 'color') applyMatrix(picture, out, colors.matrix);
  else applyTables(picture, out, colors.tables);
  return out;
}
