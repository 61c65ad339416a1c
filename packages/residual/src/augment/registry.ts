/** All augmentations by name: which options each has, how its data is checked, and how it plans.
 *  A new one is its own file, one member of the union in transform.ts, and one line here. */
import { DataError } from '../data/errors.ts';
import { alternatingFlip, planAlternatingFlip } from './alternating-flip.ts';
import { augMix, planAugMix } from './aug-mix.ts';
import { colorJitter, planColorJitter } from './color-jitter.ts';
import { cutMix, cutMixPair } from './cut-mix.ts';
import { cutout, planCutout } from './cutout.ts';
import { gaussianBlur, planGaussianBlur } from './gaussian-blur.ts';
import { known } from './limits.ts';
import type { MixPair } from './mix.ts';
import { mixup, mixupPair } from './mixup.ts';
import { planRandAugment, randAugment } from './rand-augment.ts';
import { planRandomAffine, randomAffine } from './random-affine.ts';
import { planRandomCrop, randomCrop } from './random-crop.ts';
import { planRandomErasing, randomErasing } from './random-erasing.ts';
import { planRandomFlip, randomFlip } from './random-flip.ts';
import { planRandomGrayscale, randomGrayscale } from './random-grayscale.ts';
import { planRandomResizedCrop, randomResizedCrop } from './random-resized-crop.ts';
import { planRandomTransform, randomTransform, randomTransformOptions } from './random-transform.ts';
import type { BatchTransform, PictureTransform, Plan, Transform } from './transform.ts';
import { planTrivialAugment, trivialAugment } from './trivial-augment.ts';

interface Entry<T extends Transform, P> {
  readonly options: readonly (keyof T & string)[];
  /** Completes and checks data, which may come from a file. */
  readonly make: (data: T) => T;
  readonly plan: (data: T) => P;
}

type Named<T extends Transform, N> = Extract<T, { name: N }>;

const pictureTransforms: { readonly [N in PictureTransform['name']]: Entry<Named<PictureTransform, N>, Plan> } = {
  randomCrop: { options: ['padding', 'fill'], make: randomCrop, plan: planRandomCrop },
  randomResizedCrop: {
    options: ['scale', 'ratio', 'decodeSize'],
    make: randomResizedCrop,
    plan: planRandomResizedCrop,
  },
  randomFlip: { options: ['probability', 'direction'], make: randomFlip, plan: planRandomFlip },
  alternatingFlip: { options: [], make: alternatingFlip, plan: planAlternatingFlip },
  randomAffine: {
    options: ['rotation', 'shift', 'shear', 'zoom', 'probability', 'fillMode', 'cval', 'interpolation'],
    make: randomAffine,
    plan: planRandomAffine,
  },
  randomTransform: { options: randomTransformOptions, make: randomTransform, plan: planRandomTransform },
  colorJitter: {
    options: ['brightness', 'contrast', 'saturation', 'hue', 'probability'],
    make: colorJitter,
    plan: planColorJitter,
  },
  randomGrayscale: { options: ['probability'], make: randomGrayscale, plan: planRandomGrayscale },
  gaussianBlur: { options: ['sigma', 'probability'], make: gaussianBlur, plan: planGaussianBlur },
  cutout: { options: ['size', 'holes', 'fill', 'probability'], make: cutout, plan: planCutout },
  randomErasing: { options: ['probability', 'scale', 'ratio', 'fill'], make: randomErasing, plan: planRandomErasing },
  randAugment: {
    options: ['operations', 'magnitude', 'fillMode', 'cval'],
    make: randAugment,
    plan: planRandAugment,
  },
  trivialAugment: { options: ['fillMode', 'cval'], make: trivialAugment, plan: planTrivialAugment },
  augMix: {
    options: ['severity', 'width', 'depth', 'alpha', 'fillMode', 'cval'],
    make: augMix,
    plan: planAugMix,
  },
};

const batchTransforms: { readonly [N in BatchTransform['name']]: Entry<Named<BatchTransform, N>, MixPair> } = {
  mixup: { options: ['alpha', 'probability'], make: mixup, plan: mixupPair },
  cutMix: { options: ['alpha', 'probability'], make: cutMix, plan: cutMixPair },
};

/** The names of all augmentations. */
export const transformNames: readonly Transform['name'][] = [
  ...(Object.keys(pictureTransforms) as PictureTransform['name'][]),
  ...(Object.keys(batchTransforms) as BatchTransform['name'][]),
];

/** The options of an augmentation, for help and for checking recipes. */
export function transformOptions(name: Transform['name']): readonly string[] {
  return entryOf(name).options;
}

/**
 * Checks an augmentation that comes from a file, and completes it with defaults.
 *
 * ```ts
 * transformOf({ name: 'randAugment', magnitude: 9 })
 * ```
 *
 * @throws DataError for an unknown name or option, and impossible values
 */
export function transformOf(data: { readonly name: string; readonly [option: string]: unknown }): Transform {
  const entry = entryOf(data.name);
  known(data.name, data, entry.options);
  return entry.make(data);
}

/** A list of augmentations, checked and split into what is done to pictures and what to batches. */
export interface PreparedTransforms {
  readonly transforms: readonly Transform[];
  readonly plans: readonly Plan[];
  readonly mixers: readonly { readonly probability: number; readonly mix: MixPair }[];
}

/**
 * @throws DataError for an unknown name, impossible values, or a picture's augmentation after a batch's
 */
export function prepareTransforms(transforms: readonly Transform[]): PreparedTransforms {
  const plans: Plan[] = [];
  const mixers: { probability: number; mix: MixPair }[] = [];
  const checked = transforms.map((given) => {
    const entry = entryOf(given.name);
    const data = transformOf({ ...given });
    if (isForBatches(data)) {
      mixers.push({ probability: data.probability, mix: entry.plan(data) as MixPair });
    } else {
      if (mixers.length > 0) {
        throw new DataError(`${data.name} changes single pictures: it must stand before mixup and cutMix`);
      }
      plans.push(entry.plan(data) as Plan);
    }
    return data;
  });
  return { transforms: checked, plans, mixers };
}

/** Whether an augmentation mixes the pictures of a batch. */
export function isForBatches(data: Transform): data is BatchTransform {
  return Object.hasOwn(batchTransforms, data.name);
}

/** Each entry only ever meets the data of its own name. */
type AnyEntry = {
  readonly options: readonly string[];
  readonly make: (data: object) => Transform;
  readonly plan: (data: Transform) => Plan | MixPair;
};

function entryOf(name: string): AnyEntry {
  const all = { ...pictureTransforms, ...batchTransforms };
  if (!Object.hasOwn(all, name)) {
    throw new DataError(`no augmentation is called '${name}'; there are ${transformNames.join(', ')}`);
  }
  return all[name as Transform['name']] as unknown as AnyEntry;
}
