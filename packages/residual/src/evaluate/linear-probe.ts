/** A linear classifier on features, fitted to its optimum: what features are worth with the least that can be learned.
 *  In double precision on the host, so that it is the same on every backend. */

import { ModelError } from '../models/errors.ts';
import type { Features } from '../train/features/extract.ts';
import { minimize } from './lbfgs.ts';
import type { Predicted } from './scores.ts';

export interface ProbeOptions {
  /** λ of ½·λ·|w|² beside the mean cross-entropy, for features of deviation 1. Default 1e-3. */
  readonly l2?: number;
  /** Default 200. */
  readonly iterations?: number;
  /** Number of classes. Default: one more than the largest label. */
  readonly classes?: number;
}

export interface LinearProbe {
  /** dims × classes, for the features as they are: the weights of a dense layer. */
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
  readonly classes: number;
  /** Mean cross-entropy of the pictures that it was fitted on, in nats. */
  readonly loss: number;
  /** Class probabilities of other features, for `scoresOf`. */
  predict(features: Features): Predicted;
}

/**
 * Multinomial logistic regression with an L2 penalty, by L-BFGS. Each feature is brought to mean 0 and deviation 1 first,
 * so that λ means the same for all.
 *
 * @throws ModelError for impossible options
 * @example
 * const probe = linearProbe(await extractFeatures(model, photos.train, { preprocessing }));
 * model.getLayer('fc').setWeights([tf.tensor2d(probe.kernel, [512, 10]), tf.tensor1d(probe.bias)]);
 */
export function linearProbe(train: Features, options: ProbeOptions = {}): LinearProbe {
  const { labels, dims } = train;
  const { l2 = 1e-3, iterations = 200, classes = 1 + labels.reduce((a, b) => Math.max(a, b), 0) } = options;
  if (!(l2 >= 0 && Number.isFinite(l2))) throw new ModelError(`linearProbe: l2 must be 0 or more, received ${l2}`);
  const { mean, scale, standard } = standardised(train);
  const rows = labels.length;
  let entropy = 0;
  const cost = (w: Float64Array, gradient: Float64Array): number => {
    gradient.fill(0);
    const kernelSize = dims * classes;
    let sum = 0;
    const logits = new Float64Array(classes);
    for (let row = 0; row < rows; row++) {
      const x = standard.subarray(row * dims, (row + 1) * dims);
      logits.set(w.subarray(kernelSize));
      for (let d = 0; d < dims; d++) {
        const value = x[d] as number;
        for (let c = 0, at = d * classes; c < classes; c++, at++)
          logits[c] = (logits[c] as number) + value * (w[at] as number);
      }
      sum += softmaxInPlace(logits, labels[row] as number);
      const label = labels[row] as number;
      logits[label] = (logits[label] as number) - 1;
      for (let c = 0; c < classes; c++)
        gradient[kernelSize + c] = (gradient[kernelSize + c] as number) + (logits[c] as number) / rows;
      for (let d = 0; d < dims; d++) {
        const value = (x[d] as number) / rows;
        for (let c = 0, at = d * classes; c < classes; c++, at++)
          gradient[at] = (gradient[at] as number) + value * (logits[c] as number);
      }
    }
    entropy = sum / rows;
    let penalty = 0;
    for (let i = 0; i < kernelSize; i++) {
      penalty += (w[i] as number) ** 2;
      gradient[i] = (gradient[i] as number) + l2 * (w[i] as number);
    }
    return entropy + 0.5 * l2 * penalty;
  };
  const found = minimize(cost, new Float64Array((dims + 1) * classes), { iterations, tolerance: 1e-6 });
  cost(found, new Float64Array(found.length));
  const kernel = new Float32Array(dims * classes);
  const bias = Float64Array.from(found.subarray(dims * classes));
  for (let d = 0; d < dims; d++) {
    for (let c = 0; c < classes; c++) {
      const weight = (found[d * classes + c] as number) * (scale[d] as number);
      kernel[d * classes + c] = weight;
      bias[c] = (bias[c] as number) - weight * (mean[d] as number);
    }
  }
  const probe = { kernel, bias: Float32Array.from(bias), classes };
  return { ...probe, loss: entropy, predict: (features) => predicted(probe, features) };
}

function predicted(
  { kernel, bias, classes }: Pick<LinearProbe, 'kernel' | 'bias' | 'classes'>,
  features: Features,
): Predicted {
  const { values, dims, labels } = features;
  if (dims * classes !== kernel.length) {
    throw new ModelError(`linearProbe: features must be of ${kernel.length / classes} values, received ${dims}`);
  }
  const probabilities = new Float64Array(labels.length * classes);
  for (let row = 0; row < labels.length; row++) {
    const out = probabilities.subarray(row * classes, (row + 1) * classes);
    out.set(bias);
    for (let d = 0; d < dims; d++) {
      const value = values[row * dims + d] as number;
      for (let c = 0; c < classes; c++) out[c] = (out[c] as number) + value * (kernel[d * classes + c] as number);
    }
    softmaxInPlace(out, 0);
  }
  return { probabilities, labels, classes };
}

/** Softmax of `logits`, and the cross-entropy of `label`. */
function softmaxInPlace(logits: Float64Array, label: number): number {
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const own = (logits[label] as number) - most;
  let sum = 0;
  for (let c = 0; c < logits.length; c++) {
    const value = Math.exp((logits[c] as number) - most);
    logits[c] = value;
    sum += value;
  }
  for (let c = 0; c < logits.length; c++) logits[c] = (logits[c] as number) / sum;
  return Math.log(sum) - own;
}

/** Each feature to mean 0 and deviation 1; one that never changes to 0. */
function standardised({ values, dims, labels }: Features) {
  const rows = labels.length;
  const mean = new Float64Array(dims);
  const squares = new Float64Array(dims);
  values.forEach((value, i) => {
    mean[i % dims] = (mean[i % dims] as number) + value / rows;
  });
  values.forEach((value, i) => {
    squares[i % dims] = (squares[i % dims] as number) + (value - (mean[i % dims] as number)) ** 2 / rows;
  });
  const scale = squares.map((variance) => (variance > 1e-12 ? 1 / Math.sqrt(variance) : 0));
  const standard = Float64Array.from(
    values,
    (value, i) => (value - (mean[i % dims] as number)) * (scale[i % dims] as number),
  );
  return { mean, scale, standard };
}
