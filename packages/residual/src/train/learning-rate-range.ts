/** The learning rate range test: the rate climbs step by step until the loss explodes, and the curve shows what will do.
 *  L. Smith, arXiv 1506.01186. The model is afterwards what it was, bit for bit. */

import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Transform } from '../augment/transform.ts';
import { type Batch, batches, batchesPerEpoch } from '../data/batches.ts';
import type { Dataset, Normalization } from '../data/dataset.ts';
import { meanAndStd } from '../data/statistics.ts';
import { ModelError } from '../models/errors.ts';
import { checkFit } from '../models/inference.ts';
import { networkOf } from '../models/network.ts';
import { applyWeights, captureWeights } from './checkpoint.ts';
import { balancedWeights, type Loss } from './losses.ts';
import { checkValue, type Schedule } from './schedule.ts';
import { exponentialRange } from './schedules.ts';
import { sgd } from './sgd.ts';
import { trainingStep } from './step.ts';

export interface LearningRateRangeOptions {
  /** The first learning rate. Default 1e-5. */
  readonly low?: number;
  /** The last one, if the loss does not explode before. Default 10. */
  readonly high?: number;
  /** Default 100. */
  readonly steps?: number;
  /** Default 128, or all images where there are fewer. */
  readonly batchSize?: number;
  /**
   * Makes the optimizer whose rate is searched; it is disposed of afterwards. Default: `sgd` with Nesterov momentum 0.9
   * and weight decay 5e-4 on kernels, as in `train`.
   */
  readonly optimizer?: (learningRate: Schedule) => tf.Optimizer;
  /** Default: cross-entropy. */
  readonly loss?: Loss;
  /** Augmentations, in order. Default none. */
  readonly transforms?: readonly Transform[];
  /** Default: mean and standard deviation of the images. */
  readonly normalize?: Normalization;
  /** Of the order of images and of augmentation. Default 0. */
  readonly seed?: number;
  /** Threads that make batches; the result does not depend on it. Default 1. */
  readonly workers?: number;
  /** The loss has exploded where its mean is so many times its highest of the first tenth of the steps. Default 1.25. */
  readonly explodes?: number;
  /** Ends the test; the model is put back, and the signal's reason is thrown. */
  readonly signal?: AbortSignal;
  /** After each step. */
  readonly onStep?: (point: RangePoint, steps: number) => void;
}

export interface RangePoint {
  readonly learningRate: number;
  /** Of this step's batch. */
  readonly loss: number;
  /** The exponential mean of the losses so far, with 0.95 kept of it at each step and the bias of its start taken out. */
  readonly smoothed: number;
}

export interface LearningRateRange {
  readonly points: readonly RangePoint[];
  /** True where the loss exploded before the last step: only then the curve shows its upper end. */
  readonly exploded: boolean;
  /**
   * For the highest rate of a schedule: a tenth of the rate at which the mean has come within 5 % of its whole fall. S.
   * Gugger's rule takes a tenth of the rate at the lowest point; on easy data the curve is flat there for decades.
   * Undefined where the loss did not fall.
   */
  readonly suggested: number | undefined;
}

/** What the mean keeps of itself. */
const KEPT = 0.95;
/** The lowest point must lie so much below the first, or nothing was learned. */
const LEARNED = 0.98;
/** The part of the fall that may be missing where the rate is read off. */
const MISSING = 0.05;

/**
 * Trains for a few steps, each with a higher learning rate, and puts all weights back, averages of BN included.
 *
 * @param data The training part.
 * @throws ModelError for impossible options or data that does not fit the model
 * @throws DataError where the data cannot be read
 * @example
 * const { suggested = 0.05 } = await learningRateRange(model, photos.train);
 * await train(model, photos, { epochs: 20, optimizer: sgd({ learningRate: cosineDecay(suggested, 10_000), momentum: 0.9 }) });
 */
export async function learningRateRange(
  model: LayersModel,
  data: Dataset,
  options: LearningRateRangeOptions = {},
): Promise<LearningRateRange> {
  const { low = 1e-5, high = 10, steps = 100, explodes = 1.25, loss, signal, onStep } = options;
  checkFit(networkOf(model), data);
  checkValue('learningRateRange', explodes > 1, 'explodes must be more than 1', explodes);
  const schedule = exponentialRange(low, high, steps);
  const normalize = options.normalize ?? (await meanAndStd(data));
  const before = await captureWeights(model);
  const optimizer = options.optimizer?.(schedule) ?? usualOptimizer(schedule);
  const balanced = loss?.classWeights === 'balanced' && balancedWeights(data.labels, data.classes.length);
  const points: RangePoint[] = [];
  let exploded = false;
  try {
    const step = trainingStep(model, {
      optimizer,
      normalize,
      ...(loss ? { loss } : {}),
      ...(balanced ? { classWeights: balanced } : {}),
    });
    let [mean, usual] = [0, 0];
    const settled = Math.max(3, Math.ceil(steps / 10));
    for await (const batch of endless(data, normalize, options)) {
      signal?.throwIfAborted();
      const learningRate = schedule.at(points.length);
      const { loss } = await step(batch);
      mean = KEPT * mean + (1 - KEPT) * loss;
      const smoothed = mean / (1 - KEPT ** (points.length + 1));
      if (points.length < settled) usual = Math.max(usual, smoothed);
      exploded = !Number.isFinite(loss) || smoothed > explodes * usual;
      if (Number.isFinite(loss)) {
        const point = { learningRate, loss, smoothed };
        points.push(point);
        onStep?.(point, steps);
      }
      if (exploded || points.length === steps) break;
    }
  } finally {
    optimizer.dispose();
    applyWeights(model, before, 'before the range test');
  }
  return { points, exploded, suggested: suggestionOf(points) };
}

function usualOptimizer(learningRate: Schedule): tf.Optimizer {
  return sgd({ learningRate, momentum: 0.9, nesterov: true, weightDecay: 5e-4, decay: 'kernels' });
}

/** Epoch after epoch. */
async function* endless(
  data: Dataset,
  normalize: Normalization,
  options: LearningRateRangeOptions,
): AsyncGenerator<Batch, void, undefined> {
  const { seed = 0, transforms = [], workers = 1 } = options;
  const batchSize = Math.min(options.batchSize ?? 128, data.size);
  const order = { batchSize, seed, shuffle: true, dropRemainder: true, transforms, normalize, workers };
  if (batchesPerEpoch(data.size, batchSize, true) < 1)
    throw new ModelError(`${data.name}: has no images to learn from`);
  for (let epoch = 0; ; epoch++) yield* batches(data, { ...order, epoch });
}

function suggestionOf(points: readonly RangePoint[]): number | undefined {
  const [first] = points;
  if (!first) return undefined;
  const lowest = points.reduce((least, { smoothed }) => Math.min(least, smoothed), first.smoothed);
  if (lowest >= LEARNED * first.smoothed) return undefined;
  const level = lowest + MISSING * (first.smoothed - lowest);
  const there = points.find(({ smoothed }) => smoothed <= level);
  return there && there.learningRate / 10;
}
