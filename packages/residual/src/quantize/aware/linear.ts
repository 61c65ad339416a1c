/** A convolution, dense layer or affine map with its batch normalisation folded in while it learns, as TFLite folds it.
 *  R. Krishnamoorthi, arXiv 1806.08342, section 3.2.2: weights are rounded at the scale of the moving averages, and what
 *  they give is brought back to the scale of the batch, so that rounding does not jitter with each batch. */

import * as tf from '@tensorflow/tfjs-core';
import { constantsOf, type GraphNode } from '../../export/graph/graph.ts';
import { activated, applyNode } from '../../export/graph/run.ts';
import { movesAverages } from '../../models/batch-normalization.ts';
import { channelMoments } from './channel-moments.ts';
import type { BatchNormLayer, LinearSource, NormSource } from './sources.ts';

/** x · slope + offset, channel by channel. */
interface Map {
  readonly slope: tf.Tensor;
  readonly offset: tf.Tensor;
}

export interface LinearOptions {
  /** Rounds folded weights, or leaves them. */
  readonly round: (weights: tf.Tensor, channels: number) => tf.Tensor;
  /** Normalise with the batch's statistics, and move the averages, where the layer does that in training. */
  readonly useBatch: boolean;
}

/** The node's value, before it is rounded itself; inside `tf.tidy`. */
export function computeLinear(node: GraphNode, source: LinearSource, x: tf.Tensor, options: LinearOptions): tf.Tensor {
  const { round, useBatch } = options;
  const { weights, bias } = coreOf(node, source);
  const channels = node.shape.at(-1) ?? 1;
  const [first, ...rest] = source.after;
  const moving = useBatch && first?.kind === 'batchNorm' && movesAverages(first.layer) ? first.layer : undefined;
  if (!moving) {
    const { slope, offset } = joined(source.after, channels);
    const sums = apply(node, x, round(scaled(weights, slope), channels));
    return finished(node, sums, tf.add(tf.mul(bias, slope), offset));
  }
  const [batchMean, batchVariance] = batchMoments(apply(node, x, weights));
  const later = joined(rest, channels);
  const { epsilon } = moving;
  const longTerm = tf.rsqrt(tf.add(moving.movingVariance.read(), epsilon));
  const ofBatch = tf.rsqrt(tf.add(batchVariance, epsilon));
  const gamma = gammaOf(moving, channels);
  const sums = apply(node, x, round(scaled(weights, tf.mul(tf.mul(gamma, longTerm), later.slope)), channels));
  // The bias before the norm is part of the mean that the norm takes off again.
  const centred = tf.sub(betaOf(moving, channels), tf.mul(batchMean, tf.mul(gamma, ofBatch)));
  const offset = tf.add(tf.mul(centred, later.slope), later.offset);
  moveAverages(moving, tf.add(batchMean, bias), batchVariance);
  return finished(node, tf.mul(sums, tf.div(ofBatch, longTerm)), offset);
}

/** The layer's own weights and bias, with what stands before it folded in. */
function coreOf(node: GraphNode, { core, before }: LinearSource): { weights: tf.Tensor; bias: tf.Tensor } {
  const channels = node.shape.at(-1) ?? 1;
  if (!core) return { weights: tf.ones([channels]), bias: tf.zeros([channels]) };
  // LayerVariable.read() gives the variable itself, through which gradients are found.
  const [kernel, given] = core.weights.map((weight) => weight.read() as tf.Tensor);
  if (!kernel) throw new Error(`internal: ${core.name} has no kernel`);
  const bias = given ?? tf.zeros([channels]);
  if (before.length === 0) return { weights: kernel, bias };
  const inputs = kernel.shape.at(-2) ?? 1;
  const { slope, offset } = joined(before, inputs);
  const byInput = (perChannel: tf.Tensor) => tf.mul(kernel, tf.reshape(perChannel, [inputs, 1]));
  const shared = kernel.rank === 4 && node.op === 'conv2d' ? [0, 1, 2] : kernel.rank === 4 ? [0, 1] : [0];
  const moved = tf.reshape(tf.sum(byInput(offset), shared), [channels]);
  return { weights: byInput(slope), bias: tf.add(bias, moved) };
}

/** Norms with their moving averages, one after the other. */
function joined(norms: readonly NormSource[], channels: number): Map {
  let [slope, offset]: tf.Tensor[] = [tf.ones([channels]), tf.zeros([channels])];
  for (const norm of norms) {
    const next = mapOf(norm, channels);
    [slope, offset] = [tf.mul(slope, next.slope), tf.add(tf.mul(offset, next.slope), next.offset)];
  }
  return { slope, offset };
}

function mapOf(norm: NormSource, channels: number): Map {
  if (norm.kind === 'constant') return { slope: tf.tensor1d(norm.scale), offset: tf.tensor1d(norm.offset) };
  const { movingMean, movingVariance, epsilon } = norm.layer;
  const slope = tf.mul(gammaOf(norm.layer, channels), tf.rsqrt(tf.add(movingVariance.read(), epsilon)));
  return { slope, offset: tf.sub(betaOf(norm.layer, channels), tf.mul(movingMean.read(), slope)) };
}

function gammaOf({ gamma }: BatchNormLayer, channels: number): tf.Tensor {
  return (gamma?.read() as tf.Tensor | undefined) ?? tf.ones([channels]);
}

function betaOf({ beta }: BatchNormLayer, channels: number): tf.Tensor {
  return (beta?.read() as tf.Tensor | undefined) ?? tf.zeros([channels]);
}

/** Output channels are the last axes of weights: both of a depthwise filter. */
function scaled(weights: tf.Tensor, slope: tf.Tensor): tf.Tensor {
  const last = weights.shape.at(-1) ?? 1;
  return tf.mul(weights, last === slope.size ? slope : tf.reshape(slope, [slope.size / last, last]));
}

/** The node's sums alone: no bias, no activation. */
function apply(node: GraphNode, x: tf.Tensor, weights: tf.Tensor): tf.Tensor {
  const [own, bias] = Object.values(constantsOf(node));
  const plain = { ...node, activation: 'none' } as GraphNode;
  const zeros = tf.zeros([bias?.values.length ?? 1]);
  return applyNode(plain, [x], (constant) => (constant === own ? weights : zeros));
}

function finished(node: GraphNode, sums: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  return activated(tf.add(sums, bias), 'activation' in node ? node.activation : 'none');
}

function batchMoments(x: tf.Tensor): readonly [mean: tf.Tensor, variance: tf.Tensor] {
  const channels = x.shape.at(-1) ?? 1;
  const [mean, variance] = tf.split(channelMoments(x), 2, 0) as [tf.Tensor, tf.Tensor];
  return [tf.reshape(mean, [channels]), tf.reshape(variance, [channels])];
}

/** As the layer itself moves them. */
function moveAverages({ movingMean, movingVariance, momentum }: BatchNormLayer, mean: tf.Tensor, variance: tf.Tensor) {
  for (const [average, batch] of [
    [movingMean, mean],
    [movingVariance, variance],
  ] as const) {
    const old = average.read();
    average.write(tf.add(old, tf.mul(tf.sub(batch, old), 1 - momentum)) as tf.Variable);
  }
}
