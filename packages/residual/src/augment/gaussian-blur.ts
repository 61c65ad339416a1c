/** Gaussian blur of a random width, along rows and then along columns.
 *  From SimCLR (Chen et al., 2020): probability ½ and a sigma from 0.1 to 2 pixels. */
import { between, range } from './limits.ts';
import { blank, type Picture, type Plan } from './transform.ts';
import { placeOf } from './warp.ts';

export interface GaussianBlur {
  readonly name: 'gaussianBlur';
  readonly sigma: readonly [least: number, most: number];
  readonly probability: number;
}

/**
 * @param options.sigma the standard deviation in pixels, drawn evenly. Default 0.1 to 2
 * @param options.probability that a picture is blurred. Default 0.5
 * @throws DataError for values out of range
 */
export function gaussianBlur(
  options: { readonly sigma?: readonly [number, number]; readonly probability?: number } = {},
): GaussianBlur {
  const { sigma = [0.1, 2], probability = 0.5 } = options;
  return {
    name: 'gaussianBlur',
    sigma: range('gaussianBlur', 'sigma', sigma, 0.01, 100),
    probability: between('gaussianBlur', 'probability', probability, 0, 1),
  };
}

export function planGaussianBlur({ sigma, probability }: GaussianBlur): Plan {
  return (_, random) => {
    if (!random.boolean(probability)) return [];
    const width = random.uniform(...sigma);
    return [{ kind: 'redraw', redraw: (picture) => blur(picture, width) }];
  };
}

/** Edges are mirrored; the kernel reaches to three sigmas. */
export function blur(picture: Picture, sigma: number): Picture {
  const reach = Math.max(1, Math.ceil(3 * sigma));
  const kernel = Float32Array.from({ length: reach + 1 }, (_, i) => Math.exp(-(i * i) / (2 * sigma * sigma)));
  const sum = kernel.reduce((total, weight, i) => total + (i === 0 ? 1 : 2) * weight, 0);
  const weights = kernel.map((weight) => weight / sum);
  const { height, width, channels } = picture;
  const line = width * channels;
  const place = placeOf('mirror');

  // Each row is laid out with its margins first, so that the inner loops need not ask for the edge.
  const wide = new Float32Array((width + 2 * reach) * channels);
  const across = new Float32Array(height * line);
  for (let y = 0; y < height; y++) {
    for (let x = -reach; x < width + reach; x++) {
      const from = y * line + (x < 0 || x >= width ? place(x, width) : x) * channels;
      for (let c = 0; c < channels; c++) wide[(x + reach) * channels + c] = picture.data[from + c];
    }
    const row = across.subarray(y * line, (y + 1) * line);
    const middle = reach * channels;
    for (let i = 0; i < line; i++) row[i] = weights[0] * wide[middle + i];
    for (let k = 1; k <= reach; k++) {
      const weight = weights[k];
      const [before, after] = [middle - k * channels, middle + k * channels];
      for (let i = 0; i < line; i++) row[i] += weight * (wide[before + i] + wide[after + i]);
    }
  }
  const out = blank(picture, height, width);
  const sums = new Float32Array(line);
  const round = out.data instanceof Uint8Array ? 0.5 : 0;
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < line; i++) sums[i] = round + weights[0] * across[y * line + i];
    for (let k = 1; k <= reach; k++) {
      const weight = weights[k];
      const [above, below] = [place(y - k, height) * line, place(y + k, height) * line];
      for (let i = 0; i < line; i++) sums[i] += weight * (across[above + i] + across[below + i]);
    }
    out.data.set(sums, y * line);
  }
  return out;
}
