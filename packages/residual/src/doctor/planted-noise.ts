/** Wrong labels put in on purpose, to measure whether they are found.
 *  For tests and experiments: nothing that trains or checks calls it. */

import { DataError } from '../data/errors.ts';
import { Random, streams } from '../data/random.ts';

export interface PlantedNoise {
  /** The labels, some of them wrong. */
  readonly labels: Int32Array;
  /** The samples whose labels are wrong, ascending. */
  readonly planted: Int32Array;
}

/**
 * Gives a share of the samples, drawn at random, another class, drawn at random.
 *
 * @param share 0 to 1 of all samples, rounded
 * @throws DataError for a share out of range, or fewer than two classes
 */
export function plantNoise(labels: ArrayLike<number>, classes: number, share: number, seed: number): PlantedNoise {
  if (!(share >= 0 && share <= 1)) throw new DataError(`the share of wrong labels is from 0 to 1, received ${share}`);
  if (classes < 2) throw new DataError(`a wrong label needs at least two classes, received ${classes}`);
  const random = Random.at(seed, streams.noise);
  const order = random.shuffle(Int32Array.from({ length: labels.length }, (_, i) => i));
  const planted = order.slice(0, Math.round(share * labels.length)).sort();
  const changed = Int32Array.from(labels);
  for (const index of planted) changed[index] = (labels[index] + 1 + random.integer(classes - 1)) % classes;
  return { labels: changed, planted };
}

/** Of the planted samples, the fraction among the first `share` of a ranking. */
export function recallAt(share: number, ranked: readonly { readonly index: number }[], planted: Int32Array): number {
  const top = new Set(ranked.slice(0, Math.round(share * ranked.length)).map(({ index }) => index));
  return planted.reduce((found, index) => found + (top.has(index) ? 1 : 0), 0) / planted.length;
}
