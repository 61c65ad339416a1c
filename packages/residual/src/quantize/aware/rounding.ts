/** Fake quantization: numbers are rounded to those that integers can stand for, and gradients pass as if they were not.
 *  Straight-through estimation (Y. Bengio et al., arXiv 1308.3432), with TFLite's nudged zero point (arXiv 1712.05877). */

import * as tf from '@tensorflow/tfjs-core';
import type { ActivationOptions } from '../parameters.ts';
import type { Granularity } from '../weights.ts';

/** Which integers stand for a value. */
export interface ValueGrid {
  /** How many bits of each integer are used, 2 to 8. */
  readonly bits: number;
  readonly scheme: NonNullable<ActivationOptions['scheme']>;
}

/** The ends of a value's range, two scalars; widened to hold 0. */
export interface RangeEnds {
  readonly min: tf.Scalar;
  readonly max: tf.Scalar;
}

/** A range without width must not divide by 0. */
const SMALLEST_SCALE = 1e-30;

/**
 * A value as its integers would give it back. The gradient passes where a number lies within the range, and is 0 where
 * it was cut off; the range itself gets none.
 *
 * @param ends tells the range; called once, before anything is rounded, and what it does is not differentiated
 */
export function roundValue(value: tf.Tensor, grid: ValueGrid, ends: (value: tf.Tensor) => RangeEnds): tf.Tensor {
  const { bits, scheme } = grid;
  const half = 2 ** (bits - 1);
  const most = half - 1;
  return tf.customGrad((x, save) => {
    const { min, max } = ends(x as tf.Tensor);
    const [low, high] = [tf.minimum(min, 0), tf.maximum(max, 0)];
    const width = scheme === 'symmetric' ? tf.maximum(tf.neg(low), high) : tf.sub(high, low);
    const scale = tf.maximum(tf.div(width, scheme === 'symmetric' ? most : 2 * half - 1), SMALLEST_SCALE);
    const zeroPoint =
      scheme === 'symmetric'
        ? tf.zerosLike(scale)
        : tf.clipByValue(tf.round(tf.sub(-half, tf.div(low, scale))), -half, most);
    const integers = tf.clipByValue(tf.add(tf.round(tf.div(x as tf.Tensor, scale)), zeroPoint), -half, most);
    const least = tf.mul(tf.sub(-half, zeroPoint), scale);
    const largest = tf.mul(tf.sub(most, zeroPoint), scale);
    (save as tf.GradSaveFunc)([x as tf.Tensor, least, largest]);
    return {
      value: tf.mul(tf.sub(integers, zeroPoint), scale),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [given, from, to] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        const inside = tf.logicalAnd(tf.greaterEqual(given, from), tf.lessEqual(given, to));
        return tf.where(inside, dy, tf.zerosLike(dy));
      },
    };
  })(value);
}

/**
 * Weights as their integers would give them back: symmetric about 0, with the largest weight at the end of the range,
 * so that none is cut off and every gradient passes.
 *
 * @param channels how many output channels there are; they are the last axes, joined
 */
export function roundWeights(
  weights: tf.Tensor,
  channels: number,
  { granularity, bits }: { readonly granularity: Granularity; readonly bits: number },
): tf.Tensor {
  const most = 2 ** (bits - 1) - 1;
  return tf.customGrad((given) => {
    const w = given as tf.Tensor;
    const rows = tf.reshape(w, [-1, channels]);
    const largest = granularity === 'per-channel' ? tf.max(tf.abs(rows), 0) : tf.max(tf.abs(rows));
    const scale = tf.maximum(tf.div(largest, most), SMALLEST_SCALE);
    const value = tf.reshape(tf.mul(tf.round(tf.div(rows, scale)), scale), w.shape);
    return { value, gradFunc: (dy: tf.Tensor) => dy };
  })(weights);
}
