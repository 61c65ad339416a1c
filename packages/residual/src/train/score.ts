/** How a validation image counts: one class right or wrong, or the part of its many labels that was told rightly. */

import type { Splits } from '../data/dataset.ts';
import { ModelError } from '../models/errors.ts';
import type { Prediction } from '../models/inference.ts';
import type { Loss } from './losses.ts';

export interface Score {
  /** In nats, without label smoothing. */
  readonly loss: number;
  /** 0–1. */
  readonly correct: number;
}

/** Sigmoids are kept this far from 0 and 1 before their logarithm, as in Keras. */
const CLIP = 1e-7;

/**
 * @param options.targets and `validationTargets`: images × classes; without them the labels say it.
 * @throws ModelError for targets of the wrong length, or none for the validation where the training has them
 */
export function scoreFor(
  loss: Pick<Loss, 'answers' | 'kind'>,
  { train, validation, classes }: Splits,
  options: { readonly targets?: Float32Array; readonly validationTargets?: Float32Array },
): (prediction: Prediction) => Score {
  const { targets, validationTargets } = options;
  for (const [name, rows, size] of [
    ['targets', targets, train.size],
    ['validationTargets', validationTargets, validation?.size ?? 0],
  ] as const) {
    if (rows && rows.length !== size * classes.length) {
      throw new ModelError(`train: ${name} must be ${size} x ${classes.length} values, received ${rows.length}`);
    }
  }
  if (loss.answers === 'one') {
    return ({ loss, predicted, actual }) => ({ loss, correct: predicted === actual ? 1 : 0 });
  }
  if (targets && validation && validation.size > 0 && !validationTargets) {
    throw new ModelError(`train: ${loss.kind} with targets needs validationTargets for the validation set too`);
  }
  return ({ probabilities, index, actual }) => {
    let [sum, right] = [0, 0];
    probabilities.forEach((probability, label) => {
      const target = validationTargets?.[index * classes.length + label] ?? (label === actual ? 1 : 0);
      const p = Math.min(1 - CLIP, Math.max(CLIP, probability));
      sum -= target * Math.log(p) + (1 - target) * Math.log(1 - p);
      if (probability > 0.5 === target > 0.5) right++;
    });
    return { loss: sum / probabilities.length, correct: right / probabilities.length };
  };
}
