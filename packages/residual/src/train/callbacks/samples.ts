/** The first training images as the network sees them, augmented and brought back to bytes: for event files and pages.
 *  They are made by the same code as batches, so that what is shown is what is learned. */

import { batches } from '../../data/batches.ts';
import type { Dataset } from '../../data/dataset.ts';
import type { Settings } from '../options.ts';
import type { SampleImages } from './callback.ts';

export async function sampleImages(
  dataset: Dataset,
  { options, normalize, seed }: Pick<Settings, 'options' | 'normalize' | 'seed'>,
  count: number,
): Promise<SampleImages> {
  const { transforms = [], workers = 1 } = options;
  const channels = dataset.imageShape[2];
  const { mean, std } = normalize;
  const request = { batchSize: Math.min(count, dataset.size), seed, shuffle: true, transforms, normalize, workers };
  for await (const { images, size } of batches(dataset, request)) {
    const pixels = Uint8ClampedArray.from(images, (value, i) => {
      const c = i % channels;
      return 255 * (value * (std[c] ?? 1) + (mean[c] ?? 0));
    });
    return { pixels: new Uint8Array(pixels.buffer), shape: dataset.imageShape, count: size };
  }
  return { pixels: new Uint8Array(0), shape: dataset.imageShape, count: 0 };
}
