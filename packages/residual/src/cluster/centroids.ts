/** k-means over the weights of one kernel: on a line, so that sorted values and their sums make every round cheap.
 *  Pure: values in, centroids and each value's place among them out. */

import { Random } from '../data/random.ts';

/** How the first centroids are found, as TensorFlow's Model Optimization Toolkit names it. */
export type CentroidInit = 'linear' | 'density' | 'kmeans++';

export const centroidInits = ['linear', 'density', 'kmeans++'] as const satisfies readonly CentroidInit[];

export interface Clusters {
  /** Rising; fewer than were asked for where there are fewer different values, or some were near none. */
  readonly centroids: Float32Array;
  /** The nearest centroid of each value. */
  readonly assignment: Int32Array;
  /** The centroid of a kernel's zeros, which stays 0; −1 where zeros are values like others. */
  readonly zero: number;
}

/** A kernel of which so many weights are 0 was pruned. */
const PRUNED = 0.1;
const MOST_ROUNDS = 300;
/** Values among which kmeans++ draws its centroids; a kernel of more is represented by so many of its ranks. */
const DRAWN_FROM = 32_768;

/**
 * Clusters values: the first centroids by `init`, then Lloyd's rounds until nothing moves. Where a tenth or more of the
 * values is exactly 0, these get a centroid of their own.
 *
 * @param count of centroids, from 2 up
 * @param seed for kmeans++
 */
export function clusterValues(values: Float32Array, count: number, init: CentroidInit, seed: number): Clusters {
  const zeros = values.reduce((n, value) => n + (value === 0 ? 1 : 0), 0);
  const pruned = zeros >= PRUNED * values.length && zeros < values.length;
  const sorted = (pruned ? values.filter((value) => value !== 0) : values.slice()).sort();
  const found = lloyd(sorted, distinct(initial(sorted, pruned ? count - 1 : count, init, seed)));
  const centroids = pruned ? Float32Array.from([...found, 0]).sort() : found;
  const zero = pruned ? centroids.indexOf(0) : -1;
  const assignment = Int32Array.from(values, (value) => {
    if (pruned && value === 0) return zero;
    const near = nearest(centroids, value);
    // Only zeros belong to the centroid that stays 0.
    if (near !== zero) return near;
    return value < 0 ? (near > 0 ? near - 1 : near + 1) : near < centroids.length - 1 ? near + 1 : near - 1;
  });
  return { centroids, assignment, zero };
}

function initial(sorted: Float32Array, count: number, init: CentroidInit, seed: number): Float32Array {
  const last = sorted.length - 1;
  const low = sorted[0] ?? 0;
  const high = sorted[last] ?? 0;
  const parts = Math.max(1, count - 1);
  switch (init) {
    case 'linear':
      return Float32Array.from({ length: count }, (_, i) => low + ((high - low) * i) / parts);
    case 'density':
      // Each centroid stands for as many weights.
      return Float32Array.from(
        { length: count },
        (_, i) => sorted[Math.floor((sorted.length * (i + 0.5)) / count)] ?? 0,
      );
    case 'kmeans++':
      return plusPlus(sorted, count, Random.at(seed));
    default:
      return init satisfies never;
  }
}

/** D. Arthur and S. Vassilvitskii: each next centroid is drawn by the squared distance to the nearest before it. */
function plusPlus(sorted: Float32Array, count: number, random: Random): Float32Array {
  const size = Math.min(sorted.length, DRAWN_FROM);
  const points = Float32Array.from(
    { length: size },
    (_, i) => sorted[Math.floor(((i + 0.5) * sorted.length) / size)] ?? 0,
  );
  const chosen = [points[random.integer(size)] ?? 0];
  const distances = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
  while (chosen.length < count) {
    const newest = chosen.at(-1) ?? 0;
    let total = 0;
    for (let i = 0; i < size; i++) {
      distances[i] = Math.min(distances[i], (points[i] - newest) ** 2);
      total += distances[i];
    }
    if (total === 0) break; // every value has its centroid
    let left = random.uniform() * total - distances[0];
    let at = 0;
    while (left > 0 && at < size - 1) left -= distances[++at];
    chosen.push(points[at] ?? 0);
  }
  return Float32Array.from(chosen);
}

/** Rounds of: each value to its nearest centroid, each centroid to the mean of its values. Empty ones are dropped. */
function lloyd(sorted: Float32Array, first: Float32Array): Float32Array {
  const sums = new Float64Array(sorted.length + 1);
  for (let i = 0; i < sorted.length; i++) sums[i + 1] = sums[i] + sorted[i];
  let centroids = first;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const means: number[] = [];
    let start = 0;
    for (let k = 0; k < centroids.length; k++) {
      const next = centroids[k + 1];
      const end = next === undefined ? sorted.length : firstAbove(sorted, (centroids[k] + next) / 2, start);
      if (end > start) means.push((sums[end] - sums[start]) / (end - start));
      start = end;
    }
    const moved = distinct(Float32Array.from(means));
    if (moved.length === centroids.length && moved.every((value, k) => value === centroids[k])) break;
    centroids = moved;
  }
  return centroids;
}

/** The first place from `from` on whose value is above `limit`. */
function firstAbove(sorted: Float32Array, limit: number, from: number): number {
  let [low, high] = [from, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Sorted, each value once. */
function distinct(values: Float32Array): Float32Array {
  return Float32Array.from(new Set(values)).sort();
}

/** Of equal distances the lower one. */
function nearest(centroids: Float32Array, value: number): number {
  let [low, high] = [0, centroids.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (value <= (centroids[middle] + centroids[middle + 1]) / 2) high = middle;
    else low = middle + 1;
  }
  return low;
}
