/** From a recipe to what the library works with: options for the data, the network and the training.
 *  The one place that knows both the recipe's words and the constructors' arguments. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { TestTimeAugmentation } from '../augment/index.ts';
import { batchesPerEpoch } from '../data/batches.ts';
import type { Normalization, Splits } from '../data/dataset.ts';
import type { OpenOptions } from '../data/node/open.ts';
import { createModel } from '../models/registry.ts';
import { freeze as freezeParts } from '../models/transfer/freeze.ts';
import type { AverageOptions } from '../train/averages.ts';
import { earlyStopping } from '../train/callbacks/early-stopping.ts';
import { whyNotCached } from '../train/features/cached-run.ts';
import { layerRates } from '../train/layer-rates.ts';
import type { TrainOptions } from '../train/options.ts';
import { compressionOf } from './compression.ts';
import { type Clock, stepsOf } from './duration.ts';
import { lossOf } from './loss.ts';
import { optimizerOf } from './optimizer.ts';
import { pretrainedOf, takeWeights } from './pretrained.ts';
import { scheduleOf } from './schedule.ts';
import type { Recipe } from './schema.ts';
import { toTransform } from './transforms.ts';

/** How `openData` should open the data. */
export function dataOptionsOf({ data, training }: Recipe): OpenOptions {
  const { size, channels, resize, crop, interpolation, validation, test } = data;
  return {
    resize,
    test,
    seed: training.seed,
    ...(size === undefined ? {} : { size }),
    ...(channels === undefined ? {} : { channels }),
    ...(crop === undefined ? {} : { crop }),
    ...(interpolation === undefined ? {} : { interpolation }),
    ...(validation === undefined ? {} : { validation }),
  };
}

/**
 * The network of a recipe, for this data, with the weights that it starts from.
 *
 * @throws ModelError for impossible options, or weights that do not fit
 */
export async function modelOf({ model, training }: Recipe, { imageShape, classes }: Splits): Promise<LayersModel> {
  const { name, weights, freeze, batchNorm, ...options } = model;
  const network = createModel(name, {
    ...options,
    inputShape: imageShape,
    classes: classes.length,
    seed: training.seed,
  });
  if (weights !== undefined) await takeWeights(network, weights, { classes });
  if (freeze !== 'none' || batchNorm !== 'follow') {
    freezeParts(network, typeof freeze === 'number' ? { lastBlocks: freeze } : freeze, { batchNorm });
  }
  return network;
}

/** How long the run is. */
function clockOf({ training }: Recipe, splits: Splits): Clock {
  const batch = Math.min(training.batch, splits.train.size);
  return { epochs: training.epochs, stepsPerEpoch: batchesPerEpoch(splits.train.size, batch, true) };
}

/**
 * The options of `train` that a recipe decides for a network of `modelOf`. The optimizer is the caller's to dispose of.
 */
export function trainOptionsOf(recipe: Recipe, splits: Splits, network: LayersModel): TrainOptions {
  const { augment, loss, model, optimizer, schedule, training } = recipe;
  const clock = clockOf(recipe, splits);
  const side = Math.min(splits.imageShape[0], splits.imageShape[1]);
  const normalize = normalizationOf(recipe, splits.imageShape[2], network)?.normalize;
  const unfreeze = training.unfreeze.map((stage) => ({ ...stage, batchNorm: model.batchNorm }));
  const plainOptimizer = optimizerOf(
    optimizer,
    (rate) => scheduleOf(schedule, rate, clock),
    (rates) => layerRates(network, rates),
  );
  const compression = compressionOf(recipe, clock, plainOptimizer);
  const callbacks = [
    ...(training.earlyStopping === 0 ? [] : [earlyStopping({ patience: training.earlyStopping })]),
    // Last: whichever weights the others choose in the end, the rule holds for them.
    ...(compression === undefined ? [] : [compression.callback]),
  ];
  const options: TrainOptions = {
    epochs: training.epochs,
    batchSize: training.batch,
    seed: training.seed,
    optimizer: compression?.optimizer ?? plainOptimizer,
    ...(unfreeze.length === 0 ? {} : { unfreeze }),
    loss: lossOf(loss),
    ...averagesOf(recipe, clock),
    ...(callbacks.length === 0 ? {} : { callbacks }),
    ...(training.microBatch === undefined ? {} : { microBatch: training.microBatch }),
    resolution: training.resolution.map(({ until, size }) => ({ untilStep: stepsOf(until, clock), size })),
    transforms: augment.map((one) => toTransform(one, side)),
    ...(normalize === undefined ? {} : { normalize }),
  };
  return { ...options, ...cachingOf(recipe, network, options) };
}

/** Features are computed once where that changes nothing, or where the recipe names a number of views. */
function cachingOf(
  { training, prune, cluster }: Recipe,
  network: LayersModel,
  options: TrainOptions,
): Pick<TrainOptions, 'cacheFeatures'> {
  const { cacheFeatures, views } = training;
  // What is pruned or clustered changes, frozen or not.
  if (prune.sparsity > 0 || cluster.clusters > 0) return {};
  const fixed = options.transforms?.length === 0;
  if (!cacheFeatures || !(fixed || views > 0) || whyNotCached(network, options) !== undefined) return {};
  return { cacheFeatures: { views: fixed ? 1 : views } };
}

/** The views that an evaluation averages beside the pictures themselves; undefined where there are none. */
export function viewsOf({ evaluation }: Recipe): TestTimeAugmentation | undefined {
  return evaluation.flip || evaluation.translate > 0 ? evaluation : undefined;
}

function averagesOf({ ema, lookahead }: Recipe, clock: Clock): AverageOptions {
  const { every, alpha, ramp } = lookahead;
  return {
    ...(ema.decay === 0 ? {} : { ema }),
    ...(every === 0 ? {} : { lookahead: { every, alpha, rampSteps: stepsOf(ramp, clock) } }),
  };
}

const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

/** A normalisation, and whose it is. */
export interface ChosenNormalization {
  readonly normalize: Normalization;
  readonly whose: string;
}

/** Undefined for the data set's own mean and deviation, which `train` measures. */
export function normalizationOf(
  { data: { normalize } }: Recipe,
  channels: number,
  network: LayersModel,
): ChosenNormalization | undefined {
  if (normalize === 'dataset') return undefined;
  if (normalize === 'unit') {
    return { normalize: { mean: Array(channels).fill(0), std: Array(channels).fill(1) }, whose: 'none' };
  }
  if (normalize === 'imagenet') return { normalize: imagenetFor(channels), whose: "ImageNet's" };
  if (normalize !== 'weights') return { normalize, whose: "the recipe's" };
  const pretrained = pretrainedOf(network);
  if (pretrained === undefined) return undefined;
  const { normalization } = pretrained;
  if (normalization === undefined) {
    return { normalize: imagenetFor(channels), whose: "ImageNet's, for the weights do not say" };
  }
  return { normalize: forChannels(normalization, channels), whose: 'as the weights were trained' };
}

function imagenetFor(channels: number): Normalization {
  if (channels === 3) return imagenet;
  // Grey by the colours' average: the deviation of a mean of like channels is about that of one.
  return { mean: Array(channels).fill(0.449), std: Array(channels).fill(0.226) };
}

/** Where pictures were brought from colour to grey or back, each channel gets the mean of the others'. */
function forChannels({ mean, std }: Normalization, channels: number): Normalization {
  if (mean.length === channels) return { mean, std };
  const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean: Array(channels).fill(average(mean)), std: Array(channels).fill(average(std)) };
}
