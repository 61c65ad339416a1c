/** Mean and standard deviation of a data set's pixels, for normalisation.
 *  Counted in histograms of the 256 byte values, so the result is exact and does not depend on the order. */
import type { Dataset, Normalization } from './dataset.ts';
import { Random, streams } from './random.ts';

/** Values that are looked at unless `sample` says otherwise: all of CIFAR's training set fits, and 664 images of 224. */
const VALUES = 1e8;
const CHUNK_BYTES = 16e6;

/**
 * Per-channel statistics on the scale 0–1, over all pixels of all images (as in torchvision's recipes, not the mean of
 * the images' own deviations). A channel that never varies gets std 1, so that dividing by it is harmless.
 *
 * @param options.sample how many images, drawn with `seed`. Default: all, or as many as have 100 million values
 *   (but at least 500)
 */
export async function meanAndStd(
  dataset: Dataset,
  options: { readonly sample?: number; readonly seed?: number } = {},
): Promise<Normalization> {
  const channels = dataset.imageShape[2];
  const length = dataset.imageShape.reduce((a, b) => a * b, 1);
  const { sample = Math.max(500, Math.floor(VALUES / length)), seed = 0 } = options;
  const order = Int32Array.from({ length: dataset.size }, (_, i) => i);
  if (sample < order.length) Random.at(seed, streams.statistics).shuffle(order);
  const indices = order.subarray(0, sample).sort();
  const counts = Array.from({ length: channels }, () => new Float64Array(256));
  const chunk = Math.max(1, Math.floor(CHUNK_BYTES / length));
  for (let start = 0; start < indices.length; start += chunk) {
    const { images } = await dataset.read(indices.subarray(start, start + chunk));
    for (let c = 0; c < channels; c++) {
      const histogram = counts[c];
      for (let i = c; i < images.length; i += channels) histogram[images[i]]++;
    }
  }
  const moments = counts.map(momentsOf);
  return { mean: moments.map(([mean]) => mean), std: moments.map(([, std]) => std) };
}

function momentsOf(histogram: Float64Array): [mean: number, std: number] {
  const n = histogram.reduce((a, b) => a + b, 0);
  if (n === 0) return [0, 1];
  const mean = histogram.reduce((sum, count, value) => sum + count * value, 0) / n;
  const variance = histogram.reduce((sum, count, value) => sum + count * (value - mean) ** 2, 0) / n;
  return [mean / 255, variance > 0 ? Math.sqrt(variance) / 255 : 1];
}
