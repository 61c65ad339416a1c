/** The last steps before the network: augmentation and normalisation of decoded pictures, sample by sample.
 *  Pure, so that a worker thread, a browser's worker and a test make the same bits. */
import { drawOn } from '../augment/augment.ts';
import { mixImages } from '../augment/mix.ts';
import { prepareTransforms } from '../augment/registry.ts';
import type { Picture, Transform } from '../augment/transform.ts';
import type { BatchRequest, ImageShape, ProducedBatch } from './dataset.ts';
import { DataError } from './errors.ts';
import { prepareNormalization } from './normalize.ts';
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
  const maker = new BatchMaker(shape, { ...request, indices: samples.requested });
  samples.indices.forEach((index, place) => {
    const data = samples.images.subarray(place * length, (place + 1) * length);
    maker.add(place, index, { data, height, width, channels });
  });
  return maker.finish();
}

/**
 * The short side of the pictures that a list of augmentations wants to begin with, in pixels; undefined for pictures of
 * the network's own size.
 */
export function decodeSizeOf([first]: readonly Transform[], [height, width]: ImageShape): number | undefined {
  return first?.name === 'randomResizedCrop' ? (first.decodeSize ?? 2 * Math.max(height, width)) : undefined;
}

/** One batch in the making. Pictures are added in any order, and each is finished at once. */
export class BatchMaker {
  private readonly shape: ImageShape;
  private readonly request: BatchRequest;
  private readonly images: Float32Array<ArrayBuffer>;
  private readonly indices: Int32Array<ArrayBuffer>;
  private readonly transforms: ReturnType<typeof prepareTransforms>;
  private readonly normalize: ReturnType<typeof prepareNormalization>;
  private readonly mean: readonly number[];
  private readonly epoch: Random;

  /** @throws DataError for unknown augmentations, or a normalisation for another number of channels */
  constructor(shape: ImageShape, request: BatchRequest) {
    this.shape = shape;
    this.request = request;
    this.images = new Float32Array(request.indices.length * this.length);
    this.indices = new Int32Array(request.indices.length).fill(-1);
    this.transforms = prepareTransforms(request.transforms);
    this.normalize = prepareNormalization(request.normalize, shape[2]);
    this.mean = request.normalize.mean.map((value) => value * 255);
    this.epoch = Random.at(request.seed, streams.augment, request.epoch);
  }

  /**
   * @param place in the batch
   * @param index of the sample that the picture shows, which stands in for the requested one where that is corrupt
   * @throws DataError where the augmentations leave another size than the data set's
   */
  add(place: number, index: number, picture: Picture): void {
    const [height, width, channels] = this.shape;
    const { seed, epoch, indices, transforms } = this.request;
    const requested = indices[place];
    const sample = { seed, epoch, index: requested, target: { height, width }, mean: this.mean };
    const drawn = drawOn(picture, this.transforms.plans, this.epoch.fork(requested), sample).finish();
    const made = drawn.picture;
    if (made.height !== height || made.width !== width || made.channels !== channels) {
      const names = transforms.map((t) => t.name).join(', ');
      throw new DataError(
        `the augmentations (${names}) must keep the size ${this.shape.join(' x ')}, they made ${made.height} x ${made.width} x ${made.channels}`,
      );
    }
    this.normalize(made, drawn.colors, this.images, place * this.length);
    this.indices[place] = index;
  }

  /** The batch without the places to which nothing was added. */
  finish(): ProducedBatch {
    const { images, indices } = withoutGaps(this.images, this.indices, this.length);
    const { mixers } = this.transforms;
    if (mixers.length === 0 || indices.length === 0) return { images, indices };
    const [height, width] = this.shape;
    // The first sample that was asked for names the batch: no other of this epoch begins with it.
    const random = Random.at(this.request.seed, streams.mix, this.request.epoch, this.request.indices[0]);
    const mixture = mixImages(mixers, images, indices.length, { height, width }, random);
    return { images, indices, mixture };
  }

  private get length(): number {
    return this.shape[0] * this.shape[1] * this.shape[2];
  }
}

/** Closes the gaps. */
function withoutGaps(images: Float32Array<ArrayBuffer>, indices: Int32Array<ArrayBuffer>, length: number) {
  if (!indices.includes(-1)) return { images, indices };
  const there = Array.from(indices.keys()).filter((i) => indices[i] >= 0);
  there.forEach((from, to) => {
    images.copyWithin(to * length, from * length, (from + 1) * length);
  });
  return { images: images.slice(0, there.length * length), indices: Int32Array.from(there, (i) => indices[i]) };
}
