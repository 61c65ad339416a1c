/** The BatchNormalization layer that takes the place of tfjs-layers' own, under the same name and in the same files.
 *  The stock layer ignores `trainable: false`, which is mended here, and fails in `fit` without scale or centre. */

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { fusedBatchNorm } from './fused-batch-norm.ts';

type StockLayer = ReturnType<typeof tfl.layers.batchNormalization>;

/** What `tf.layers.batchNormalization` takes: axis, momentum, epsilon, center, scale, initialisers, name … */
export type BatchNormalizationArgs = NonNullable<Parameters<typeof tfl.layers.batchNormalization>[0]>;

/** The stock layer's own fields; some of them are private in its type declarations. */
export interface StockFields {
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly gamma?: tfl.LayerVariable | null;
  readonly beta?: tfl.LayerVariable | null;
  readonly movingMean: tfl.LayerVariable;
  readonly movingVariance: tfl.LayerVariable;
}

/** Frozen layers that go on with each batch's statistics all the same; see `keepStatistics`. */
const adapting = new WeakSet<tfl.layers.Layer>();

// The class itself is not exported. Extending it keeps its configuration, weights and file format to the letter.
const StockBatchNormalization = Object.getPrototypeOf(
  tfl.layers.batchNormalization({ name: 'prototype' }) as StockLayer,
).constructor as new (
  args?: BatchNormalizationArgs,
) => tfl.layers.Layer & StockFields;

// `tf.layers.batchNormalization()` makes the stock layer, and a network written with it is frozen layer by layer too:
// then it must do what Keras does. Nothing else of it changes.
const stockCall = StockBatchNormalization.prototype.call;
StockBatchNormalization.prototype.call = function (
  this: StockLayer & StockFields,
  inputs: tf.Tensor | tf.Tensor[],
  kwargs: { training?: boolean },
) {
  const x = Array.isArray(inputs) ? inputs[0] : inputs;
  const frozen = kwargs?.training && x !== undefined && isFrozen(this);
  return frozen ? tf.tidy(() => normaliseWithAverages(this, x)) : stockCall.call(this, inputs, kwargs);
};

/** True where training must neither use a batch's statistics nor move the averages. */
function isFrozen(layer: tfl.layers.Layer & StockFields): boolean {
  if (adapting.has(layer)) return false;
  // model.trainable = false marks the weights only, not the layer.
  return !layer.trainable || (hasWeights(layer) && layer.trainableWeights.length === 0);
}

/** Whether a layer is a batch normalisation, ours or the stock one. */
export function isBatchNormalization(layer: tfl.layers.Layer): boolean {
  return layer instanceof StockBatchNormalization;
}

/** What `keepStatistics` said last. */
export function keepsStatistics(layer: tfl.layers.Layer): boolean {
  return adapting.has(layer);
}

/** Whether training would move a batch normalisation's averages. */
export function movesAverages(layer: tfl.layers.Layer): boolean {
  return !isFrozen(layer as tfl.layers.Layer & StockFields);
}

/**
 * Lets a frozen batch normalisation go on with each batch's statistics and move its averages, while its γ and β stay:
 * PyTorch's `requires_grad_(False)` in train mode. False: frozen as in Keras. It is not saved with the model.
 */
export function keepStatistics(layer: tfl.layers.Layer, keep: boolean): void {
  if (keep) adapting.add(layer);
  else adapting.delete(layer);
}

/**
 * Batch normalisation (S. Ioffe and C. Szegedy, arXiv 1502.03167) with the semantics of Keras:
 *
 * - in training, each channel is normalised with its batch's mean and biased variance, and the moving averages move
 *   towards them: m += (batch − m) · (1 − momentum);
 * - in inference, and in training when the layer is frozen (`layer.trainable = false`, or the whole model's
 *   `trainable`), it normalises with the moving averages and leaves them alone;
 * - `scale: false` and `center: false` train.
 *
 * Importing this module registers the class as 'BatchNormalization', so loading a model makes these layers.
 */
export class BatchNormalization extends StockBatchNormalization {
  /** @nocollapse */
  static className = 'BatchNormalization';

  /** True where training must neither use a batch's statistics nor move the averages. */
  get frozen(): boolean {
    return isFrozen(this);
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: { training?: boolean }): tf.Tensor | tf.Tensor[] {
    const x = Array.isArray(inputs) ? inputs[0] : inputs;
    if (x === undefined) throw new Error(`layer ${this.name}: needs one input`);
    if (kwargs?.training && !this.frozen) return tf.tidy(() => this.normaliseWithBatch(x));
    // The stock layer's inference is one op of the backend, but wrong for axes before the last, and ends at rank 4.
    const stockWillDo = !kwargs?.training && positiveAxis(this, x.rank) === x.rank - 1 && x.rank <= 4;
    return stockWillDo ? super.call(inputs, kwargs) : tf.tidy(() => normaliseWithAverages(this, x));
  }

  private normaliseWithBatch(x: tf.Tensor): tf.Tensor {
    const axis = positiveAxis(this, x.rank);
    const channels = x.shape[axis] ?? 0;
    const gamma = (this.gamma?.read() ?? tf.ones([channels])) as tf.Tensor1D;
    const beta = (this.beta?.read() ?? tf.zeros([channels])) as tf.Tensor1D;
    const isLast = axis === x.rank - 1;
    const toLast = x.shape.map((_, i) => (i === x.rank - 1 ? axis : i === axis ? x.rank - 1 : i));
    const input = isLast ? x : tf.transpose(x, toLast);
    const [y, mean, variance] = fusedBatchNorm(input, gamma, beta, this.epsilon);
    this.moveAverage(this.movingMean, mean);
    this.moveAverage(this.movingVariance, variance);
    return isLast ? y : tf.transpose(y, toLast);
  }

  private moveAverage(average: tfl.LayerVariable, batch: tf.Tensor): void {
    const old = average.read();
    average.write(tf.add(old, tf.mul(tf.sub(batch, old), 1 - this.momentum)) as tf.Variable);
  }
}

function hasWeights(layer: StockFields): boolean {
  return layer.gamma != null || layer.beta != null;
}

function positiveAxis(layer: StockFields, rank: number): number {
  return layer.axis < 0 ? layer.axis + rank : layer.axis;
}

/**
 * y = x·s + b with s and b of one channel's size: its gradient is one multiplication by s, where the gradient of TF.js's
 * FusedBatchNorm op computes those of the frozen averages too.
 */
function normaliseWithAverages(layer: StockFields, x: tf.Tensor): tf.Tensor {
  const inverse = tf.rsqrt(tf.add(layer.movingVariance.read(), layer.epsilon));
  const slope = layer.gamma ? tf.mul(layer.gamma.read(), inverse) : inverse;
  const shift = tf.mul(layer.movingMean.read(), slope);
  const offset = layer.beta ? tf.sub(layer.beta.read(), shift) : tf.neg(shift);
  const axis = positiveAxis(layer, x.rank);
  const shape = x.shape.map((size, i) => (i === axis ? size : 1));
  return tf.add(tf.mul(x, tf.reshape(slope, shape)), tf.reshape(offset, shape));
}

/**
 * Makes a BatchNormalization layer; the arguments are those of `tf.layers.batchNormalization`.
 *
 * @example batchNormalization({ epsilon: 1e-5, momentum: 0.9 }).apply(x)
 */
export function batchNormalization(args?: BatchNormalizationArgs): BatchNormalization {
  return new BatchNormalization(args);
}

tf.serialization.registerClass(BatchNormalization as tf.serialization.SerializableConstructor<BatchNormalization>);
