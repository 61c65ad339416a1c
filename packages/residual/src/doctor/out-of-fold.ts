/** Probabilities for every sample from networks that never saw it: k-fold cross-validation.
 *  What confident learning needs, at the price of k short trainings. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Dataset } from '../data/dataset.ts';
import { foldParts, stratifiedFolds } from '../data/folds.ts';
import { meanAndStd } from '../data/statistics.ts';
import { subset } from '../data/subset.ts';
import { predictions } from '../models/inference.ts';
import type { StepEvent, TrainOptions } from '../train/options.ts';
import { train } from '../train/train.ts';

/** A training of one fold. */
export interface FoldTraining {
  /** Makes the untrained network; it is disposed of afterwards. */
  readonly model: LayersModel;
  /** Its training; what belongs to the fold is filled in. */
  readonly options: Omit<TrainOptions, 'directory' | 'resume' | 'signal' | 'onStep' | 'onEpoch' | 'onValidation'>;
}

export interface FoldProgress {
  /** Counted from 1, repeats included. */
  readonly fold: number;
  readonly folds: number;
  /** Of everything, 0 to 1. */
  readonly done: number;
  readonly step?: StepEvent;
}

export interface OutOfFoldOptions {
  /** Default 4. */
  readonly folds?: number;
  /** Cross-validations with other folds and other weights, whose probabilities are averaged. Default 1. */
  readonly repeats?: number;
  /** Of the folds. Default 0. */
  readonly seed?: number;
  /** The last epochs of each training whose probabilities are averaged (their networks err differently). Default 1. */
  readonly snapshots?: number;
  /** Samples with equal numbers (copies) are kept in one fold. */
  readonly groups?: ArrayLike<number>;
  /** Parts that were held out anyway: they are predicted by all folds' networks. */
  readonly others?: readonly Dataset[];
  /** How a fold is trained, given how many samples it has and a seed of its own. */
  readonly training: (samples: number, seed: number) => FoldTraining;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FoldProgress) => void;
}

export interface OutOfFold {
  /** The fold of each sample, in the first repeat. */
  readonly folds: Int32Array;
  /** Samples × classes, row-major; NaN for a sample whose file could not be read. */
  readonly probabilities: Float64Array;
  /** The same for each of `others`. */
  readonly others: readonly Float64Array[];
}

/**
 * Trains `folds × repeats` networks, each on all folds but one, and predicts every sample by those that did not learn it.
 *
 * @throws DataError for an impossible number of folds; what `train` throws; the signal's reason once it is aborted
 */
export async function outOfFold(dataset: Dataset, options: OutOfFoldOptions): Promise<OutOfFold> {
  const { folds = 4, repeats = 1, seed = 0, snapshots = 1, others = [], signal } = options;
  const classes = dataset.classes.length;
  const tallies = [dataset, ...others].map(({ size }) => new Tally(size, classes));
  const [own] = tallies;
  const first = stratifiedFolds(dataset.labels, folds, seed, options.groups);
  const normalize = await meanAndStd(dataset);
  for (let turn = 0; turn < folds * repeats; turn++) {
    signal?.throwIfAborted();
    const [repeat, fold] = [Math.floor(turn / folds), turn % folds];
    const foldOf = repeat === 0 ? first : stratifiedFolds(dataset.labels, folds, seed + repeat, options.groups);
    const { rest, held } = foldParts(foldOf, fold);
    const learned = subset(dataset, rest, { name: `${dataset.name} without fold ${fold + 1}` });
    const heldOut = subset(dataset, held, { name: `${dataset.name} fold ${fold + 1}` });
    const { model, options: training } = options.training(rest.length, seed * 1000 + turn);
    const { epochs, batchSize = 64, workers = 1 } = training;
    const look = { preprocessing: normalize, batchSize, workers, ...(signal && { signal }) };
    const record = async () => {
      for await (const { index, probabilities } of predictions(model, heldOut, look)) {
        own.add(held[index], probabilities);
      }
      for (const [i, other] of others.entries()) {
        for await (const { index, probabilities } of predictions(model, other, look)) {
          tallies[i + 1].add(index, probabilities);
        }
      }
    };
    const at = { fold: turn + 1, folds: folds * repeats };
    try {
      const { interrupted } = await train(
        model,
        { classes: dataset.classes, imageShape: dataset.imageShape, train: learned },
        {
          normalize,
          ...training,
          ...(signal && { signal }),
          onStep: (step) => options.onProgress?.({ ...at, done: (turn + step.step / step.steps) / at.folds, step }),
          onEpoch: async ({ epoch }) => {
            if (epoch > epochs - snapshots) await record();
          },
        },
      );
      if (interrupted) signal?.throwIfAborted();
    } finally {
      model.dispose();
    }
    options.onProgress?.({ ...at, done: (turn + 1) / at.folds });
  }
  return {
    folds: first,
    probabilities: own.means(),
    others: tallies.slice(1).map((tally) => tally.means()),
  };
}

/** Sums of probabilities, row by row. */
class Tally {
  private readonly sums: Float64Array;
  private readonly counts: Int32Array;
  private readonly classes: number;

  constructor(size: number, classes: number) {
    this.classes = classes;
    this.sums = new Float64Array(size * classes);
    this.counts = new Int32Array(size);
  }

  add(index: number, probabilities: ArrayLike<number>): void {
    for (let k = 0; k < this.classes; k++) this.sums[index * this.classes + k] += probabilities[k];
    this.counts[index]++;
  }

  /** 0 / 0 says that a sample was never seen. */
  means(): Float64Array {
    return this.sums.map((sum, cell) => sum / this.counts[Math.floor(cell / this.classes)]);
  }
}
