/** Keras's `standardize`: what ImageDataGenerator does to every picture alike, after the random changes.
 *  In Keras's order: own function, rescale, sample-wise, feature-wise; whitening comes last (whiten.ts). */
import type { ImageShape } from '../data/dataset.ts';
import { DataError } from '../data/errors.ts';
import type { GeneratorSettings } from './options.ts';

/** What `fit` learnt: per channel, after everything that comes before the feature-wise step. */
export interface FeatureStatistics {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Keras adds it to every standard deviation that it divides by. */
export const STD_EPSILON = 1e-6;

/** The steps before the feature-wise one, in place, on one picture of `shape`. */
export function standardizeSample(image: Float32Array, shape: ImageShape, settings: GeneratorSettings): void {
  const { preprocessingFunction, rescale, samplewiseCenter, samplewiseStdNormalization } = settings;
  if (preprocessingFunction !== undefined) {
    const result = preprocessingFunction(image, shape);
    if (!(result instanceof Float32Array) || result.length !== image.length) {
      const found = result instanceof Float32Array ? `${result.length} of them` : typeof result;
      throw new DataError(
        `preprocessingFunction must return a Float32Array of ${image.length} values (${shape.join(' x ')}), received ${found}`,
      );
    }
    if (result !== image) image.set(result);
  }
  if (rescale !== undefined) for (let i = 0; i < image.length; i++) image[i] *= rescale;
  if (!samplewiseCenter) return;
  const mean = meanOf(image);
  for (let i = 0; i < image.length; i++) image[i] -= mean;
  if (!samplewiseStdNormalization) return;
  const scale = stdOf(image) + STD_EPSILON;
  for (let i = 0; i < image.length; i++) image[i] /= scale;
}

/** The feature-wise step, in place, on any number of pictures. */
export function standardizeFeatures(
  images: Float32Array,
  channels: number,
  { mean, std }: FeatureStatistics,
  settings: GeneratorSettings,
): void {
  if (!settings.featurewiseCenter) return;
  for (let c = 0; c < channels; c++) {
    for (let i = c; i < images.length; i += channels) images[i] -= mean[c];
    if (!settings.featurewiseStdNormalization) continue;
    const scale = std[c] + STD_EPSILON;
    for (let i = c; i < images.length; i += channels) images[i] /= scale;
  }
}

/** Mean and (population) standard deviation of each channel over all pictures. */
export function featureStatistics(images: Float32Array, channels: number): FeatureStatistics {
  const each = Array.from({ length: channels }, (_, c) => images.filter((_, i) => i % channels === c));
  return { mean: each.map(meanOf), std: each.map(stdOf) };
}

function meanOf(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

function stdOf(values: Float32Array): number {
  const mean = meanOf(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] - mean) ** 2;
  return Math.sqrt(sum / values.length);
}
