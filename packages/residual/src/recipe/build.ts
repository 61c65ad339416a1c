/** From a recipe to what the library works with: options for the data, the network and the training.
 *  The one place that knows both the recipe's words and the constructors' arguments. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { TestTimeAugmentation } from '../augment/index.ts';
import { batchesPerEpoch } from '../data/batches.ts';
import type { Normalization, Splits } from '../data/dataset.ts';
import type { OpenOptions } from '../data/node/open.ts';
import { createModel } from '../models/registry.ts';
import type { AverageOptions } from '../train/averages.ts';
import { earlyStopping } from '../train/callbacks/early-stopping.ts';
import type { TrainOptions } from '../train/options.ts';
import { type Clock, stepsOf } from './duration.ts';
import { lossOf } from './loss.ts';
import { optimizerOf } from './optimizer.ts';
import { freezeBackbone, takeWeights } from './pretrained.ts';
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
  const { name, weights, freeze, ...options } = model;
  const network = createModel(name, {
    ...options,
    inputShape: imageShape,
    classes: classes.length,
    seed: training.seed,
  });
  if (weights !== undefined) await takeWeights(network, weights);
  if (freeze === 'backbone') freezeBackbone(network);
  return network;
}

/** How long the run is. */
export function clockOf({ training }: Recipe, splits: Splits): Clock {
  const batch = Math.min(training.batch, splits.train.size);
  return { epochs: training.epochs, stepsPerEpoch: batchesPerEpoch(splits.train.size, batch, true) };
}

/** The options of `train` that a recipe decides. The optimizer is the caller's to dispose of. */
export function trainOptionsOf(recipe: Recipe, splits: Splits): TrainOptions {
  const { augment, loss, optimizer, schedule, training } = recipe;
  const clock = clockOf(recipe, splits);
  const side = Math.min(splits.imageShape[0], splits.imageShape[1]);
  const normalize = normalizationOf(recipe, splits.imageShape[2]);
  return {
    epochs: training.epochs,
    batchSize: training.batch,
    seed: training.seed,
    optimizer: optimizerOf(optimizer, (rate) => scheduleOf(schedule, rate, clock)),
    loss: lossOf(loss),
    ...averagesOf(recipe, clock),
    ...(training.earlyStopping === 0 ? {} : { callbacks: [earlyStopping({ patience: training.earlyStopping })] }),
    ...(training.microBatch === undefined ? {} : { microBatch: training.microBatch }),
    resolution: training.resolution.map(({ until, size }) => ({ untilStep: stepsOf(until, clock), size })),
    transforms: augment.map((one) => toTransform(one, side)),
    ...(normalize === undefined ? {} : { normalize }),
  };
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

/** Undefined for the data set's own mean and deviation, which `train` measures. */
function normalizationOf({ data: { normalize } }: Recipe, channels: number): Normalization | undefined {
  if (normalize === 'dataset') return undefined;
  if (normalize === 'unit') return { mean: Array(channels).fill(0), std: Array(channels).fill(1) };
  if (normalize !== 'imagenet') return normalize;
  if (channels === 3) return imagenet;
  // Grey by the colours' average: the deviation of a mean of like channels is about that of one.
  return { mean: Array(channels).fill(0.449), std: Array(channels).fill(0.226) };
}
