/** The range with the smallest mean squared error: what is clipped against what all others lose by wider steps.
 *  A grid over both ends; each candidate costs a handful of additions, since sums over bins are made beforehand. */

import type { ValueRange } from '../parameters.ts';
import { Histogram } from './histogram.ts';
import { type Observer, type ObserverOptions, stepsOf } from './observer.ts';

/** Candidates for each end, evenly from nothing to all that was seen. */
const CANDIDATES = 128;

/** @example calibrate(graph, batches, { observer: () => mse({ scheme: 'symmetric' }) }) */
export function mse(options: ObserverOptions = {}): Observer {
  const seen = new Histogram();
  const symmetric = options.scheme === 'symmetric';
  return {
    observe: (numbers) => seen.add(numbers),
    range() {
      const { min, max } = seen;
      if (seen.isFlat) return { min, max };
      const error = errorOf(seen, stepsOf(options));
      const parts = Array.from({ length: CANDIDATES }, (_, i) => (CANDIDATES - i) / CANDIDATES);
      const largest = Math.max(max, -min);
      const candidates: ValueRange[] = symmetric
        ? parts.map((part) => ({ min: -largest * part, max: largest * part }))
        : ends(min, parts).flatMap((low) => ends(max, parts).map((high) => ({ min: low, max: high })));
      let [best, least] = [{ min, max } as ValueRange, Number.POSITIVE_INFINITY];
      for (const range of candidates) {
        const found = range.min < range.max ? error(range) : Number.POSITIVE_INFINITY;
        // Not "at most": of equals the wider one, which comes first, stays.
        if (found < least) [best, least] = [range, found];
      }
      return best;
    },
  };
}

/** The range reaches to 0 in any case: an end on the other side of it is no end. */
function ends(end: number, parts: readonly number[]): number[] {
  return [...new Set(parts.map((part) => end * part))];
}

/**
 * The summed squared error of a range, as a function. What is nearest to 0 loses itself; elsewhere rounding is spread
 * evenly over a step, so costs step² / 12.
 */
function errorOf(seen: Histogram, steps: number): (range: ValueRange) => number {
  const { counts, width, first } = seen;
  const bins = counts.length;
  // [i]: of all bins before i, number of numbers, their sum, and that of their squares.
  const [ns, sums, squares] = [new Float64Array(bins + 1), new Float64Array(bins + 1), new Float64Array(bins + 1)];
  for (let i = 0; i < bins; i++) {
    const centre = seen.edge(i) + width / 2;
    ns[i + 1] = ns[i] + counts[i];
    sums[i + 1] = sums[i] + counts[i] * centre;
    squares[i + 1] = squares[i] + counts[i] * (centre * centre + (width * width) / 12);
  }
  const away = (from: number, to: number, end: number) =>
    squares[to] - squares[from] - 2 * end * (sums[to] - sums[from]) + end * end * (ns[to] - ns[from]);
  const binAt = (value: number) => Math.min(Math.max(Math.round(value / width) - first, 0), bins);
  return ({ min, max }) => {
    const [low, high] = [Math.min(min, 0), Math.max(max, 0)];
    const step = (high - low) / steps;
    const [below, above] = [binAt(low), binAt(high)];
    const [from, to] = [Math.max(binAt(-step / 2), below), Math.min(binAt(step / 2), above)];
    const rounded = ns[above] - ns[below] - (ns[to] - ns[from]);
    return away(0, below, low) + away(above, bins, high) + away(from, to, 0) + (rounded * step * step) / 12;
  };
}
