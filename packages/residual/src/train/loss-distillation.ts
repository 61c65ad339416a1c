/** Knowledge distillation: what a teacher thinks of an image, wrong classes included, is the lesson.
 *  G. Hinton, O. Vinyals and J. Dean, arXiv 1503.02531. */

import * as tf from '@tensorflow/tfjs-core';
import { crossEntropyRows, rowLoss } from './loss.ts';

/**
 * α · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) + (1 − α) · cross-entropy(targets, softmax(student)).
 *
 * T² keeps the gradients of both parts of one size whatever the temperature; no gradient flows to the teacher.
 *
 * @param student Logits [n, classes].
 * @param teacher Logits [n, classes].
 * @param targets [n, classes]
 * @returns [n]
 */
export function distillationRows(
  student: tf.Tensor2D,
  teacher: tf.Tensor2D,
  targets: tf.Tensor2D,
  { temperature, alpha }: { readonly temperature: number; readonly alpha: number },
): tf.Tensor1D {
  const soft = rowLoss(
    (logits, taught) => {
      const [logP, logQ] = [logits, taught].map((x) => tf.logSoftmax(tf.div(x, temperature))) as [tf.Tensor, tf.Tensor];
      const divergence = tf.sum(tf.mul(tf.exp(logQ), tf.sub(logQ, logP)), 1);
      return { rows: tf.mul(divergence, temperature ** 2) as tf.Tensor1D, saved: logits };
    },
    (logits, taught) => {
      const [p, q] = [logits, taught].map((x) => tf.softmax(tf.div(x, temperature))) as [tf.Tensor, tf.Tensor];
      return tf.mul(tf.sub(p, q), temperature);
    },
  );
  if (alpha === 1) return soft(student, teacher);
  const hard = crossEntropyRows(student, targets);
  return tf.add<tf.Tensor1D>(tf.mul(soft(student, teacher), alpha), tf.mul(hard, 1 - alpha));
}
