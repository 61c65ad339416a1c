/** Average precision of one class against the rest: Σ (Rₙ − Rₙ₋₁)·Pₙ over the thresholds, without interpolation,
 *  as scikit-learn's `average_precision_score` (trapezoids under a precision–recall curve would be too optimistic). */

import type { ThresholdCurve } from './thresholds.ts';

/** NaN where there are no positives. */
export function averagePrecision({ points, positives }: ThresholdCurve): number {
  let sum = 0;
  let hits = 0;
  for (const { truePositives, falsePositives } of points) {
    sum += (truePositives - hits) * (truePositives / (truePositives + falsePositives));
    hits = truePositives;
  }
  return sum / positives;
}
