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

/** The loss of each row, [n], of logits and targets of [n, classes]. */
export type RowLoss = (logits: tf.Tensor2D, targets: tf.Tensor2D) => tf.Tensor1D;

/**
 * A loss of each row with its gradient written out: autodiff would go through values that overflow or cancel.
 *
 * @param value Its rows, and what the gradient needs again.
 * @param gradient d loss / d logits, [n, classes], before it is scaled by what comes from above.
 */
export function rowLoss(
  value: (logits: tf.Tensor2D, targets: tf.Tensor2D) => { rows: tf.Tensor1D; saved: tf.Tensor },
  gradient: (saved: tf.Tensor2D, targets: tf.Tensor2D) => tf.Tensor,
): RowLoss {
  return (logits, targets) => {
    const op = tf.customGrad((x, save) => {
      const { rows, saved } = value(x as tf.Tensor2D, targets);
      // The targets as well: they may be gone by the time of the gradient.
      (save as tf.GradSaveFunc)([saved, targets]);
      const gradFunc = (dy: tf.Tensor, kept: tf.Tensor[]) => {
        const [mine, wanted] = kept as [tf.Tensor2D, tf.Tensor2D];
        return tf.mul(gradient(mine, wanted), tf.expandDims(dy, 1));
      };
      return { value: rows, gradFunc };
    });
    return op(logits) as tf.Tensor1D;
  };
}

/** −Σ t · log softmax(logits); any non-negative targets, a row of zeros costs nothing. */
export const crossEntropyRows: RowLoss = rowLoss(
  (logits, targets) => {
    const logP = tf.logSoftmax(logits);
    return { rows: tf.neg(tf.sum(tf.mul(logP, targets), 1)) as tf.Tensor1D, saved: logP };
  },
  (logP, targets) => tf.sub(tf.mul(tf.exp(logP), tf.sum(targets, 1, true)), targets),
);

/** Values whose softmax gives the probabilities again. */
export function logitsOf(probabilities: tf.Tensor2D): tf.Tensor2D {
  return tf.log(tf.clipByValue(probabilities, CLIP, 1 - CLIP));
}

/** Values whose sigmoid gives the probabilities again. */
export function sigmoidLogitsOf(probabilities: tf.Tensor2D): tf.Tensor2D {
  const p = tf.clipByValue(probabilities, CLIP, 1 - CLIP);
  return tf.sub(tf.log(p), tf.log(tf.sub(1, p)));
}
