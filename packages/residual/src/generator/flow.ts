/** What ImageDataGenerator's flows are: batches of changed pictures with targets, epoch after epoch.
 *  An object that `model.fitDataset` takes as its data set, and a loop of one's own can iterate. */
import * as tf from '@tensorflow/tfjs-core';
import { batches, batchesPerEpoch } from '../data/batches.ts';
import type { Dataset, ImageShape, SkippedFile } from '../data/dataset.ts';
import { DataError } from '../data/errors.ts';
import type { GeneratorSettings } from './options.ts';
import type { FeatureStatistics } from './standardize.ts';
import { standardizeFeatures, standardizeSample } from './standardize.ts';
import type { Targets, TargetTensor } from './targets.ts';
import { targetTensor } from './targets.ts';
import type { Whitening } from './whiten.ts';
import { whiten } from './whiten.ts';

/** What every flow can be told. */
export interface FlowOptions {
  /** Default 32. */
  readonly batchSize?: number;
  /** Another order in each epoch. Default true. */
  readonly shuffle?: boolean;
  /** Of the order and of all changes: the same seed gives the same bits in every run. Default 0. */
  readonly seed?: number;
  /** A part of the data, where the generator has a `validationSplit`. Default: all of it. */
  readonly subset?: 'training' | 'validation';
  /** Threads that decode and change pictures; the result does not depend on it. Default 1. */
  readonly workers?: number;
}

/** One batch; its tensors are the receiver's to dispose of (`fitDataset` does). */
export interface FlowBatch<Y extends TargetTensor = tf.Tensor> {
  /** [batch, height, width, channels]. */
  readonly xs: tf.Tensor4D;
  readonly ys: Y;
  /** Which sample each picture is, to find its name in `filenames`. */
  readonly indices: Int32Array;
}

/** What a generator has learnt and was told, and what it draws from. */
export interface FlowSource {
  readonly dataset: Dataset;
  readonly targets: Targets;
  readonly settings: GeneratorSettings;
  /** Called when a batch is due: `fit` may come after the flow was made. */
  readonly fitted: () => {
    readonly features?: FeatureStatistics | undefined;
    readonly whitening?: Whitening | undefined;
  };
  readonly filenames?: readonly string[];
}

/** Bytes stay as they are: (b / 255 − 0) / (1 / 255), which is exact. */
const AS_IT_IS = (channels: number) => ({ mean: Array(channels).fill(0), std: Array(channels).fill(1 / 255) });

export class ImageFlow<Y extends TargetTensor = tf.Tensor> {
  /** How many pictures there are. */
  readonly samples: number;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly seed: number;
  /** Batches of an epoch; the last may be smaller. */
  readonly stepsPerEpoch: number;
  /** The same, under the name that `fitDataset` looks for. */
  readonly size: number;
  readonly imageShape: ImageShape;
  /** The classes' names in the order of their indices. */
  readonly classes: readonly string[];
  /** From a class's name to its index. */
  readonly classIndices: Readonly<Record<string, number>>;
  /** The class index of each sample; zeros where there are no classes. */
  readonly labels: Int32Array;
  /** The samples' files as they were named, in the order of `labels`; none for arrays. */
  readonly filenames: readonly string[];
  /** The epoch that the next iterator will be; may be set, to go on where a run stopped. From 0. */
  epoch = 0;
  private readonly source: FlowSource;
  private readonly workers: number;

  /** @throws DataError for impossible options */
  constructor(source: FlowSource, options: FlowOptions) {
    const { batchSize = 32, shuffle = true, seed = 0, workers = 1 } = options;
    const check = (ok: boolean, rule: string, value: unknown) => {
      if (!ok) throw new DataError(`${rule}, received ${value}`);
    };
    check(Number.isInteger(batchSize) && batchSize >= 1, 'batchSize must be a whole number from 1 up', batchSize);
    check(Number.isInteger(workers) && workers >= 1, 'workers must be a whole number from 1 up', workers);
    check(Number.isSafeInteger(seed) && seed >= 0, 'seed must be an integer from 0 to 2^53 - 1', seed);
    const { dataset } = source;
    this.source = source;
    this.workers = workers;
    this.samples = dataset.size;
    this.batchSize = batchSize;
    this.shuffle = shuffle;
    this.seed = seed;
    this.stepsPerEpoch = batchesPerEpoch(dataset.size, batchSize);
    this.size = this.stepsPerEpoch;
    this.imageShape = dataset.imageShape;
    this.classes = dataset.classes;
    this.classIndices = Object.fromEntries(dataset.classes.map((name, index) => [name, index]));
    this.labels = dataset.labels;
    this.filenames = source.filenames ?? [];
  }

  /** Files that were left out, and why; grows as corrupt ones are met. A sample of the same class takes their place. */
  get skipped(): readonly SkippedFile[] {
    return this.source.dataset.skipped;
  }

  /**
   * The batches of one epoch: a function of (seed, epoch) alone. Leaving the loop early stops the work.
   *
   * ```ts
   * for await (const { xs, ys } of flow.batches(3)) …
   * ```
   *
   * @param epoch counted from 0. Default: the next one
   * @throws DataError where `fit` is needed and was not called, and wherever a whole class turns out unreadable
   */
  async *batches(epoch = this.epoch++): AsyncGenerator<FlowBatch<Y>, void, undefined> {
    const { dataset, settings, targets } = this.source;
    this.mustBeFitted();
    const { batchSize, shuffle, seed, workers } = this;
    const transforms = settings.transform === undefined ? [] : [settings.transform];
    const normalize = AS_IT_IS(this.imageShape[2]);
    const options = { batchSize, shuffle, seed, workers, epoch, transforms, normalize };
    for await (const { images, indices } of batches(dataset, options)) {
      const xs = this.standardized(images, indices.length);
      yield { xs, ys: targetTensor(targets, indices, xs) as Y, indices };
    }
  }

  /** The next epoch, for `for await (const { xs, ys } of flow)`. */
  [Symbol.asyncIterator](): AsyncGenerator<FlowBatch<Y>, void, undefined> {
    return this.batches();
  }

  /**
   * The next epoch, as `fitDataset` wants it. `fitDataset` makes one iterator more than it uses: an epoch counts from
   * its first `next()`.
   */
  async iterator(): Promise<{ next(): Promise<IteratorResult<FlowBatch<Y>>> }> {
    let epoch: AsyncGenerator<FlowBatch<Y>, void, undefined> | undefined;
    return {
      next: async () => {
        epoch ??= this.batches();
        const { done, value } = await epoch.next();
        return done === true ? { done: true, value: undefined } : { done: false, value };
      },
    };
  }

  /**
   * Epoch after epoch without end, as `fitDataset` needs it where `batchesPerEpoch` is given: it then draws all of its
   * epochs from one iterator.
   *
   * ```ts
   * await model.fitDataset(flow.repeat(), { epochs: 10, batchesPerEpoch: 100 });
   * ```
   */
  repeat(): RepeatedFlow<Y> {
    return new RepeatedFlow(this);
  }

  /** Ends the flow's threads. They never keep the process alive, so a program may leave it out. */
  close(): Promise<void> {
    return this.source.dataset.close();
  }

  private mustBeFitted(): void {
    const { settings, fitted } = this.source;
    const { features, whitening } = fitted();
    const needed = settings.zcaWhitening && whitening === undefined ? 'zcaWhitening' : 'featurewiseCenter';
    if ((settings.featurewiseCenter && features === undefined) || (settings.zcaWhitening && whitening === undefined)) {
      throw new DataError(`ImageDataGenerator: ${needed} needs statistics: call fit(x) with training pictures first`);
    }
    const channels = this.imageShape[2];
    if (features !== undefined && features.mean.length !== channels) {
      throw new DataError(
        `ImageDataGenerator was fitted to pictures of ${features.mean.length} channel(s), these have ${channels}`,
      );
    }
    const values = this.imageShape.reduce((a, b) => a * b, 1);
    if (whitening !== undefined && whitening.size !== values) {
      const shape = this.imageShape.join(' x ');
      throw new DataError(
        `ImageDataGenerator was fitted to pictures of ${whitening.size} values, these have ${values} (${shape})`,
      );
    }
  }

  private standardized(images: Float32Array, count: number): tf.Tensor4D {
    const { settings, fitted } = this.source;
    const { features, whitening } = fitted();
    const length = this.imageShape.reduce((a, b) => a * b, 1);
    for (let i = 0; i < count; i++) {
      standardizeSample(images.subarray(i * length, (i + 1) * length), this.imageShape, settings);
    }
    if (features !== undefined) standardizeFeatures(images, this.imageShape[2], features, settings);
    const xs = tf.tensor4d(images, [count, ...this.imageShape]);
    if (whitening === undefined) return xs;
    const white = whiten(xs, whitening);
    xs.dispose();
    return white;
  }
}

/** A flow without end. */
export class RepeatedFlow<Y extends TargetTensor = tf.Tensor> {
  readonly size = Number.POSITIVE_INFINITY;
  private readonly flow: ImageFlow<Y>;

  constructor(flow: ImageFlow<Y>) {
    this.flow = flow;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FlowBatch<Y>, void, undefined> {
    for (;;) yield* this.flow.batches();
  }

  async iterator(): Promise<{ next(): Promise<IteratorResult<FlowBatch<Y>>> }> {
    const all = this[Symbol.asyncIterator]();
    return { next: async () => (await all.next()) as IteratorResult<FlowBatch<Y>> };
  }
}
