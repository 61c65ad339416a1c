/** The focal loss: cross-entropy that forgets what is already right, for rare or hard classes.
 *  T.-Y. Lin et al., arXiv 1708.02002, in the form of Keras's `CategoricalFocalCrossentropy`. */

import * as tf from '@tensorflow/tfjs-core';
import { type RowLoss, rowLoss } from './loss.ts';

/** 1 − p is kept above this, where a power less than 1 has no slope. */
const LEAST = 1e-12;

/**
 * −Σ α · t · (1 − p)^γ · log p with p = softmax(logits).
 *
 * With l = log p and q = 1 − p, the derivative by l of −q^γ · l is γ·q^(γ−1)·p·l − q^γ.
 *
 * @param gamma γ from 0 up; 0 is cross-entropy.
 * @param alpha One factor, or one of each class.
 */
export function focalRows(gamma: number, alpha: number | readonly number[]): RowLoss {
  const factor = () => (typeof alpha === 'number' ? tf.scalar(alpha) : tf.tensor1d([...alpha]));
  // 1 − p from the logarithm keeps its digits where p is near 1.
  const rest = (logP: tf.Tensor) => tf.maximum(tf.neg(tf.expm1(logP)), LEAST);
  return rowLoss(
    (logits, targets) => {
      const logP = tf.logSoftmax(logits);
      const terms = tf.mul(tf.mul(tf.pow(rest(logP), gamma), logP), tf.mul(targets, factor()));
      return { rows: tf.neg(tf.sum(terms, 1)) as tf.Tensor1D, saved: logP };
    },
    (logP, targets) => {
      const [p, q] = [tf.exp(logP), rest(logP)];
      const slope = tf.sub(tf.mul(tf.mul(gamma, tf.pow(q, gamma - 1)), tf.mul(p, logP)), tf.pow(q, gamma));
      const weighted = tf.mul(slope, tf.mul(targets, factor()));
      return tf.sub(weighted, tf.mul(p, tf.sum(weighted, 1, true)));
    },
  );
}
