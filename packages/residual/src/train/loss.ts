/** Softmax cross-entropy with label smoothing, from logits, where it is exact and its gradient is one subtraction.
 *  For networks that only give probabilities there is the logarithm of the clipped probability, as in Keras. */

import * as tf from '@tensorflow/tfjs-core';

/** Probabilities are kept this far from 0 and 1 before their logarithm: Keras's `epsilon()`. */
const CLIP = 1e-7;

/**
 * Target distributions on the host: 1 − s on the true class, plus s / classes on all
 * (C. Szegedy et al., arXiv 1512.00567, section 7).
 *
 * @param labels Class indices.
 * @param classes Number of classes.
 * @param smoothing s, 0 ≤ s < 1.
 * @returns labels.length × classes, row-major.
 */
export function smoothedTargets(labels: Int32Array, classes: number, smoothing: number): Float32Array {
  const targets = new Float32Array(labels.length * classes).fill(smoothing / classes);
  labels.forEach((label, row) => {
    targets[row * classes + label] = 1 - smoothing + smoothing / classes;
  });
  return targets;
}

/**
 * Mean cross-entropy of softmax(logits) against target distributions, in nats.
 *
 * @param logits [n, classes]
 * @param targets [n, classes], rows that sum to 1; no gradient flows to them.
 */
export function softmaxCrossEntropy(logits: tf.Tensor2D, targets: tf.Tensor2D): tf.Scalar {
  const op = tf.customGrad((x, save) => {
    const logProbabilities = tf.logSoftmax(x as tf.Tensor);
    (save as tf.GradSaveFunc)([logProbabilities]);
    const rows = (x as tf.Tensor).shape[0] ?? 1;
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [logP] = saved as [tf.Tensor];
      return tf.mul(tf.sub(tf.exp(logP), targets), tf.div(dy, rows));
    };
    return { value: tf.div(tf.sum(tf.mul(logProbabilities, targets)), -rows), gradFunc };
  });
  return op(logits) as tf.Scalar;
}

/** Mean cross-entropy of given probabilities [n, classes] against target distributions [n, classes], in nats. */
export function crossEntropy(probabilities: tf.Tensor2D, targets: tf.Tensor2D): tf.Scalar {
  const logarithms = tf.log(tf.clipByValue(probabilities, CLIP, 1 - CLIP));
  return tf.div(tf.sum(tf.mul(logarithms, targets)), -(probabilities.shape[0] ?? 1));
}
