/** Test-time augmentation: a few views of each image, whose predictions are averaged.
 *  Flip and one-pixel translations, weighted, are those of "94% on CIFAR-10 in 3.29 seconds" (Jordan, 2024). */
import { DataError } from '../data/errors.ts';
import { compose, identity, mirrorColumns, type Size, translate } from './affine.ts';
import { move } from './move.ts';

export interface TestTimeAugmentation {
  /** Also looks at the mirror image. Default false. */
  readonly flip?: boolean;
  /** Also looks at two views moved by this many pixels, up and left, down and right. Default 0: none. */
  readonly translate?: number;
  /** What is averaged: the network's raw outputs, or the probabilities made of them. Default `logits`. */
  readonly average?: 'logits' | 'probabilities';
}

/** One look at every image of a batch. */
export interface View {
  readonly images: Float32Array;
  /** The weights of all views sum to 1. */
  readonly weight: number;
}

/**
 * The views, one after the other; the first is the images themselves. The moved ones weigh a quarter each and the
 * others half together; their edges are mirrored.
 *
 * @param images NHWC, normalised or not
 * @throws DataError for a translation that is not a whole number from 0 up to less than the image's size
 */
export function* testTimeViews(
  images: Float32Array,
  [height, width, channels]: readonly [number, number, number],
  { flip = false, translate: pixels = 0 }: TestTimeAugmentation,
): Generator<View, void, undefined> {
  if (!Number.isInteger(pixels) || pixels < 0 || pixels >= Math.min(height, width)) {
    throw new DataError(
      `tta: translate must be a whole number of pixels from 0 to ${Math.min(height, width) - 1}, received ${pixels}`,
    );
  }
  const size: Size = { height, width };
  const edge = { fillMode: 'mirror', cval: Array<number>(channels).fill(0) } as const;
  const mirrors = flip ? [identity, mirrorColumns(size)] : [identity];
  const shifts = pixels === 0 ? [0] : [0, -pixels, pixels];
  for (const shift of shifts) {
    for (const mirror of mirrors) {
      const weight = (pixels === 0 ? 1 : shift === 0 ? 0.5 : 0.25) / mirrors.length;
      const matrix = compose(translate(shift, shift), mirror);
      if (shift === 0 && mirror === identity) yield { images, weight };
      else {
        const length = height * width * channels;
        const seen = new Float32Array(images.length);
        for (let at = 0; at < images.length; at += length) {
          const data = images.subarray(at, at + length);
          seen.set(move({ data, height, width, channels }, size, matrix, edge).data, at);
        }
        yield { images: seen, weight };
      }
    }
  }
}
