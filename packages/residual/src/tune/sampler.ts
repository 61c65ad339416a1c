/** Which values a trial gets: a quasi-random sequence, which leaves no corner of the space unvisited.
 *  Additive recurrence with the generalised golden ratio (M. Roberts, "The unreasonable effectiveness of
 *  quasirandom sequences", 2018), from a start that the seed draws. */

import { Random } from '../data/random.ts';
import type { Plain } from '../recipe/layers.ts';
import { type Dimension, valueAt } from './space.ts';

/** A use of the seed of its own: see `streams` in data/random.ts. */
const searchStream = 101;

/** The values of a trial by key; the same for the same (space, seed, trial). */
export function sample(space: readonly Dimension[], seed: number, trial: number): Readonly<Record<string, Plain>> {
  const ratio = goldenRatio(space.length);
  return Object.fromEntries(
    space.map((dimension, i) => {
      const start = Random.at(seed, searchStream, i).uniform();
      return [dimension.key, valueAt(dimension, (start + (trial + 1) / ratio ** (i + 1)) % 1)];
    }),
  );
}

/** The one positive root of x^(d + 1) = x + 1. */
function goldenRatio(dimensions: number): number {
  let x = 2;
  for (let i = 0; i < 64; i++) x = (1 + x) ** (1 / (dimensions + 1));
  return x;
}
