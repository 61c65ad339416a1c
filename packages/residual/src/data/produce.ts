/** The last steps before the network: augmentation and normalisation of decoded bytes, sample by sample.
 *  Pure, so that a worker thread, a browser's worker and a test make the same bits. */
import { prepareTransforms } from '../augment/registry.ts';
import type { Picture } from '../augment/transform.ts';
import type { BatchRequest, ImageShape, Normalization, ProducedBatch } from './dataset.ts';
import { DataError } from './errors.ts';
import { Random, streams } from './random.ts';

/** Samples as `Dataset.read` gives them, with the sample that was asked for in each place. */
export interface DecodedSamples {
  /** Bytes 0–255, NHWC; floats, on any scale, where pictures come from memory. */
  readonly images: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  readonly indices: Int32Array;
  /** Addresses the random numbers, so that a corrupt file changes nothing but its own place. */
  readonly requested: Int32Array;
}

/**
 * Augments and normalises.
 *
 * @throws DataError for unknown augmentations, a normalisation for another number of channels, or augmentations that
 *   leave another size than the data set's
 */
export function finishBatch(samples: DecodedSamples, shape: ImageShape, request: BatchRequest): ProducedBatch {
  const [height, width, channels] = shape;
  const length = height * width * channels;
  const images = new Float32Array(samples.indices.length * length);
  const normalize = prepareNormalization(request.normalize, channels);
  const apply = prepareTransforms(request.transforms);
  const epoch = Random.at(request.seed, streams.augment, request.epoch);
  for (let i = 0; i < samples.indices.length; i++) {
    const data = samples.images.subarray(i * length, (i + 1) * length);
    const picture = apply({ data, height, width, channels }, epoch.fork(samples.requested[i]));
    if (picture.height !== height || picture.width !== width || picture.channels !== channels) {
      const names = request.transforms.map((t) => t.name).join(', ');
      throw new DataError(
        `the augmentations (${names}) must keep the size ${shape.join(' x ')}, they made ${picture.height} x ${picture.width} x ${picture.channels}`,
      );
    }
    normalize(picture, images, i * length);
  }
  return { images, indices: samples.indices };
}

/** Writes (value / 255 − mean) / std, rounded to float32 once, whether the picture holds bytes or floats. */
function prepareNormalization(normalize: Normalization, channels: number) {
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
  // A byte has 256 values: looked up rather than divided.
  const tables = mean.map((m, c) => Float32Array.from({ length: 256 }, (_, value) => (value / 255 - m) / std[c]));
  return ({ data }: Picture, out: Float32Array, offset: number): void => {
    for (let c = 0; c < channels; c++) {
      if (data instanceof Uint8Array) {
        const table = tables[c];
        for (let i = c; i < data.length; i += channels) out[offset + i] = table[data[i]];
      } else {
        for (let i = c; i < data.length; i += channels) out[offset + i] = (data[i] / 255 - mean[c]) / std[c];
      }
    }
  };
}
