/** Trains by a recipe, from the data's path to the saved model: the library's `residual train`. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Splits } from '../data/dataset.ts';
import { openData } from '../data/node/open.ts';
import type { TrainResult } from '../train/loop.ts';
import type { TrainOptions } from '../train/options.ts';
import { train } from '../train/train.ts';
import { dataOptionsOf, modelOf, trainOptionsOf } from './build.ts';
import { loadRecipe } from './library.ts';
import type { Override } from './overrides.ts';
import type { Recipe } from './schema.ts';

/** What a recipe leaves to the caller. */
export type RunOptions = Omit<
  TrainOptions,
  | 'epochs'
  | 'batchSize'
  | 'microBatch'
  | 'optimizer'
  | 'loss'
  | 'labelSmoothing'
  | 'ema'
  | 'lookahead'
  | 'resolution'
  | 'transforms'
  | 'normalize'
  | 'seed'
>;

export interface RecipeRun extends TrainResult {
  /** To be disposed of by the caller. */
  readonly model: LayersModel;
  /** To be closed by the caller with `closeSplits`. */
  readonly splits: Splits;
}

/**
 * Trains a network on `source` as a recipe says.
 *
 * @param source what `openData` takes, or data that is open already
 * @param recipe a complete recipe, or what `loadRecipe` takes
 * @throws RecipeError, DataError, ModelError, WriteError
 * @example const { model } = await trainWithRecipe('photos/', 'finetune', { directory: 'runs/photos' }, ['training.epochs=5']);
 */
export async function trainWithRecipe(
  source: string | Splits,
  recipe: string | Recipe,
  options: RunOptions = {},
  overrides: readonly (string | Override)[] = [],
): Promise<RecipeRun> {
  const full = typeof recipe === 'string' ? (await loadRecipe(recipe, overrides)).recipe : recipe;
  const splits = typeof source === 'string' ? await openData(source, dataOptionsOf(full)) : source;
  const model = await modelOf(full, splits);
  const own = trainOptionsOf(full, splits, model);
  try {
    return { ...(await train(model, splits, { ...own, ...options })), model, splits };
  } finally {
    own.optimizer?.dispose();
  }
}
