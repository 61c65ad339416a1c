/** A data set of pixels that are in memory already: pictures of a page's own, or arrays that a program has made. */
import type { Dataset, ImageShape, SkippedFile } from './dataset.ts';
import { DataError } from './errors.ts';

export interface ArrayDatasetOptions {
  /** For people. Default `arrays`. */
  readonly name?: string;
  /** Bytes 0–255, NHWC: size × height × width × channels. Not copied. */
  readonly images: Uint8Array;
  /** The class of each image, 0 to classes − 1. */
  readonly labels: ArrayLike<number>;
  readonly classes: readonly string[];
  readonly imageShape: ImageShape;
}

/**
 * Makes a data set of arrays. Runs anywhere.
 *
 * @throws DataError where the numbers of images, labels and classes do not fit
 * @example
 * const shapes = arrayDataset({ images, labels, classes: ['circle', 'square'], imageShape: [32, 32, 3] });
 * await train(model, { ...shapes, train: shapes }, { epochs: 10 });
 */
export function arrayDataset(options: ArrayDatasetOptions): Dataset {
  const { name = 'arrays', images, classes, imageShape } = options;
  const labels = Int32Array.from(options.labels);
  const length = imageShape.reduce((a, b) => a * b, 1);
  if (!(length > 0) || images.length !== labels.length * length) {
    throw new DataError(
      `${name}: ${labels.length} labels and images of ${imageShape.join('×')} make ${labels.length * length} bytes, received ${images.length}`,
    );
  }
  const wrong = labels.find((label) => label < 0 || label >= classes.length);
  if (wrong !== undefined) {
    throw new DataError(
      `${name}: labels must be from 0 to ${classes.length - 1} (${classes.length} classes), received ${wrong}`,
    );
  }
  const skipped: SkippedFile[] = [];
  return {
    name,
    classes,
    size: labels.length,
    imageShape,
    labels,
    skipped,
    async read(wanted) {
      const indices = Int32Array.from(wanted);
      const bytes = new Uint8Array(indices.length * length);
      indices.forEach((index, i) => {
        if (index < 0 || index >= labels.length)
          throw new DataError(`${name} has samples 0 to ${labels.length - 1}, asked for ${index}`);
        bytes.set(images.subarray(index * length, (index + 1) * length), i * length);
      });
      return { images: bytes, indices };
    },
    async close() {},
  };
}
