/** Gradient clipping: by value, by each gradient's norm, or by the norm of all of them together.
 *  The rules of Keras's `clipvalue`, `clipnorm` and `global_clipnorm`; one of the three at a time, as there. */

import * as tf from '@tensorflow/tfjs-core';
import { checkValue } from './schedule.ts';

export interface Clip {
  /** Every element is brought to −value … value. */
  readonly value?: number;
  /** Each weight's gradient is shortened to this Euclidean norm. */
  readonly norm?: number;
  /** All gradients are shortened by one factor, so that together they have this norm at most. */
  readonly globalNorm?: number;
}

/** tfjs-core's own type of this form is not exported. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: tf.Tensor;
}

/** @throws ModelError for two rules at once, an unknown rule, or a limit that is not above 0 */
export function checkClip(owner: string, clip: Clip): void {
  const rules = Object.entries(clip).filter(([, limit]) => limit !== undefined);
  const known = rules.length === 1 && rules.every(([name]) => ['value', 'norm', 'globalNorm'].includes(name));
  checkValue(owner, known, 'clip must have one of value, norm, globalNorm', JSON.stringify(clip));
  for (const [name, limit] of rules) checkValue(owner, limit > 0, `clip.${name} must be more than 0`, limit);
}

/** Clipped gradients, in the order given; inside `tf.tidy`. Without a rule they are returned as they are. */
export function clipGradients(gradients: readonly NamedTensor[], clip: Clip | undefined): readonly NamedTensor[] {
  if (!clip) return gradients;
  const { value, norm, globalNorm } = clip;
  const each = (change: (tensor: tf.Tensor) => tf.Tensor) =>
    gradients.map(({ name, tensor }) => ({ name, tensor: change(tensor) }));
  if (value !== undefined) return each((tensor) => tf.clipByValue(tensor, -value, value));
  if (norm !== undefined) {
    return each((tensor) => tf.mul(tensor, shrink(tf.sum(tf.square(tensor)), norm)));
  }
  if (globalNorm === undefined) return gradients;
  const squares = gradients.map(({ tensor }) => tf.sum(tf.square(tensor)));
  const [first, ...rest] = squares;
  if (!first) return gradients;
  const factor = shrink(
    rest.reduce((sum, square) => tf.add(sum, square), first),
    globalNorm,
  );
  return each((tensor) => tf.mul(tensor, factor));
}

/** limit / max(√square, limit): exactly 1 within the limit. */
function shrink(square: tf.Tensor, limit: number): tf.Tensor {
  return tf.div(limit, tf.maximum(tf.sqrt(square), limit));
}
