/** Which parts of a network learn: nothing but the head, the last blocks too, or all.
 *  Batch normalisation has a choice of its own, for it changes even where no gradient reaches it. */

import type * as tfl from '@tensorflow/tfjs-layers';
import { isBatchNormalization, keepStatistics, movesAverages } from '../batch-normalization.ts';
import { ModelError } from '../errors.ts';
import { withInner } from './graph.ts';
import { partsOf } from './parts.ts';

/** What is frozen: nothing, all but the head, or all but the head and the last blocks. */
export type Frozen = 'none' | 'backbone' | { readonly lastBlocks: number };

/**
 * What batch normalisation does.
 * - `follow` (the default): it is frozen where its part is: it normalises with its moving averages, which stay.
 * - `frozen`: it is frozen everywhere, also in parts that learn. For small batches.
 * - `statistics`: in frozen parts γ and β stay, but each batch is normalised with its own statistics and the moving
 *   averages follow the new data.
 * - `train`: it learns everywhere, also in frozen parts.
 */
export type BatchNormChoice = 'follow' | 'frozen' | 'statistics' | 'train';

export const batchNormChoices = [
  'follow',
  'frozen',
  'statistics',
  'train',
] as const satisfies readonly BatchNormChoice[];

export interface FreezeOptions {
  /** Default `follow`. */
  readonly batchNorm?: BatchNormChoice;
}

/**
 * Freezes a part of a model and lets the rest learn, whatever was frozen before.
 *
 * It only sets `layer.trainable`, as one may do oneself (`for (const layer of model.layers) layer.trainable = false`).
 * `train` looks at it when it begins. For `model.fit`: what is frozen after `model.compile` stays as it is at once, but
 * what is unfrozen learns only after `model.compile` was called again, as in Keras.
 *
 * @param what Default `backbone`: all but the head. `{ lastBlocks: 2 }`: the head and the last two residual blocks learn.
 * @throws ModelError for impossible options, or a model that does not end in a dense layer
 * @example freeze(replaceHead(base, { classes: 5 }), { lastBlocks: 1 });
 */
export function freeze(model: tfl.LayersModel, what: Frozen = 'backbone', options: FreezeOptions = {}): void {
  const { batchNorm = 'follow' } = options;
  if (!batchNormChoices.includes(batchNorm)) {
    throw new ModelError(`freeze: batchNorm must be one of ${batchNormChoices.join(', ')}, received '${batchNorm}'`);
  }
  const learning = learningLayers(model, what);
  model.trainable = true; // a frozen model would hide all that is in it
  for (const outer of model.layers) {
    for (const layer of withInner(outer)) {
      const learns = learning.has(outer);
      const norm = isBatchNormalization(layer);
      layer.trainable = norm && batchNorm === 'frozen' ? false : learns || (norm && batchNorm === 'train');
      if (norm) keepStatistics(layer, !learns && batchNorm === 'statistics');
    }
  }
}

/** Lets all of a model learn. */
export function unfreeze(model: tfl.LayersModel): void {
  model.trainable = true;
  for (const layer of model.layers.flatMap(withInner)) {
    layer.trainable = true;
    if (isBatchNormalization(layer)) keepStatistics(layer, false);
  }
}

/** How many of a model's numbers learn. Moving averages never do, and count as frozen, as Keras counts them. */
export interface ParameterCounts {
  readonly trainable: number;
  readonly frozen: number;
  readonly total: number;
}

/** Counts a model's parameters as its layers are frozen now. */
export function parameterCounts(model: tfl.LayersModel): ParameterCounts {
  const sum = (weights: readonly tfl.LayerVariable[]) =>
    weights.reduce((total, { shape }) => total + shape.reduce<number>((product, n) => product * (n ?? 1), 1), 0);
  const [trainable, total] = [sum(model.trainableWeights), sum(model.weights)];
  return { trainable, frozen: total - trainable, total };
}

/**
 * Whether the features of a picture can be computed once: nothing before the head learns, moves or is random.
 *
 * @returns why not, or undefined
 */
export function whyFeaturesChange(model: tfl.LayersModel): string | undefined {
  const { stem, blocks } = partsOf(model);
  for (const outer of [stem, ...blocks].flatMap(({ layers }) => layers)) {
    for (const layer of withInner(outer)) {
      if (layer.trainableWeights.length > 0) return `${layer.name} learns`;
      if (isBatchNormalization(layer) && movesAverages(layer)) return `${layer.name} follows each batch's statistics`;
      if (/Dropout|^Gaussian|^Random/.test(layer.getClassName())) return `${layer.name} is random`;
    }
  }
  return undefined;
}

function learningLayers(model: tfl.LayersModel, what: Frozen): ReadonlySet<tfl.layers.Layer> {
  const known =
    what === 'none' || what === 'backbone' || typeof (what as { lastBlocks?: unknown })?.lastBlocks === 'number';
  if (!known) {
    throw new ModelError(`freeze: must be 'none', 'backbone' or { lastBlocks: 2 }, received ${JSON.stringify(what)}`);
  }
  if (what === 'none') return new Set(model.layers);
  const { blocks, head } = partsOf(model);
  const count = what === 'backbone' ? 0 : what.lastBlocks;
  if (!Number.isInteger(count) || count < 0 || count > blocks.length) {
    throw new ModelError(
      `freeze: lastBlocks must be a whole number from 0 to ${blocks.length}, the blocks of ${model.name}, received ${count}`,
    );
  }
  const last = blocks.slice(blocks.length - count);
  return new Set([...last, head].flatMap(({ layers }) => layers));
}
