/** Binary cross-entropy: every class is a question of its own, for images with many labels or none.
 *  The mean over the classes, as in Keras's `BinaryCrossentropy`. */

import * as tf from '@tensorflow/tfjs-core';
import { type RowLoss, rowLoss } from './loss.ts';

/**
 * Mean over classes of −w·t·log σ(z) − (1 − t)·log(1 − σ(z)), computed as (1 − t)·z + (1 + (w − 1)·t)·softplus(−z),
 * where nothing overflows.
 *
 * @param positiveWeights w of each class (PyTorch's `pos_weight`): how much a missed label counts. Default 1.
 */
export function binaryRows(positiveWeights?: readonly number[]): RowLoss {
  const weight = (targets: tf.Tensor) =>
    positiveWeights ? tf.add(tf.mul(targets, tf.sub(tf.tensor1d([...positiveWeights]), 1)), 1) : undefined;
  const times = (x: tf.Tensor, factor: tf.Tensor | undefined) => (factor ? tf.mul(x, factor) : x);
  return rowLoss(
    (logits, targets) => {
      // softplus(−z) = max(−z, 0) + log(1 + e^−|z|)
      const softplus = tf.add(tf.relu(tf.neg(logits)), tf.log1p(tf.exp(tf.neg(tf.abs(logits)))));
      const terms = tf.add(tf.mul(tf.sub(1, targets), logits), times(softplus, weight(targets)));
      return { rows: tf.mean(terms, 1) as tf.Tensor1D, saved: logits };
    },
    (logits, targets) => {
      const classes = logits.shape[1];
      const missing = tf.sub(tf.sigmoid(logits), 1);
      return tf.div(tf.add(tf.sub(1, targets), times(missing, weight(targets))), classes);
    },
  );
}
