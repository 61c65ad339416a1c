/** Makes the pictures of a batch smaller or larger, with antialiasing, after normalisation.
 *  Resampling is linear and its weights sum to 1, so it may come after normalisation as well as before. */

/** Which inputs an output reads, and how much of each. */
interface Taps {
  readonly start: Int32Array;
  readonly count: Int32Array;
  /** `most` weights for each output, of which the first `count` are used. */
  readonly weights: Float32Array;
  readonly most: number;
}

/**
 * Pictures, `size` × height × width × channels, brought to another height and width by a triangle filter as wide as the
 * scale: where a picture gets smaller every pixel counts (as PIL's and tf.image's bilinear with antialias), where it
 * gets larger this is bilinear interpolation with pixel centres at halves.
 */
export function resizeBatch(
  images: Float32Array,
  size: number,
  [height, width, channels]: readonly [height: number, width: number, channels: number],
  [toHeight, toWidth]: readonly [height: number, width: number],
): Float32Array<ArrayBuffer> {
  const down = tapsOf(height, toHeight);
  const across = tapsOf(width, toWidth);
  const out = new Float32Array(size * toHeight * toWidth * channels);
  const row = width * channels;
  const toRow = toWidth * channels;
  const line = new Float32Array(row);
  for (let i = 0; i < size; i++) {
    for (let y = 0; y < toHeight; y++) {
      // One row of the result from the rows that it reads, then its columns.
      line.fill(0);
      for (let k = 0; k < down.count[y]; k++) {
        const weight = down.weights[y * down.most + k];
        const from = (i * height + down.start[y] + k) * row;
        for (let x = 0; x < row; x++) line[x] += weight * images[from + x];
      }
      const to = (i * toHeight + y) * toRow;
      for (let x = 0; x < toWidth; x++) {
        const first = across.start[x] * channels;
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          for (let k = 0; k < across.count[x]; k++) {
            sum += across.weights[x * across.most + k] * line[first + k * channels + c];
          }
          out[to + x * channels + c] = sum;
        }
      }
    }
  }
  return out;
}

function tapsOf(from: number, to: number): Taps {
  const scale = from / to;
  const radius = Math.max(1, scale);
  const most = 2 * Math.ceil(radius) + 1;
  const start = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Float32Array(to * most);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale - 0.5;
    const first = Math.max(0, Math.ceil(centre - radius));
    const last = Math.min(from - 1, Math.floor(centre + radius));
    const raw = Array.from({ length: last - first + 1 }, (_, k) => 1 - Math.abs(first + k - centre) / radius);
    const sum = raw.reduce((a, b) => a + b, 0);
    start[i] = first;
    count[i] = raw.length;
    for (let k = 0; k < raw.length; k++) weights[i * most + k] = raw[k] / sum;
  }
  return { start, count, weights, most };
}
