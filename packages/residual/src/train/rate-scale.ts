/** Lowers the learning rate of any tf.Optimizer by a factor, schedules included.
 *  Ours have a field for it; TF.js's own keep a plain number, whose first value is remembered here. */

import type * as tf from '@tensorflow/tfjs-core';

/** TF.js's optimizers, whose fields are protected in its types. */
interface Tunable {
  learningRate?: unknown;
  learningRateScale?: number;
  setLearningRate?(rate: number): void;
}

const first = new WeakMap<tf.Optimizer, number>();

/** @returns false where the optimizer gives no hold */
export function setRateScale(optimizer: tf.Optimizer, scale: number): boolean {
  const tunable = optimizer as unknown as Tunable;
  if (typeof tunable.learningRateScale === 'number') {
    tunable.learningRateScale = scale;
    return true;
  }
  const rate = first.get(optimizer) ?? tunable.learningRate;
  if (typeof rate !== 'number') return false;
  first.set(optimizer, rate);
  // SGD and Momentum hold the rate in a tensor as well; the others read the field at each step.
  if (tunable.setLearningRate) tunable.setLearningRate(rate * scale);
  else tunable.learningRate = rate * scale;
  return true;
}

/** The learning rate that the next update will have; 0 for an optimizer that does not tell. */
export function rateOf(optimizer: tf.Optimizer): number {
  const { learningRate } = optimizer as unknown as Tunable;
  return typeof learningRate === 'number' ? learningRate : 0;
}
