/** The arguments of Keras's ImageDataGenerator in camelCase, checked and completed.
 *  What changes pictures at random becomes one augmentation (augment/random-transform.ts); the rest is standardization. */
import type { RandomTransform } from '../augment/random-transform.ts';
import { randomTransform, randomTransformOptions } from '../augment/random-transform.ts';
import type { FillMode } from '../augment/warp.ts';
import type { ImageShape } from '../data/dataset.ts';
import { DataError } from '../data/errors.ts';

/**
 * A change of one's own, made to each picture after the random ones and before `rescale`. It may change `image`
 * (height × width × channels, on the scale of the data: 0–255 for files) and return it, or return another of that length.
 */
export type PreprocessingFunction = (image: Float32Array, shape: ImageShape) => Float32Array;

/**
 * Keras's arguments under Keras's meaning (keras.preprocessing.image.ImageDataGenerator). Three things are done right
 * where Keras is known not to do them:
 *
 * - `widthShiftRange` moves left and right and `heightShiftRange` up and down (Keras has them swapped), and turning is
 *   about the picture's own centre when it is not square, too;
 * - `validationSplit` takes the same share of every class at random by a seed, and keeps copies of a file together
 *   (Keras takes each class's first files);
 * - `fit` sees pictures as the feature-wise step will see them, so after `preprocessingFunction` and the sample-wise
 *   steps (Keras leaves these out of `fit`).
 */
export interface ImageDataGeneratorOptions {
  /** Subtract the mean of the pictures that `fit` saw, channel by channel. Default false. */
  readonly featurewiseCenter?: boolean;
  /** Subtract each picture's own mean. Default false. */
  readonly samplewiseCenter?: boolean;
  /** Divide by the standard deviation of the pictures that `fit` saw. Implies `featurewiseCenter`. Default false. */
  readonly featurewiseStdNormalization?: boolean;
  /** Divide by each picture's own standard deviation. Implies `samplewiseCenter`. Default false. */
  readonly samplewiseStdNormalization?: boolean;
  /**
   * Decorrelate all values of a picture by ZCA whitening, learnt by `fit`. Implies `featurewiseCenter`, and overrides
   * `featurewiseStdNormalization`. For small pictures: the matrix has (height × width × channels)² numbers. Default false.
   */
  readonly zcaWhitening?: boolean;
  /** Added to the singular values that whitening divides by. Default 1e-6. */
  readonly zcaEpsilon?: number;
  /** Turn by up to this many degrees, either way. Default 0. */
  readonly rotationRange?: number;
  /**
   * Shift sideways. A fraction below 1: by up to that part of the width. A whole number n: by 0, 1, … n − 1 pixels.
   * Any other number from 1 up: by up to that many pixels. A list: by one of its values. Either way. Default 0.
   */
  readonly widthShiftRange?: number | readonly number[];
  /** Shift up or down; otherwise as `widthShiftRange`. Default 0. */
  readonly heightShiftRange?: number | readonly number[];
  /** Multiply the brightness by a number between these two, e.g. [0.8, 1.2]. Default none. */
  readonly brightnessRange?: readonly [lowest: number, highest: number] | null;
  /** Shear by up to this many degrees, either way. Default 0. */
  readonly shearRange?: number;
  /**
   * Scale by a factor between these two, drawn for each axis by itself; z stands for [1 − z, 1 + z]. More than 1 shows
   * more than the picture: its content gets smaller. Default 0.
   */
  readonly zoomRange?: number | readonly [lowest: number, highest: number];
  /** Add up to this much, the same to every channel, within the picture's own extremes. Default 0. */
  readonly channelShiftRange?: number;
  /**
   * What is seen beyond the edges: `nearest` aaaa|abcd|dddd, `reflect` dcba|abcd|dcba, `wrap` abcd|abcd|abcd, or
   * `constant`, which is `cval`. Default `nearest`.
   */
  readonly fillMode?: FillMode;
  /** The value for `constant`. Default 0. */
  readonly cval?: number;
  /** How pixels between pixels are found: 0 takes the nearest, 1 is bilinear. Default 1. */
  readonly interpolationOrder?: 0 | 1;
  /** Exchange left and right in half of the pictures. Default false. */
  readonly horizontalFlip?: boolean;
  /** Exchange top and bottom in half of the pictures. Default false. */
  readonly verticalFlip?: boolean;
  /** Multiply every value by this, e.g. 1 / 255. Default none. */
  readonly rescale?: number | null;
  readonly preprocessingFunction?: PreprocessingFunction | null;
  /** The part of each class that `subset: 'validation'` gives, 0 ≤ x < 1. Default 0. */
  readonly validationSplit?: number;
  /**
   * Which samples those are; not an argument of Keras's. It does not follow a flow's `seed`, so that the two subsets
   * never overlap. Default 0.
   */
  readonly splitSeed?: number;
}

/** The arguments with nothing left open. */
export interface GeneratorSettings {
  /** Undefined where no argument asks for one. */
  readonly transform: RandomTransform | undefined;
  readonly preprocessingFunction: PreprocessingFunction | undefined;
  readonly rescale: number | undefined;
  readonly samplewiseCenter: boolean;
  readonly samplewiseStdNormalization: boolean;
  readonly featurewiseCenter: boolean;
  readonly featurewiseStdNormalization: boolean;
  readonly zcaWhitening: boolean;
  readonly zcaEpsilon: number;
  readonly validationSplit: number;
  readonly splitSeed: number;
}

const FLAGS = [
  'featurewiseCenter',
  'samplewiseCenter',
  'featurewiseStdNormalization',
  'samplewiseStdNormalization',
  'zcaWhitening',
] as const;
const OTHERS = ['zcaEpsilon', 'rescale', 'preprocessingFunction', 'validationSplit', 'splitSeed'] as const;
const NAMES: readonly string[] = [...randomTransformOptions, ...FLAGS, ...OTHERS];

/** @throws DataError for unknown arguments and impossible values */
export function generatorSettings(options: ImageDataGeneratorOptions): GeneratorSettings {
  const unknown = Object.keys(options).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) throw new DataError(unknownArgument(unknown));
  for (const name of FLAGS) {
    const value = options[name] ?? false;
    check(typeof value === 'boolean', `${name} must be true or false`, value);
  }
  const { rescale, preprocessingFunction, zcaEpsilon = 1e-6, validationSplit = 0, splitSeed = 0 } = options;
  if (rescale != null)
    check(Number.isFinite(rescale) && rescale !== 0, 'rescale must be a number other than 0', rescale);
  if (preprocessingFunction != null) {
    check(
      typeof preprocessingFunction === 'function',
      'preprocessingFunction must be a function',
      preprocessingFunction,
    );
  }
  check(zcaEpsilon >= 0 && Number.isFinite(zcaEpsilon), 'zcaEpsilon must be a number from 0 up', zcaEpsilon);
  check(
    validationSplit >= 0 && validationSplit < 1,
    'validationSplit must be at least 0 and less than 1',
    validationSplit,
  );
  const seedRule = 'splitSeed must be an integer from 0 to 2^53 - 1';
  check(Number.isSafeInteger(splitSeed) && splitSeed >= 0, seedRule, splitSeed);
  const random = Object.fromEntries(
    randomTransformOptions.filter((name) => name in options).map((name) => [name, options[name]]),
  );
  const transform = randomTransform(random, 'ImageDataGenerator');
  const { zcaWhitening = false, samplewiseStdNormalization = false } = options;
  const featurewiseStdNormalization = !zcaWhitening && (options.featurewiseStdNormalization ?? false);
  return {
    transform: changesNothing(transform) ? undefined : transform,
    preprocessingFunction: preprocessingFunction ?? undefined,
    rescale: rescale ?? undefined,
    samplewiseCenter: samplewiseStdNormalization || (options.samplewiseCenter ?? false),
    samplewiseStdNormalization,
    featurewiseCenter: zcaWhitening || featurewiseStdNormalization || (options.featurewiseCenter ?? false),
    featurewiseStdNormalization,
    zcaWhitening,
    zcaEpsilon,
    validationSplit,
    splitSeed,
  };
}

function changesNothing(transform: RandomTransform): boolean {
  const { fillMode, cval, interpolationOrder } = transform;
  return JSON.stringify(transform) === JSON.stringify(randomTransform({ fillMode, cval, interpolationOrder }));
}

function unknownArgument(name: string): string {
  const camel = name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const hint = NAMES.includes(camel) ? `write ${camel}` : `there are ${NAMES.join(', ')}`;
  return `ImageDataGenerator has no argument '${name}'; ${hint}`;
}

function check(ok: boolean, rule: string, value: unknown): void {
  if (!ok) throw new DataError(`ImageDataGenerator: ${rule}, received ${String(value)}`);
}
