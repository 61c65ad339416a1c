/** The one affine warp behind every geometric augmentation: each output pixel looks up its place in the input.
 *  Boundaries as scipy.ndimage.affine_transform has them, on pictures of bytes or floats. */
import { DataError } from '../data/errors.ts';
import type { Affine, Size } from './affine.ts';
import type { Picture } from './transform.ts';
import { blank } from './transform.ts';

export type { Affine, Size } from './affine.ts';
export {
  aboutCentre,
  compose,
  identity,
  mirrorColumns,
  mirrorRows,
  rotate,
  shear,
  translate,
  zoom,
} from './affine.ts';

/** What lies beyond the edges: `nearest` aaaa|abcd|dddd, `reflect` dcba|abcd|dcba, `wrap` abcd|abcd|abcd, `constant`. */
export type FillMode = 'nearest' | 'reflect' | 'wrap' | 'constant';

/** Also `mirror` dcb|abcd|cba, which does not repeat the edge. */
export type Boundary = FillMode | 'mirror';

export const fillModes: readonly FillMode[] = ['nearest', 'reflect', 'wrap', 'constant'];

export interface WarpOptions {
  /** Default `nearest`. */
  readonly fillMode?: Boundary;
  /** The value of `constant`, on the picture's scale, for all channels or each. Default 0. */
  readonly cval?: number | readonly number[];
  /** Default `bilinear`. */
  readonly interpolation?: 'nearest' | 'bilinear';
}

/** Coordinates this near to a grid point are on it: what is left of a rotation's rounding must not cost an edge. */
const ROUNDING = 1e-6;

/**
 * A picture seen through an affine map.
 *
 * `constant` is scipy's: a place outside of the outermost pixel centres is `cval` whole, with no interpolation towards
 * the edge. `wrap` has the picture's own size as its period (scipy's `grid-wrap`, Keras's abcd|abcd|abcd; scipy's `wrap`
 * leaves a pixel out). Whole-number interpolation takes halves upward. Bytes are rounded to the nearest.
 *
 * @param size of the output in pixels
 * @param matrix from output to input
 * @throws DataError for an unknown mode, an output without pixels, or a matrix or cval that is not finite
 */
export function warp(picture: Picture, size: Size, matrix: Affine, options: WarpOptions = {}): Picture {
  const { fillMode = 'nearest', cval = 0, interpolation = 'bilinear' } = options;
  const { channels } = picture;
  const fill = typeof cval === 'number' ? Array<number>(channels).fill(cval) : cval;
  check(size, matrix, fillMode, fill, interpolation, channels);
  const out = blank(picture, size.height, size.width);
  const sampler = { picture, out, matrix, fill, place: placeOf(fillMode) };
  if (interpolation === 'nearest') warpNearest(sampler);
  else warpBilinear(sampler);
  return out;
}

/** Where an index beyond the edge of `size` pixels really lies; −1: nowhere. */
export type Place = (index: number, size: number) => number;

/** The rule of a boundary. */
export function placeOf(boundary: Boundary): Place {
  return places[boundary];
}

const places: { readonly [B in Boundary]: Place } = {
  nearest: (index, size) => Math.max(0, Math.min(size - 1, index)),
  reflect: (index, size) => {
    const at = remainder(index, 2 * size);
    return at < size ? at : 2 * size - 1 - at;
  },
  mirror: (index, size) => {
    if (size === 1) return 0;
    const at = remainder(index, 2 * size - 2);
    return at < size ? at : 2 * size - 2 - at;
  },
  wrap: remainder,
  constant: (index, size) => (index < 0 || index >= size ? -1 : index),
};

function remainder(index: number, size: number): number {
  return ((index % size) + size) % size;
}

interface Sampler {
  readonly picture: Picture;
  readonly out: Picture;
  readonly matrix: Affine;
  readonly fill: readonly number[];
  readonly place: Place;
}

function warpNearest({ picture, out, matrix, fill, place }: Sampler): void {
  const [a, b, c, d, e, f] = matrix;
  const { data, height, width, channels } = picture;
  const values = out.data;
  const half = 0.5 + ROUNDING;
  let to = 0;
  for (let y = 0; y < out.height; y++) {
    for (let x = 0; x < out.width; x++, to += channels) {
      const iy = a * y + b * x + c;
      const ix = d * y + e * x + f;
      let row = Math.floor(iy + half);
      let column = Math.floor(ix + half);
      if (row < 0 || row >= height || column < 0 || column >= width || place === places.constant) {
        // Constant asks where the place is, not where its nearest pixel is.
        const outside =
          place === places.constant &&
          (iy < -ROUNDING || iy > height - 1 + ROUNDING || ix < -ROUNDING || ix > width - 1 + ROUNDING);
        if (outside) {
          for (let k = 0; k < channels; k++) values[to + k] = fill[k];
          continue;
        }
        row = place(row, height);
        column = place(column, width);
      }
      const from = (row * width + column) * channels;
      for (let k = 0; k < channels; k++) values[to + k] = data[from + k];
    }
  }
}

function warpBilinear({ picture, out, matrix, fill, place }: Sampler): void {
  const [a, b, c, d, e, f] = matrix;
  const { data, height, width, channels } = picture;
  const values = out.data;
  const constant = place === places.constant;
  const round = values instanceof Uint8Array ? 0.5 : 0; // a byte array drops what is behind the point
  const line = width * channels;
  let to = 0;
  for (let y = 0; y < out.height; y++) {
    for (let x = 0; x < out.width; x++, to += channels) {
      let iy = a * y + b * x + c;
      let ix = d * y + e * x + f;
      let p00: number;
      let right: number;
      let below: number;
      let fy: number;
      let fx: number;
      if (iy >= 0 && ix >= 0 && iy < height - 1 && ix < width - 1) {
        const row = iy | 0;
        const column = ix | 0;
        fy = iy - row;
        fx = ix - column;
        p00 = row * line + column * channels;
        right = p00 + channels;
        below = line;
      } else {
        if (constant) {
          if (iy < -ROUNDING || iy > height - 1 + ROUNDING || ix < -ROUNDING || ix > width - 1 + ROUNDING) {
            for (let k = 0; k < channels; k++) values[to + k] = fill[k] + round;
            continue;
          }
          iy = Math.max(0, Math.min(height - 1, iy));
          ix = Math.max(0, Math.min(width - 1, ix));
        }
        const row = Math.floor(iy);
        const column = Math.floor(ix);
        fy = iy - row;
        fx = ix - column;
        // At the last pixel itself the neighbour has no weight: any pixel will do.
        const top = place(row, height);
        const bottom = constant ? Math.min(row + 1, height - 1) : place(row + 1, height);
        const left = place(column, width);
        const next = constant ? Math.min(column + 1, width - 1) : place(column + 1, width);
        p00 = top * line + left * channels;
        right = top * line + next * channels;
        below = (bottom - top) * line;
      }
      for (let k = 0; k < channels; k++) {
        const t0 = data[p00 + k];
        const t = t0 + (data[right + k] - t0) * fx;
        const b0 = data[p00 + below + k];
        const u = b0 + (data[right + below + k] - b0) * fx;
        values[to + k] = t + (u - t) * fy + round;
      }
    }
  }
}

function check(
  { height, width }: Size,
  matrix: Affine,
  fillMode: Boundary,
  fill: readonly number[],
  interpolation: string,
  channels: number,
): void {
  if (![height, width].every((n) => Number.isInteger(n) && n > 0)) {
    throw new DataError(`warp: height and width must be whole and positive, received ${height} x ${width}`);
  }
  if (matrix.length !== 6 || !matrix.every(Number.isFinite)) {
    throw new DataError(`warp: the matrix must be six finite numbers, received ${matrix.join(', ')}`);
  }
  if (!Object.hasOwn(places, fillMode)) {
    throw new DataError(`warp: fillMode must be one of ${fillModes.join(', ')}, received '${fillMode}'`);
  }
  if (fill.length !== channels || !fill.every(Number.isFinite)) {
    throw new DataError(`warp: cval must be a finite number, or one for each of ${channels}, received ${fill}`);
  }
  if (interpolation !== 'nearest' && interpolation !== 'bilinear') {
    throw new DataError(`warp: interpolation must be nearest or bilinear, received '${interpolation}'`);
  }
}
