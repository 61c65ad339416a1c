/** Mixing the finished images of a batch in pairs, and saying how much of each label is left.
 *  Place i goes with place n − 1 − i: a shuffled batch makes that as random as any other, and needs no second copy. */
import type { Random } from '../data/random.ts';
import type { Size } from './affine.ts';

/** What became of a batch's images. */
export interface Mixture {
  /** For each place, the place whose image was mixed in; its own where none was. */
  readonly partners: Int32Array<ArrayBuffer>;
  /** For each place, the part of its own image that is left, 0 to 1. */
  readonly shares: Float32Array<ArrayBuffer>;
}

/** Mixes two images, in place, each with the other as it was. Returns the shares that they keep. */
export type MixPair = (
  first: Float32Array,
  second: Float32Array,
  size: Size,
  random: Random,
) => readonly [first: number, second: number];

/**
 * Mixes a batch in place.
 *
 * @param mixers one of which is drawn for the whole batch, each with its probability of doing anything
 * @param images NHWC, `size` of the images
 * @param random the batch's own
 */
export function mixImages(
  mixers: readonly { readonly probability: number; readonly mix: MixPair }[],
  images: Float32Array,
  count: number,
  size: Size,
  random: Random,
): Mixture {
  const partners = Int32Array.from({ length: count }, (_, i) => i);
  const shares = new Float32Array(count).fill(1);
  const { probability, mix } = mixers[random.integer(mixers.length)];
  if (!random.boolean(probability)) return { partners, shares };
  const length = images.length / count;
  const image = (i: number) => images.subarray(i * length, (i + 1) * length);
  for (let i = 0, j = count - 1; i < j; i++, j--) {
    const [first, second] = mix(image(i), image(j), size, random.fork(i));
    partners[i] = j;
    partners[j] = i;
    shares[i] = first;
    shares[j] = second;
  }
  return { partners, shares };
}
