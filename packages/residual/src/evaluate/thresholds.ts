/** What happens to the counts as a decision threshold falls: the common ground of ROC and precision–recall.
 *  Samples with equal scores pass the threshold together, so ties favour nobody. */

/** After all samples with a score of at least `score` are called positive. */
export interface ThresholdPoint {
  readonly score: number;
  readonly truePositives: number;
  readonly falsePositives: number;
}

export interface ThresholdCurve {
  /** One point per distinct score, the highest first. */
  readonly points: readonly ThresholdPoint[];
  readonly positives: number;
  readonly negatives: number;
}

/**
 * @param scores of each sample; greater means rather positive
 * @param isPositive the truth
 */
export function thresholdCurve(scores: ArrayLike<number>, isPositive: (index: number) => boolean): ThresholdCurve {
  // Sorted by a typed array of scores: with 50,000 samples and 1,000 classes a comparator over objects takes minutes.
  const size = scores.length;
  const hits: number[] = [];
  const misses: number[] = [];
  for (let i = 0; i < size; i++) (isPositive(i) ? hits : misses).push(scores[i]);
  const positive = Float64Array.from(hits).sort();
  const negative = Float64Array.from(misses).sort();
  const points: ThresholdPoint[] = [];
  let [p, n] = [positive.length - 1, negative.length - 1];
  while (p >= 0 || n >= 0) {
    const score = p < 0 ? negative[n] : n < 0 ? positive[p] : Math.max(positive[p], negative[n]);
    while (p >= 0 && positive[p] === score) p--;
    while (n >= 0 && negative[n] === score) n--;
    points.push({ score, truePositives: positive.length - 1 - p, falsePositives: negative.length - 1 - n });
  }
  return { points, positives: positive.length, negatives: negative.length };
}
