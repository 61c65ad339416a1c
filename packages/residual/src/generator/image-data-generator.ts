/** Keras's ImageDataGenerator: pictures from arrays, folders and CSV files, changed at random and standardized.
 *  For those who come with the guide in hand; `imageFolder` and `train` are this library's own way. */

import type * as tf from '@tensorflow/tfjs-core';
import { applyParameters, drawParameters } from '../augment/random-transform.ts';
import type { Picture, Transform } from '../augment/transform.ts';
import type { Normalization } from '../data/dataset.ts';
import { DataError } from '../data/errors.ts';
import { Random, streams } from '../data/random.ts';
import type { Images, ImageTargets, ImageValues } from './arrays.ts';
import { ArrayDataset, imageValues, labelsOf, targetValues } from './arrays.ts';
import type { FlowOptions, FlowSource } from './flow.ts';
import { ImageFlow } from './flow.ts';
import type { CsvClassMode, CsvFlowOptions } from './node/csv.ts';
import type { DirectoryFlowOptions } from './node/directory.ts';
import type { GeneratorSettings, ImageDataGeneratorOptions } from './options.ts';
import { generatorSettings } from './options.ts';
import type { FeatureStatistics } from './standardize.ts';
import { featureStatistics, STD_EPSILON, standardizeFeatures, standardizeSample } from './standardize.ts';
import { rowsOf } from './subset.ts';
import type { Targets, TargetTensor } from './targets.ts';
import { selectTargets } from './targets.ts';
import type { Whitening } from './whiten.ts';
import { valuesOf, whiteningOf } from './whiten.ts';

export interface FitOptions {
  /** Learn from pictures changed at random instead of the pictures as they are. Default false. */
  readonly augment?: boolean;
  /** How often each is changed, with `augment`. Default 1. */
  readonly rounds?: number;
  /** Of these changes. Default 0. */
  readonly seed?: number;
}

/** What a class mode yields. */
export type TargetOf<M extends CsvClassMode> = M extends null
  ? undefined
  : M extends 'multiOutput'
    ? tf.Tensor[]
    : tf.Tensor;

/**
 * @throws DataError for unknown arguments and impossible values
 * @example
 * const datagen = imageDataGenerator({
 *   rescale: 1 / 255, rotationRange: 20, widthShiftRange: 0.2, heightShiftRange: 0.2,
 *   shearRange: 0.2, zoomRange: 0.2, horizontalFlip: true, fillMode: 'nearest',
 * });
 * const flow = await datagen.flowFromDirectory('data/train', { targetSize: [224, 224], batchSize: 32 });
 * await model.fitDataset(flow, { epochs: 10 });
 */
export function imageDataGenerator(options: ImageDataGeneratorOptions = {}): ImageDataGenerator {
  return new ImageDataGenerator(options);
}

export class ImageDataGenerator {
  private readonly settings: GeneratorSettings;
  private features: FeatureStatistics | undefined;
  private whitening: Whitening | undefined;

  /** @throws DataError for unknown arguments and impossible values */
  constructor(options: ImageDataGeneratorOptions = {}) {
    this.settings = generatorSettings(options);
  }

  /**
   * Learns what `featurewiseCenter`, `featurewiseStdNormalization` and `zcaWhitening` need; without them it does
   * nothing. For a folder: `const { images } = await photos.train.read([…])` gives pictures to learn from.
   *
   * @param x training pictures, [size, height, width, channels], on the scale that the flows will have
   * @throws DataError for anything but pictures, and impossible options
   */
  async fit(x: Images, options: FitOptions = {}): Promise<void> {
    const values = await imageValues(x, 'fit: x');
    const { settings } = this;
    if (!settings.featurewiseCenter) return;
    const images = prepared(values, settings, options);
    const channels = values.shape[2];
    this.features = featureStatistics(images, channels);
    if (!settings.zcaWhitening) return;
    standardizeFeatures(images, channels, this.features, settings);
    this.whitening = whiteningOf(images, valuesOf(values.shape), settings.zcaEpsilon);
  }

  /**
   * Batches of pictures in memory.
   *
   * @param x [size, height, width, channels], on any scale
   * @param y one target for each, yielded as it is: [batch] for numbers, [batch, …] for rows. Default none
   * @throws DataError where lengths or shapes do not fit, and for impossible options
   */
  async flow(x: Images, y: ImageTargets, options?: FlowOptions): Promise<ImageFlow>;
  async flow(x: Images, y?: undefined, options?: FlowOptions): Promise<ImageFlow<undefined>>;
  async flow(x: Images, y?: ImageTargets, options: FlowOptions = {}): Promise<ImageFlow<TargetTensor>> {
    const values = await imageValues(x, 'flow: x');
    const given = y === undefined ? undefined : await targetValues(y, values.size);
    const labels = labelsOf(given, values.size);
    const rows = await rowsOf(options.subset, labels, this.settings);
    const targets: Targets = given === undefined ? { kind: 'none' } : { kind: 'rows', ...given };
    const ofRows = rows.map((row) => labels[row]);
    const dataset = new ArrayDataset(values, ofRows, [], rows);
    return new ImageFlow({ ...this.source(), dataset, targets: selectTargets(targets, rows) }, options);
  }

  /**
   * Batches of a folder of images, whose sub-folders are the classes: JPEG, PNG, WebP, AVIF, GIF, TIFF and BMP, decoded
   * as `decodeImage` does, EXIF's orientation applied. A corrupt file is listed in `skipped` and its place taken by
   * another of its class.
   *
   * @throws DataError for a wrong path, a folder without class folders, a class without images, and impossible options
   */
  async flowFromDirectory<M extends NonNullable<DirectoryFlowOptions['classMode']> | null = 'categorical'>(
    directory: string,
    options: DirectoryFlowOptions & { readonly classMode?: M } = {},
  ): Promise<ImageFlow<TargetOf<M>>> {
    const { directorySource } = await import('./node/directory.ts');
    return new ImageFlow(await directorySource(directory, options, this.source()), options);
  }

  /**
   * Batches of the images that a CSV file names, with their classes or numbers: Keras's `flow_from_dataframe`.
   *
   * ```ts
   * const flow = await datagen.flowFromCsv('labels.csv', { directory: 'images/', xCol: 'file', yCol: 'breed' });
   * ```
   *
   * @throws DataError for a file that is no CSV, missing columns, no usable row, and impossible options
   */
  async flowFromCsv<M extends NonNullable<CsvFlowOptions['classMode']> | null = 'categorical'>(
    path: string,
    options: CsvFlowOptions & { readonly classMode?: M } = {},
  ): Promise<ImageFlow<TargetOf<M>>> {
    const { csvSource } = await import('./node/csv.ts');
    return new ImageFlow(await csvSource(path, options, this.source()), options);
  }

  /**
   * The same for `train`: its augmentations, and its normalization of the scale 0–255, which goes into the model's
   * preprocessing, so that a prediction need not know of it.
   *
   * ```ts
   * await train(model, await imageFolder('photos/'), { epochs: 10, ...datagen.forTrain() });
   * ```
   *
   * @throws DataError for what cannot travel with a model: own functions, sample-wise steps, whitening; and where `fit`
   *   is needed and was not called
   */
  forTrain(channels: 1 | 3 = 3): { readonly transforms: readonly Transform[]; readonly normalize: Normalization } {
    const { settings, features } = this;
    for (const name of ['preprocessingFunction', 'samplewiseCenter', 'zcaWhitening'] as const) {
      if (settings[name] !== undefined && settings[name] !== false) {
        throw new DataError(`ImageDataGenerator: ${name} cannot travel with a model, so train() cannot use it`);
      }
    }
    if (settings.featurewiseCenter && features === undefined) {
      throw new DataError(
        'ImageDataGenerator: featurewiseCenter needs statistics: call fit(x) with training pictures first',
      );
    }
    if (features !== undefined && features.mean.length !== channels) {
      throw new DataError(
        `ImageDataGenerator was fitted to pictures of ${features.mean.length} channel(s), asked for ${channels}`,
      );
    }
    // (b · rescale − mean) / std, written as (b / 255 − m) / s
    const unit = 255 * (settings.rescale ?? 1);
    const scales = settings.featurewiseStdNormalization
      ? features?.std.map((std) => (std + STD_EPSILON) / unit)
      : undefined;
    return {
      transforms: settings.transform === undefined ? [] : [settings.transform],
      normalize: {
        mean: features?.mean.map((mean) => mean / unit) ?? Array(channels).fill(0),
        std: scales ?? Array(channels).fill(1 / unit),
      },
    };
  }

  private source(): Pick<FlowSource, 'settings' | 'fitted'> {
    return { settings: this.settings, fitted: () => ({ features: this.features, whitening: this.whitening }) };
  }
}

/** Pictures as the feature-wise step sees them. */
function prepared({ data, size, shape }: ImageValues, settings: GeneratorSettings, options: FitOptions): Float32Array {
  const { augment = false, rounds = 1, seed = 0 } = options;
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new DataError(`fit: rounds must be a whole number from 1 up, received ${rounds}`);
  }
  const [height, width, channels] = shape;
  const length = valuesOf(shape);
  const times = augment ? rounds : 1;
  const images = new Float32Array(times * data.length);
  const transform = augment ? settings.transform : undefined;
  for (let round = 0; round < times; round++) {
    const random = Random.at(seed, streams.statistics, round);
    for (let i = 0; i < size; i++) {
      let picture: Picture = { data: data.subarray(i * length, (i + 1) * length), height, width, channels };
      if (transform !== undefined) {
        const parameters = drawParameters(transform, height, width, random.fork(i));
        picture = applyParameters(picture, parameters, transform);
      }
      const at = (round * size + i) * length;
      images.set(picture.data, at);
      standardizeSample(images.subarray(at, at + length), shape, settings);
    }
  }
  return images;
}
