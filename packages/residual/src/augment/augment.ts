/** Augmentations at work on one picture: each plans with random numbers of its own, the canvas joins the steps.
 *  Batches, contact sheets and tests all come through here, so that they see the same picture. */
import { Random, streams } from '../data/random.ts';
import type { Size } from './affine.ts';
import { Canvas } from './canvas.ts';
import { prepareTransforms } from './registry.ts';
import type { Picture, Plan, Sample, Transform } from './transform.ts';

/**
 * Plans and notes down what happens to one picture.
 *
 * @param random the sample's own at this epoch; each augmentation draws from its own fork, by its place in the list, so
 *   that adding one at the end changes nothing before it
 */
export function drawOn(picture: Picture, plans: readonly Plan[], random: Random, sample: Sample): Canvas {
  const canvas = new Canvas(picture);
  for (let i = 0; i < plans.length; i++) {
    for (const step of plans[i](canvas.size, random.fork(i), sample)) canvas.add(step);
  }
  return canvas;
}

/** The random numbers of one sample in one epoch. */
export function sampleRandom(seed: number, epoch: number, index: number): Random {
  return Random.at(seed, streams.augment, epoch, index);
}

/**
 * Applies augmentations to one picture, as `batches()` does to each of its samples. Mixup and CutMix, which need a
 * whole batch, are left out.
 *
 * ```ts
 * const changed = augment(picture, [randomFlip(), randAugment()], { seed: 1, index: 7 });
 * ```
 *
 * @param options.seed Default 0
 * @param options.epoch Default 0
 * @param options.index which sample it is. Default 0
 * @param options.target the size that `randomResizedCrop` makes. Default the picture's own
 * @param options.mean the colour that `mean` fills with, 0–255 for each channel. Default 127.5
 * @returns a new picture, or the one given where nothing changes
 * @throws DataError for unknown augmentations and impossible values
 */
export function augment(
  picture: Picture,
  transforms: readonly Transform[],
  options: {
    readonly seed?: number;
    readonly epoch?: number;
    readonly index?: number;
    readonly target?: Size;
    readonly mean?: readonly number[];
  } = {},
): Picture {
  const { seed = 0, epoch = 0, index = 0, target = picture } = options;
  const { mean = Array<number>(picture.channels).fill(127.5) } = options;
  const { plans } = prepareTransforms(transforms);
  const sample = { seed, epoch, index, target, mean };
  return drawOn(picture, plans, sampleRandom(seed, epoch, index), sample).settle();
}
