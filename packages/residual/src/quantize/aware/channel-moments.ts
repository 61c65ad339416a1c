/** Mean and biased variance of every channel, with a gradient of their own: TF.js's, of `tf.mean`, fills activations
 *  with ones on the host. */

import * as tf from '@tensorflow/tfjs-core';

/** @param x [..., C] @returns [2, C]: the means, then the variances */
export function channelMoments(x: tf.Tensor): tf.Tensor2D {
  const channels = x.shape.at(-1) ?? 1;
  const count = x.size / channels;
  return tf.customGrad((given, save) => {
    const rows = tf.reshape(given as tf.Tensor, [count, channels]);
    const mean = tf.mean(rows, 0, true);
    const variance = tf.mean(tf.square(tf.sub(rows, mean)), 0, true);
    (save as tf.GradSaveFunc)([given as tf.Tensor, mean]);
    return {
      value: tf.concat([mean, variance], 0),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [input, centre] = saved as [tf.Tensor, tf.Tensor];
        const [dMean, dVariance] = tf.split(dy, 2, 0) as [tf.Tensor, tf.Tensor];
        const centred = tf.sub(tf.reshape(input, [count, channels]), centre);
        const slope = tf.mul(dVariance, 2 / count);
        return tf.reshape(tf.add(tf.mul(centred, slope), tf.div(dMean, count)), input.shape);
      },
    };
  })(x) as tf.Tensor2D;
}
