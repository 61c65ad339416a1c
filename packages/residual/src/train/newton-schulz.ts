/** The nearest (semi-)orthogonal matrix, about: five products of matrices instead of a singular value decomposition.
 *  It is what Muon does to a gradient. */

import * as tf from '@tensorflow/tfjs-core';

/** Coefficients of the quintic, chosen for the steepest slope at 0 (K. Jordan, https://kellerjordan.github.io/posts/muon). */
const [A, B, C] = [3.4445, -4.775, 2.0315];

/**
 * Brings all singular values of a matrix near 1 (within about 0.7 … 1.2), and keeps its singular vectors:
 * X ← A·X + (B·XXᵀ + C·(XXᵀ)²)·X, from X = G / ‖G‖.
 *
 * @param matrix [m, n]; the products are of the smaller side's size.
 * @param steps Default 5.
 */
export function orthogonalize(matrix: tf.Tensor2D, steps = 5): tf.Tensor2D {
  return tf.tidy(() => {
    const [rows, columns] = matrix.shape;
    const norm = tf.sqrt(tf.sum(tf.square(matrix)));
    let x: tf.Tensor2D = tf.div(matrix, tf.add(norm, 1e-7));
    for (let i = 0; i < steps; i++) {
      const tall = rows > columns;
      const gram = tf.matMul<tf.Tensor2D>(x, x, tall, !tall);
      const mix = tf.add<tf.Tensor2D>(tf.mul(gram, B), tf.mul(tf.matMul(gram, gram), C));
      x = tf.add<tf.Tensor2D>(tf.mul(x, A), tall ? tf.matMul(x, mix) : tf.matMul(mix, x));
    }
    return x;
  });
}
