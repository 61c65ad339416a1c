/** The receiver operating characteristic of one class against the rest, and the area under it.
 *  The area is the probability that a positive gets a higher score than a negative, ties counted half. */

import type { ThresholdCurve } from './thresholds.ts';

export interface RocPoint {
  /** False positive rate. */
  readonly x: number;
  /** True positive rate. */
  readonly y: number;
}

/** From (0, 0) to (1, 1); empty where there are only positives or only negatives. */
export function rocCurve({ points, positives, negatives }: ThresholdCurve): RocPoint[] {
  if (positives === 0 || negatives === 0) return [];
  return [
    { x: 0, y: 0 },
    ...points.map(({ truePositives, falsePositives }) => ({
      x: falsePositives / negatives,
      y: truePositives / positives,
    })),
  ];
}

/** By trapezoids; NaN where there are only positives or only negatives, for then it is not defined. */
export function rocAuc({ points, positives, negatives }: ThresholdCurve): number {
  let area = 0;
  let [hits, misses] = [0, 0];
  for (const { truePositives, falsePositives } of points) {
    area += ((falsePositives - misses) * (truePositives + hits)) / 2;
    [hits, misses] = [truePositives, falsePositives];
  }
  return area / (positives * negatives);
}
