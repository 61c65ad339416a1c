/** The small, fast training by which the doctor looks for wrong labels: a narrow ResNet18 for a few epochs.
 *  It need not be good at the task; it must not have the time to learn wrong labels by heart. */

import { randomFlip } from '../augment/random-flip.ts';
import type { Transform } from '../augment/transform.ts';
import type { Dataset } from '../data/dataset.ts';
import { createModel, type ModelName } from '../models/registry.ts';
import { cosineDecay } from '../train/schedules.ts';
import { sgd } from '../train/sgd.ts';
import type { FoldTraining } from './out-of-fold.ts';

export interface QuickOptions {
  /** Default `resnet18`. */
  readonly model?: ModelName;
  /** Filters of the first stage. Default 16. */
  readonly width?: number;
  /** Default 4. */
  readonly epochs?: number;
  /** Default 64, less for small sets: at least 20 steps an epoch. */
  readonly batchSize?: number;
  /** Peak of the learning rate. Default 0.05. */
  readonly learningRate?: number;
  /** Default 0.1. */
  readonly labelSmoothing?: number;
  /** Default: mirroring. */
  readonly transforms?: readonly Transform[];
  readonly workers?: number;
}

/** For `outOfFold`: how each fold of `dataset` is trained. */
export function quickTraining(
  dataset: Pick<Dataset, 'imageShape' | 'classes'>,
  options: QuickOptions = {},
): (samples: number, seed: number) => FoldTraining {
  const {
    model = 'resnet18',
    width = 16,
    epochs = 4,
    learningRate = 0.05,
    labelSmoothing = 0.1,
    workers = 1,
  } = options;
  const { transforms = [randomFlip()] } = options;
  return (samples, seed) => {
    const batchSize = options.batchSize ?? Math.max(4, Math.min(64, Math.floor(samples / 20)));
    const steps = epochs * Math.max(1, Math.floor(samples / Math.min(batchSize, samples)));
    const warmupSteps = Math.floor(steps / 10);
    return {
      model: createModel(model, { inputShape: dataset.imageShape, classes: dataset.classes.length, width, seed }),
      options: {
        epochs,
        batchSize,
        optimizer: sgd({
          learningRate: cosineDecay(learningRate, steps - warmupSteps, { warmupSteps }),
          momentum: 0.9,
          nesterov: true,
          weightDecay: 5e-4,
          decay: 'kernels',
        }),
        labelSmoothing,
        transforms,
        seed,
        workers,
      },
    };
  };
}
