/** Training of a head on features that are computed once, in the place of a run over the pictures.
 *  The loop is the same, with a smaller model and rows of features for images: same order, same seeds, same result. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { isForBatches } from '../../augment/registry.ts';
import type { Dataset, Splits } from '../../data/dataset.ts';
import { ModelError } from '../../models/errors.ts';
import { whyFeaturesChange } from '../../models/transfer/freeze.ts';
import type { Settings, TrainOptions } from '../options.ts';
import { type FeatureTable, featureTable } from './extract.ts';
import { headModel } from './head-model.ts';

export interface CacheOptions {
  /** Where features are kept for this run and others, as `KEY.features`. Default: in memory only. */
  readonly directory?: string;
  /**
   * How many augmented views of each picture there are; epoch e sees view e mod `views`, augmented as in that epoch of
   * an ordinary run. Default 1. Without `transforms` all views are alike.
   */
  readonly views?: number;
  /** While features are computed: pictures, all views and the validation's together. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Whether a run could train on cached features.
 *
 * @returns why not, or undefined
 */
export function whyNotCached(
  model: LayersModel,
  { unfreeze = [], resolution = [], transforms = [] }: Pick<TrainOptions, 'unfreeze' | 'resolution' | 'transforms'>,
): string | undefined {
  if (unfreeze.length > 0) return 'parts of the backbone are unfrozen later';
  if (resolution.length > 0) return 'pictures change their size';
  const mixing = transforms.find(isForBatches);
  if (mixing) return `${mixing.name} mixes pictures of a batch`;
  return whyFeaturesChange(model);
}

/** What the loop trains in the place of the model and its data. */
export interface CachedRun {
  readonly head: LayersModel;
  readonly data: Splits;
  /** For the fingerprint. */
  readonly text: string;
}

/**
 * Computes or loads the features of the training and validation pictures.
 *
 * @throws ModelError where features change in the run
 */
export async function cachedRun(model: LayersModel, data: Splits, settings: Settings): Promise<CachedRun> {
  const { options, normalize, seed } = settings;
  const cache = cacheOptions(options);
  const { transforms = [], workers = 1, signal } = options;
  const why = whyNotCached(model, options);
  if (why !== undefined) throw new ModelError(`cacheFeatures: features cannot be computed once, for ${why}`);
  const views = transforms.length === 0 ? 1 : cache.views;
  const { train, validation } = data;
  const [most, held] = [views * train.size, validation?.size ?? 0];
  const batchSize = Math.min(settings.batchSize, options.microBatch ?? settings.batchSize);
  const { directory, onProgress } = cache;
  const common = { workers, ...(directory === undefined ? {} : { directory }), ...(signal ? { signal } : {}) };
  const learned = await featureTable(
    model,
    train,
    { normalize, batchSize, training: true, transforms, views, seed },
    { ...common, corrupt: 'replace', onProgress: (done) => onProgress?.(done, most + held) },
  );
  const watched =
    validation && held > 0
      ? await featureTable(
          model,
          validation,
          { normalize, batchSize, training: false, transforms: [], views: 1, seed },
          { ...common, corrupt: 'drop', onProgress: (done) => onProgress?.(most + done, most + held) },
        )
      : undefined;
  const imageShape = [1, 1, learned.dims] as const;
  const parts = {
    train: featureDataset(train, learned),
    ...(validation && watched ? { validation: featureDataset(validation, watched) } : {}),
  };
  const text = `cached, ${views === 1 ? '1 view' : `${views} views`}${learned.key === '' ? '' : `, ${learned.key}`}`;
  return { head: headModel(model), data: { classes: data.classes, imageShape, ...parts }, text };
}

/** The option with nothing left open. */
function cacheOptions({ cacheFeatures }: TrainOptions): CacheOptions & { readonly views: number } {
  const cache = typeof cacheFeatures === 'object' ? cacheFeatures : {};
  const { views = 1 } = cache;
  if (!Number.isInteger(views) || views < 1) {
    throw new ModelError(`cacheFeatures: views must be a whole number from 1 up, received ${views}`);
  }
  return { ...cache, views };
}

/** Rows of features in the place of pictures. */
function featureDataset(dataset: Dataset, { values, samples, dims, views }: FeatureTable): Dataset {
  const { name, classes, size, labels, skipped } = dataset;
  return {
    name,
    classes,
    size,
    labels,
    skipped,
    imageShape: [1, 1, dims],
    read: async () => {
      throw new Error(`internal: ${name} is features, which are no bytes`);
    },
    async produce({ indices, epoch }) {
      const first = (epoch % views) * size;
      const rows = Array.from(indices, (index) => first + index).filter((row) => (samples[row] ?? -1) >= 0);
      const images = new Float32Array(rows.length * dims);
      rows.forEach((row, i) => {
        images.set(values.subarray(row * dims, (row + 1) * dims), i * dims);
      });
      return { images, indices: Int32Array.from(rows, (row) => samples[row] ?? -1) };
    },
    close: async () => {},
  };
}
