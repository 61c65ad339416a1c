/** Training-mode batch normalisation as one op with one gradient op, named as TensorFlow names them.
 *  The composite of TF.js walks over an activation about 25 times per step; a fused kernel needs 2 walks. */

import * as tf from '@tensorflow/tfjs-core';

/** Inputs {x, scale, offset}, attribute {epsilon}, outputs [y, batch mean, batch variance]. */
export const FUSED_BATCH_NORM = 'FusedBatchNormV3';

/** Inputs {dy, x, scale, mean, variance}, attribute {epsilon}, outputs [dx, dscale, doffset]. */
export const FUSED_BATCH_NORM_GRAD = 'FusedBatchNormGradV3';

/**
 * Normalises each channel of a batch to mean 0 and variance 1, then scales and shifts it
 * (S. Ioffe and C. Szegedy, arXiv 1502.03167, algorithm 1).
 *
 * Gradients flow to `x`, `scale` and `offset`. None flow through the returned statistics: they are there for
 * moving averages.
 *
 * A backend that registers the kernels `FusedBatchNormV3` and `FusedBatchNormGradV3` runs its own; any other gets a
 * composite of TF.js ops under the same names at its first use.
 *
 * @param x Float tensor [..., C], of rank 2 or more.
 * @param scale γ, [C].
 * @param offset β, [C].
 * @param epsilon Added to the variance, e.g. 1e-5.
 * @returns y like `x`; the batch's mean [C]; its biased variance [C].
 */
export function fusedBatchNorm(
  x: tf.Tensor,
  scale: tf.Tensor1D,
  offset: tf.Tensor1D,
  epsilon: number,
): [y: tf.Tensor, batchMean: tf.Tensor1D, batchVariance: tf.Tensor1D] {
  const channels = x.shape.at(-1);
  if (x.rank < 2 || scale.size !== channels || offset.size !== channels) {
    throw new Error(
      `fusedBatchNorm: x must be [..., C] with C-long scale and offset; x is [${x.shape}], scale [${scale.shape}], ` +
        `offset [${offset.shape}]`,
    );
  }
  ensureKernels();
  const outputs = tf.engine().runKernel(FUSED_BATCH_NORM, { x, scale, offset }, { epsilon });
  return outputs as unknown as [tf.Tensor, tf.Tensor1D, tf.Tensor1D];
}

tf.registerGradient({
  kernelName: FUSED_BATCH_NORM,
  inputsToSave: ['x', 'scale'],
  outputsToSave: [false, true, true],
  gradFunc: (dy, saved, attrs) => {
    // A tape entry with several outputs gets one dy per output; those of mean and variance are not propagated.
    const gradient = Array.isArray(dy) ? dy[0] : dy;
    const [x, scale, mean, variance] = saved;
    if (!gradient || !x || !scale || !mean || !variance) throw new Error('internal: batch norm gradient lacks inputs');
    const outputs = tf.engine().runKernel(FUSED_BATCH_NORM_GRAD, { dy: gradient, x, scale, mean, variance }, attrs);
    const [dx, dscale, doffset] = outputs as unknown as [tf.Tensor, tf.Tensor, tf.Tensor];
    return { x: () => dx, scale: () => dscale, offset: () => doffset };
  },
});

/** Gives the current backend the composites below, unless it has kernels of its own. */
function ensureKernels(): void {
  const backendName = tf.getBackend();
  if (!tf.getKernel(FUSED_BATCH_NORM, backendName)) {
    tf.registerKernel({
      kernelName: FUSED_BATCH_NORM,
      backendName,
      kernelFunc: forwardComposite as unknown as tf.KernelFunc,
    });
  }
  if (!tf.getKernel(FUSED_BATCH_NORM_GRAD, backendName)) {
    tf.registerKernel({
      kernelName: FUSED_BATCH_NORM_GRAD,
      backendName,
      kernelFunc: gradientComposite as unknown as tf.KernelFunc,
    });
  }
}

interface ForwardCall {
  readonly inputs: { readonly x: tf.Tensor; readonly scale: tf.Tensor; readonly offset: tf.Tensor };
  readonly attrs: { readonly epsilon: number };
}

function forwardComposite({ inputs, attrs }: ForwardCall): tf.Tensor[] {
  return tf.tidy(() => {
    const { x, scale, offset } = inputs;
    const rows = tf.reshape(x, [-1, scale.size]);
    const mean = tf.mean(rows, 0);
    const centred = tf.sub(rows, mean);
    const variance = tf.mean(tf.square(centred), 0);
    const slope = tf.mul(scale, tf.rsqrt(tf.add(variance, attrs.epsilon)));
    const y = tf.add(tf.mul(centred, slope), offset);
    return [tf.reshape(y, x.shape), mean, variance];
  });
}

interface GradientCall {
  readonly inputs: Readonly<Record<'dy' | 'x' | 'scale' | 'mean' | 'variance', tf.Tensor>>;
  readonly attrs: { readonly epsilon: number };
}

/** With x̂ = (x − mean) / σ: dβ = Σ dy, dγ = Σ dy·x̂, dx = γ/σ · (dy − dβ/n − x̂·dγ/n). */
function gradientComposite({ inputs, attrs }: GradientCall): tf.Tensor[] {
  return tf.tidy(() => {
    const { dy, x, scale, mean, variance } = inputs;
    const shape = [-1, scale.size];
    const dyRows = tf.reshape(dy, shape);
    const inverse = tf.rsqrt(tf.add(variance, attrs.epsilon));
    const normal = tf.mul(tf.sub(tf.reshape(x, shape), mean), inverse);
    const doffset = tf.sum(dyRows, 0);
    const dscale = tf.sum(tf.mul(dyRows, normal), 0);
    const rows = x.size / scale.size;
    const inner = tf.sub(tf.sub(dyRows, tf.div(doffset, rows)), tf.mul(normal, tf.div(dscale, rows)));
    const dx = tf.mul(inner, tf.mul(scale, inverse));
    return [tf.reshape(dx, x.shape), dscale, doffset];
  });
}
