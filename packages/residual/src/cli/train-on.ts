/** Training a run on, as `prune`, `cluster` and `quantize` do: the changes of a recipe that make its training begin with
 *  what the run had learned. */

import { resolve } from 'node:path';
import type { Override } from '../recipe/overrides.ts';
import { networkOfWeights } from '../recipe/pretrained-network.ts';

/** Keys of a recipe and their new values; a later one lies above. */
export type Keys = readonly (readonly [key: string, value: Override['value']])[];

/** All of the network learns, on pictures as it saw them. */
const start: Keys = [
  ['model.freeze', 'none'],
  ['data.normalize', 'weights'],
];

/** Short, at one size, every layer alike, and without averages: these would mix in what the weights were before. */
const brief: Keys = [
  ['training.resolution', []],
  ['training.unfreeze', []],
  ['training.earlyStopping', 0],
  ['optimizer.layerDecay', 1],
  ['optimizer.headFactor', 1],
  ['ema', null],
  ['lookahead', null],
];

/**
 * @param weights the folder of a saved model
 * @param keys what the command wants itself, above all of that
 * @param origin the command, for errors
 * @param wholly the recipe is one that the user named for this: its course stays as it is
 */
export async function trainingOn(weights: string, keys: Keys, origin: string, wholly = false): Promise<Override[]> {
  const all: Keys = [['model.weights', resolve(weights)], ...start, ...(wholly ? [] : brief), ...keys];
  return [...(await networkOfWeights(weights)), ...all.map(([key, value]) => ({ key, value, origin }))];
}
