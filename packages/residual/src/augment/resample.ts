/** Scaling a picture down without aliasing: a triangle filter as wide as what an output pixel covers, along each axis.
 *  What Pillow and torchvision (`antialias`) call bilinear; where a picture gets larger, it is plain bilinear. */
import type { Affine, Size } from './affine.ts';
import { compose } from './affine.ts';
import { blank, type Edge, type Picture } from './transform.ts';
import { placeOf, warp } from './warp.ts';

/** A chain of maps may shrink a turned picture by this much before it is scaled down first. */
const TOLERATED = 1.25;

/**
 * A warp that averages over what each output pixel covers. Without rotation it is one filter along rows and one along
 * columns; otherwise a picture that gets much smaller is scaled down before it is warped.
 */
export function warpSmooth(picture: Picture, size: Size, matrix: Affine, edge: Edge): Picture {
  const [a, b, , d, e] = matrix;
  if (b === 0 && d === 0) {
    if (Math.abs(a) <= 1 && Math.abs(e) <= 1) return warp(picture, size, matrix, edge);
    return scale(picture, size, matrix, edge);
  }
  const rows = Math.max(1, Math.hypot(a, d));
  const columns = Math.max(1, Math.hypot(b, e));
  if (Math.max(rows, columns) <= TOLERATED) return warp(picture, size, matrix, edge);
  const smaller = { height: Math.ceil(picture.height / rows), width: Math.ceil(picture.width / columns) };
  // Pixel edges, not centres, keep their places when a picture is scaled.
  const down: Affine = [rows, 0, rows / 2 - 0.5, 0, columns, columns / 2 - 0.5];
  const up: Affine = [1 / rows, 0, 0.5 / rows - 0.5, 0, 1 / columns, 0.5 / columns - 0.5];
  return warp(scale(picture, smaller, down, edge), size, compose(up, matrix), edge);
}

function scale(picture: Picture, size: Size, [a, , c, , e, f]: Affine, edge: Edge): Picture {
  const { data, height, width, channels } = picture;
  const columns = taps(size.width, e, f, width, edge);
  const rows = taps(size.height, a, c, height, edge);
  const line = size.width * channels;
  const used = rows.places.filter((at) => at >= 0);
  const first = used.reduce((low, at) => Math.min(low, at), height);
  const last = used.reduce((high, at) => Math.max(high, at), -1);
  const narrow = new Float32Array(Math.max(0, last - first + 1) * line);
  for (let y = first; y <= last; y++) {
    const from = y * width * channels;
    let to = (y - first) * line;
    for (let x = 0, t = 0; x < size.width; x++, t += columns.count, to += channels) {
      for (let k = 0; k < columns.count; k++) {
        const weight = columns.weights[t + k];
        const at = columns.places[t + k];
        if (weight === 0) continue;
        const source = from + at * channels;
        if (channels === 3 && at >= 0) {
          narrow[to] += weight * data[source];
          narrow[to + 1] += weight * data[source + 1];
          narrow[to + 2] += weight * data[source + 2];
        } else {
          for (let i = 0; i < channels; i++) narrow[to + i] += weight * (at < 0 ? edge.cval[i] : data[source + i]);
        }
      }
    }
  }
  const out = blank(picture, size.height, size.width);
  const sums = new Float32Array(line);
  const round = out.data instanceof Uint8Array ? 0.5 : 0;
  for (let y = 0; y < size.height; y++) {
    sums.fill(round);
    for (let k = 0; k < rows.count; k++) {
      const weight = rows.weights[y * rows.count + k];
      const at = rows.places[y * rows.count + k];
      if (weight === 0) continue;
      if (at < 0) for (let i = 0; i < line; i++) sums[i] += weight * edge.cval[i % channels];
      else {
        const from = (at - first) * line;
        for (let i = 0; i < line; i++) sums[i] += weight * narrow[from + i];
      }
    }
    out.data.set(sums, y * line);
  }
  return out;
}

/** For each output place along one axis, `count` input places (−1: beyond) and weights that sum to 1. */
function taps(size: number, step: number, start: number, inputs: number, { fillMode }: Edge) {
  const reach = Math.max(1, Math.abs(step));
  const count = Math.ceil(2 * reach) + 1;
  const place = placeOf(fillMode);
  const places = new Int32Array(size * count);
  const weights = new Float32Array(size * count);
  for (let i = 0; i < size; i++) {
    const centre = step * i + start;
    const low = Math.ceil(centre - reach);
    let sum = 0;
    for (let k = 0; k < count; k++) sum += Math.max(0, 1 - Math.abs(low + k - centre) / reach);
    for (let k = 0; k < count; k++) {
      places[i * count + k] = place(low + k, inputs);
      weights[i * count + k] = Math.max(0, 1 - Math.abs(low + k - centre) / reach) / sum;
    }
  }
  return { places, weights, count };
}
