/** Learning rates by depth: a head that learns faster, and a trunk that learns the slower the nearer to the input.
 *  They become an optimizer's `learningRateFactors`, so that they are written down and compared with them. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type Part, partsOf } from '../models/transfer/parts.ts';
import { checkValue } from './schedule.ts';
import type { FactorsByName } from './weight-names.ts';

export interface LayerRates {
  /**
   * What each block's rate is of the next one's, from the head down: with 0.8 the last block has 0.8, the one before it
   * 0.64, and the stem the least. Greater than 0, at most 1. Default 1: all alike.
   */
  readonly decay?: number;
  /** The head's factor. Default 1. */
  readonly head?: number;
}

/**
 * Factors of the learning rate for each part of a network (J. Howard and S. Ruder, arXiv 1801.06146, 3.2; by blocks as
 * in H. Bao et al., arXiv 2106.08254).
 *
 * @throws ModelError for impossible rates, or a model without a head
 * @example sgd({ learningRate: 0.01, momentum: 0.9, learningRateFactors: layerRates(model, { decay: 0.8, head: 10 }) })
 */
export function layerRates(model: LayersModel, { decay = 1, head = 1 }: LayerRates): FactorsByName {
  checkValue('layerRates', decay > 0 && decay <= 1, 'decay must be greater than 0 and at most 1', decay);
  checkValue('layerRates', head > 0 && Number.isFinite(head), 'head must be greater than 0', head);
  const parts = partsOf(model);
  const trunk = [parts.stem, ...parts.blocks].filter(weighted);
  const names = model.layers.map(({ name }) => name);
  const factors: Record<string, number> = {};
  const add = (part: Part, factor: number) => {
    for (const pattern of factor === 1 ? [] : patternsOf(part, names)) factors[pattern] = factor;
  };
  add(parts.head, head);
  trunk.forEach((part, i) => {
    add(part, Number((decay ** (trunk.length - i)).toPrecision(6)));
  });
  return factors;
}

function weighted({ layers }: Part): boolean {
  return layers.some(({ weights }) => weights.length > 0);
}

/** One pattern where the part's name is the beginning of its layers' names and of no other's; else one for each layer. */
function patternsOf({ name, layers }: Part, all: readonly string[]): string[] {
  const own = new Set(layers.map((layer) => layer.name));
  const begins = all.filter((one) => one.startsWith(`${name}.`));
  const withWeights = layers.filter(({ weights }) => weights.length > 0);
  if (
    begins.length > 0 &&
    begins.every((one) => own.has(one)) &&
    withWeights.every((one) => begins.includes(one.name))
  ) {
    return [`${name}.*`];
  }
  return withWeights.map((layer) => `${layer.name}/*`);
}
