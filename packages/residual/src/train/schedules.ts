/** Learning rates as functions of the step.
 *  A schedule is plain data plus a pure function, so a run that is resumed stands where it stood. */

import { ModelError } from '../models/errors.ts';

/** From a step (counted from 0: how many updates were made before this one) to a learning rate. */
export interface Schedule {
  readonly name: 'constant' | 'cosineDecay';
  /** The numbers that make it, for the record and to tell whether two schedules are the same. */
  readonly config: Readonly<Record<string, number>>;
  at(step: number): number;
}

/** The same learning rate at every step. */
export function constant(learningRate: number): Schedule {
  checkRate('constant', learningRate);
  return { name: 'constant', config: { learningRate }, at: () => learningRate };
}

/**
 * Cosine decay (I. Loshchilov and F. Hutter, arXiv 1608.03983, without restarts), by the formula of Keras's
 * `CosineDecay`: initial · ((1 − α) · ½ (1 + cos(π t / steps)) + α), and initial · α from `steps` on.
 *
 * @param initial The highest learning rate.
 * @param steps Steps of decay; `warmupSteps` come before them, not out of them.
 * @param options.alpha Fraction of `initial` that is left at the end. Default 0.
 * @param options.warmupSteps Steps in which the rate climbs in a line from 0 (at step 0) to `initial`. Default 0.
 * @example sgd({ learningRate: cosineDecay(0.1, 10_000, { warmupSteps: 500 }) })
 */
export function cosineDecay(
  initial: number,
  steps: number,
  options: { readonly alpha?: number; readonly warmupSteps?: number } = {},
): Schedule {
  const { alpha = 0, warmupSteps = 0 } = options;
  checkRate('cosineDecay', initial);
  if (!(steps > 0)) throw new ModelError(`cosineDecay: steps must be more than 0, received ${steps}`);
  if (!(warmupSteps >= 0)) throw new ModelError(`cosineDecay: warmupSteps must be 0 or more, received ${warmupSteps}`);
  return {
    name: 'cosineDecay',
    config: { initial, steps, alpha, warmupSteps },
    at(step) {
      if (step < warmupSteps) return (initial * step) / warmupSteps;
      const done = Math.min(step - warmupSteps, steps) / steps;
      return initial * ((1 - alpha) * 0.5 * (1 + Math.cos(Math.PI * done)) + alpha);
    },
  };
}

/** A schedule from a number, or as it is. */
export function toSchedule(learningRate: number | Schedule): Schedule {
  return typeof learningRate === 'number' ? constant(learningRate) : learningRate;
}

function checkRate(name: string, rate: number): void {
  if (!(rate >= 0 && Number.isFinite(rate))) {
    throw new ModelError(`${name}: the learning rate must be a number from 0 up, received ${rate}`);
  }
}
