/** Which values a trial gets: a quasi-random sequence, which leaves no part of any range unvisited.
 *  Halton's sequence (one prime base for each dimension) with digits permuted at random by the seed, after A. Owen,
 *  "A randomized Halton algorithm in R" (arXiv 1706.02808). */

import { Random } from '../data/random.ts';
import type { Plain } from '../recipe/layers.ts';
import { type Dimension, valueAt } from './space.ts';

/** A use of the seed of its own: see `streams` in data/random.ts. */
const searchStream = 101;

/** The values of a trial by key; the same for the same (space, seed, trial). */
export function sample(space: readonly Dimension[], seed: number, trial: number): Readonly<Record<string, Plain>> {
  return Object.fromEntries(
    space.map((dimension, i) => [dimension.key, valueAt(dimension, placeIn(seed, trial, i, prime(i)))]),
  );
}

/** The trial's digits in the base, each permuted, behind the point: a place from 0 to less than 1. */
function placeIn(seed: number, trial: number, dimension: number, base: number): number {
  let place = 0;
  let rest = trial;
  let weight = 1 / base;
  for (let digit = 0; weight > 1e-9; digit++, weight /= base) {
    const permutation = Random.at(seed, searchStream, dimension, digit).shuffle(
      Int32Array.from({ length: base }, (_, i) => i),
    );
    place += weight * (permutation[rest % base] ?? 0);
    rest = Math.floor(rest / base);
  }
  return Math.min(place, 1 - Number.EPSILON);
}

/** The primes, counted from 0. */
function prime(index: number): number {
  const primes: number[] = [];
  for (let n = 2; primes.length <= index; n++) if (primes.every((one) => n % one !== 0)) primes.push(n);
  return primes[index] ?? 2;
}
