/** How much each channel matters: by its weights alone, or by what the loss would lose without it.
 *  A set's channels are weighed over all layers that the set passes through. */

import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { Batch } from '../data/batches.ts';
import { ModelError } from '../models/errors.ts';
import { networkOf } from '../models/network.ts';
import { graphTo } from '../models/transfer/graph.ts';
import { crossEntropy as ofProbabilities, softmaxCrossEntropy } from '../train/loss.ts';
import type { ChannelAnalysis, ChannelSet, LayerChannels } from './channel-sets.ts';

/** One number from 0 up for each channel of each set that can be pruned. */
export type Importance = ReadonlyMap<ChannelSet, Float64Array>;

/**
 * The norm of each channel's filter with the scale of the batch normalisation behind it, as they will be folded:
 * |γ| / √(σ² + ε) · ‖W‖₂, summed over the layers that make the channel, and divided by the mean of its set, so that sets
 * can be compared (H. Li et al., arXiv 1608.08710, and Z. Liu et al., arXiv 1708.06519, in one). Needs no data.
 */
export async function magnitudeImportance(model: tfl.LayersModel, analysis: ChannelAnalysis): Promise<Importance> {
  const readers = readersOf(model);
  const importance = new Map<ChannelSet, Float64Array>();
  for (const one of analysis.layers) {
    const [set, ...others] = one.outputs;
    if (one.kind !== 'maker' || set === undefined || others.length > 0 || set.fixed !== undefined) continue;
    const norms = await filterNorms(one.layer);
    const scales = await foldedScales(readers.get(one.layer));
    const sums = importance.get(set) ?? new Float64Array(set.channels);
    for (let c = 0; c < sums.length; c++) sums[c] += norms[c] * (scales?.[c] ?? 1);
    importance.set(set, sums);
  }
  for (const sums of importance.values()) {
    const mean = sums.reduce((a, b) => a + b, 0) / sums.length;
    if (mean > 0) for (let c = 0; c < sums.length; c++) sums[c] /= mean;
  }
  return importance;
}

/** The only reader of each layer. */
function readersOf(model: tfl.LayersModel): Map<tfl.layers.Layer, tfl.layers.Layer | undefined> {
  const { order, sources } = graphTo(model.outputs[0] as tfl.SymbolicTensor);
  const readers = new Map<tfl.layers.Layer, tfl.layers.Layer | undefined>();
  for (const layer of order) {
    for (const source of sources.get(layer) ?? []) readers.set(source, readers.has(source) ? undefined : layer);
  }
  return readers;
}

async function filterNorms(layer: tfl.layers.Layer): Promise<Float64Array> {
  const [kernel] = layer.weights;
  if (kernel === undefined) throw new Error(`internal: ${layer.name} has no kernel`);
  const values = (await (kernel.read() as tf.Tensor).data()) as Float32Array;
  const channels = kernel.shape.at(-1) ?? 1;
  const squares = new Float64Array(channels);
  values.forEach((value, i) => {
    squares[i % channels] += value * value;
  });
  return squares.map(Math.sqrt);
}

/** |γ| / √(σ² + ε) of a batch normalisation; undefined for any other layer. */
async function foldedScales(layer: tfl.layers.Layer | undefined): Promise<Float64Array | undefined> {
  if (layer?.getClassName() !== 'BatchNormalization') return undefined;
  const { epsilon } = layer as tfl.layers.Layer & { readonly epsilon: number };
  const [variance, gamma] = await Promise.all(
    ['moving_variance', 'gamma'].map(async (role) => {
      const weight = layer.weights.find(({ originalName }) => originalName.endsWith(`/${role}`));
      return weight && ((await (weight.read() as tf.Tensor).data()) as Float32Array);
    }),
  );
  return variance && Float64Array.from(variance, (value, c) => Math.abs(gamma?.[c] ?? 1) / Math.sqrt(value + epsilon));
}

/** What stands for a channel: setting these of its values to 0 takes it away. */
interface Gate {
  readonly set: ChannelSet;
  readonly variable: tf.Variable;
}

/**
 * The first-order estimate of what the loss loses with a channel: (Σ g·w)² over its γ and β in every batch normalisation
 * of the set (over the filter itself where there is none), averaged over batches (P. Molchanov et al., arXiv 1906.10771).
 * It can be compared between sets as it is.
 *
 * @param batches normalised pictures with labels, some hundreds of them
 * @throws ModelError where there is no batch
 */
export async function taylorImportance(
  model: tfl.LayersModel,
  analysis: ChannelAnalysis,
  batches: AsyncIterable<Pick<Batch, 'images' | 'labels' | 'size'>>,
): Promise<Importance> {
  const network = networkOf(model);
  const gates = gatesOf(analysis);
  const importance = new Map(gates.map(({ set }) => [set, new Float64Array(set.channels)]));
  const variables = gates.map(({ variable }) => variable);
  const learned = variables.map(({ trainable }) => trainable);
  let count = 0;
  try {
    for (const variable of variables) variable.trainable = true; // a frozen layer has a say too
    for await (const { images, labels, size } of batches) {
      const products = tf.tidy(() => {
        const x = tf.tensor4d(images, [size, ...network.inputShape]);
        const classes = tf.oneHot(tf.tensor1d(Int32Array.from(labels), 'int32'), network.classes);
        const targets = tf.cast(classes, 'float32') as tf.Tensor2D; // here: what is made within is gone before the gradients
        const loss = network.gives === 'logits' ? softmaxCrossEntropy : ofProbabilities;
        const { value, grads } = tf.variableGrads(() => loss(network.apply(x, false), targets), variables);
        value.dispose();
        return gates.map(({ variable }) => {
          const product = tf.mul(variable, grads[variable.name] as tf.Tensor);
          return tf.sum(tf.reshape(product, [-1, variable.shape.at(-1) ?? 1]), 0);
        });
      });
      const sums = new Map<ChannelSet, Float64Array>();
      for (const [i, { set }] of gates.entries()) {
        const values = await (products[i] as tf.Tensor).data();
        const sum = sums.get(set) ?? new Float64Array(set.channels);
        for (let c = 0; c < sum.length; c++) sum[c] += values[c];
        sums.set(set, sum);
      }
      tf.dispose(products);
      for (const [set, sum] of sums) {
        const total = importance.get(set) as Float64Array;
        for (let c = 0; c < sum.length; c++) total[c] += sum[c] * sum[c];
      }
      count++;
    }
  } finally {
    for (const [i, variable] of variables.entries()) variable.trainable = learned[i] ?? true;
  }
  if (count === 0) throw new ModelError('taylorImportance: there must be pictures to measure on');
  for (const total of importance.values()) for (let c = 0; c < total.length; c++) total[c] /= count;
  return importance;
}

function gatesOf({ layers }: ChannelAnalysis): Gate[] {
  const single = (one: LayerChannels) => {
    const [set, ...others] = one.outputs;
    return set !== undefined && others.length === 0 && set.fixed === undefined ? set : undefined;
  };
  const of = (kind: LayerChannels['kind'], roles: readonly string[]) =>
    layers.flatMap((one): Gate[] => {
      const set = single(one);
      if (one.kind !== kind || set === undefined) return [];
      const weights = one.layer.weights.filter(({ originalName }) => roles.some((role) => originalName.endsWith(role)));
      return weights.map((weight) => ({ set, variable: weight.read() as unknown as tf.Variable }));
    });
  const norms = of('norm', ['/gamma', '/beta']);
  const normed = new Set(norms.map(({ set }) => set));
  return [...norms, ...of('maker', ['/kernel', '/bias']).filter(({ set }) => !normed.has(set))];
}
