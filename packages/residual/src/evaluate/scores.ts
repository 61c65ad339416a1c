/** All scores of a classifier from its probabilities and the truth: pure arithmetic, whoever made the probabilities.
 *  Each score is computed in a file of its own; this one puts them side by side. */

import { averagePrecision } from './average-precision.ts';
import { type Calibration, calibrationOf } from './calibration.ts';
import { type Average, type ClassScores, classScores, macroAverage, weightedAverage } from './class-scores.ts';
import { accuracyOf, confusionCounts } from './confusion.ts';
import { type RocPoint, rocAuc, rocCurve } from './roc.ts';
import { thresholdCurve } from './thresholds.ts';
import { topKAccuracy } from './top-k.ts';

export interface ClassMetrics extends ClassScores {
  /** Area under the ROC curve of this class against the rest; NaN where all images or none are of it. */
  readonly rocAuc: number;
  /** Of this class against the rest; NaN where no image is of it. */
  readonly averagePrecision: number;
}

export interface Scores {
  readonly images: number;
  /** Mean cross-entropy in nats, without label smoothing. */
  readonly loss: number;
  /** Fraction of images whose most probable class is the true one; the first of equals counts. */
  readonly accuracy: number;
  /** Fraction of images whose true class is among the five most probable. */
  readonly topFive: number;
  /** Counts, classes × classes, row-major: [true class][predicted class]. */
  readonly confusion: Int32Array;
  readonly perClass: readonly ClassMetrics[];
  /** Means over the classes that have images: each counts the same. */
  readonly macro: Average;
  /** Means in which each class counts as often as it has images. */
  readonly weighted: Average;
  /** Mean over the classes for which it is defined (one against the rest). */
  readonly rocAuc: number;
  /** Mean over the classes that have images. */
  readonly averagePrecision: number;
  readonly calibration: Calibration;
  /** Of each class against the rest, at most 100 points; empty where it is not defined. For drawing. */
  readonly rocCurves: readonly (readonly RocPoint[])[];
}

export interface Predicted {
  /** Samples × classes, row-major; each row adds up to 1. */
  readonly probabilities: ArrayLike<number>;
  /** The true class index of each sample. */
  readonly labels: ArrayLike<number>;
  readonly classes: number;
}

/**
 * Scores probabilities.
 *
 * @example const { accuracy, rocAuc, calibration } = scoresOf({ probabilities, labels, classes: 10 })
 */
export function scoresOf({ probabilities, labels, classes }: Predicted): Scores {
  const images = labels.length;
  const predicted = new Int32Array(images);
  let loss = 0;
  for (let i = 0; i < images; i++) {
    let best = 0;
    for (let k = 1; k < classes; k++) {
      if (probabilities[i * classes + k] > probabilities[i * classes + best]) best = k;
    }
    predicted[i] = best;
    // A probability that underflowed counts as the smallest that a double can tell from 0.
    loss -= Math.log(Math.max(probabilities[i * classes + labels[i]], Number.MIN_VALUE));
  }
  const confusion = confusionCounts(labels, predicted, classes);
  const basic = classScores(confusion, classes);
  const column = new Float64Array(images);
  const rocCurves: (readonly RocPoint[])[] = [];
  const perClass = basic.map((scores, k) => {
    for (let i = 0; i < images; i++) column[i] = probabilities[i * classes + k];
    const curve = thresholdCurve(column, (i) => labels[i] === k);
    rocCurves.push(thinned(rocCurve(curve), 100));
    return { ...scores, rocAuc: rocAuc(curve), averagePrecision: averagePrecision(curve) };
  });
  return {
    images,
    loss: loss / images,
    accuracy: accuracyOf(confusion, classes),
    topFive: topKAccuracy(probabilities, labels, classes, 5),
    confusion,
    perClass,
    macro: macroAverage(basic),
    weighted: weightedAverage(basic),
    rocAuc: meanOfDefined(perClass.map((one) => one.rocAuc)),
    averagePrecision: meanOfDefined(perClass.map((one) => one.averagePrecision)),
    calibration: calibrationOf(probabilities, labels, classes),
    rocCurves,
  };
}

function meanOfDefined(values: readonly number[]): number {
  const defined = values.filter((value) => !Number.isNaN(value));
  return defined.reduce((sum, value) => sum + value, 0) / defined.length;
}

/** Points at about even distances along the curve, both ends kept. */
function thinned(points: readonly RocPoint[], most: number): readonly RocPoint[] {
  if (points.length <= most) return points;
  // From (0, 0) to (1, 1) in steps that only go right and up, x + y is the length walked, 0 to 2.
  const kept: RocPoint[] = [];
  let next = 0;
  points.forEach((point, i) => {
    if (point.x + point.y < next && i < points.length - 1) return;
    kept.push(point);
    next = point.x + point.y + 2 / (most - 2);
  });
  return kept;
}
