/** A histogram as TensorBoard draws it: buckets of equal width between the least and the greatest value.
 *  Its sums are exact enough in doubles for any weight. */

const BUCKETS = 50;

export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  /** The upper end of each bucket; the first begins at `min`. */
  readonly limits: readonly number[];
  readonly counts: readonly number[];
}

/** Values that are not finite are left out. */
export function histogramOf(values: Float32Array | Int32Array): Histogram {
  let [min, max, count, sum, sumOfSquares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    min = Math.min(min, value);
    max = Math.max(max, value);
    count++;
    sum += value;
    sumOfSquares += value * value;
  }
  if (count === 0) return { min: 0, max: 0, count, sum, sumOfSquares, limits: [0], counts: [0] };
  if (min === max) return { min, max, count, sum, sumOfSquares, limits: [max], counts: [count] };
  const width = (max - min) / BUCKETS;
  const limits = Array.from({ length: BUCKETS }, (_, i) => (i === BUCKETS - 1 ? max : min + width * (i + 1)));
  const counts = Array<number>(BUCKETS).fill(0);
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    const bucket = Math.min(BUCKETS - 1, Math.floor((value - min) / width));
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return { min, max, count, sum, sumOfSquares, limits, counts };
}
