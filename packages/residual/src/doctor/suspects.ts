/** The doctor after training: labels of several parts reviewed together, and the list of those to doubt. */

import type { Dataset } from '../data/dataset.ts';
import { DataError } from '../data/errors.ts';
import { type LabelQuality, type LabelReview, type Ranking, reviewLabels } from './confident-learning.ts';
import { nameOf } from './inspect.ts';

/** Probabilities for a part, by networks that did not learn it. */
export interface PredictedPart {
  readonly part: string;
  readonly dataset: Dataset;
  /** Samples × classes, row-major; NaN in the rows of samples that could not be read. */
  readonly probabilities: Float64Array;
}

/** A label to doubt. */
export interface Doubt extends Omit<LabelQuality, 'index'> {
  readonly part: string;
  /** In its part. */
  readonly index: number;
  /** Its file, or its row in the stored set. */
  readonly sample: string;
  readonly dataset: Dataset;
}

export interface Reviewed {
  readonly classes: readonly string[];
  readonly images: number;
  readonly review: LabelReview;
  /** All images, the least believable label first. */
  readonly ranked: readonly Doubt[];
  /** Those of them that the networks are confident about. */
  readonly suspects: readonly Doubt[];
}

/**
 * Reviews the labels of all parts together.
 *
 * @throws DataError where there is nothing to review
 */
export function reviewParts(parts: readonly PredictedPart[], options: { readonly ranking?: Ranking } = {}): Reviewed {
  const classes = parts[0]?.dataset.classes ?? [];
  const width = classes.length;
  const places = parts.flatMap(({ part, dataset, probabilities }) =>
    Array.from({ length: dataset.size }, (_, index) => ({
      part,
      dataset,
      index,
      row: probabilities.subarray(index * width, (index + 1) * width),
    })).filter(({ row }) => !Number.isNaN(row[0])),
  );
  if (places.length === 0) throw new DataError('there are no readable images whose labels could be reviewed');
  const probabilities = new Float64Array(places.length * width);
  for (const [i, { row }] of places.entries()) probabilities.set(row, i * width);
  const labels = Int32Array.from(places, ({ dataset, index }) => dataset.labels[index]);
  const review = reviewLabels({ labels, probabilities, classes: width }, options);
  const ranked = review.ranked.map((one) => {
    const { part, dataset, index } = places[one.index];
    return { ...one, part, dataset, index, sample: nameOf(dataset, part, index) };
  });
  return { classes, images: places.length, review, ranked, suspects: ranked.filter(({ suspect }) => suspect) };
}

/** `suspects.csv`: what `residual train --exclude` reads. Delete the rows that are right after all. */
export function suspectsCsv({ suspects, classes }: Reviewed): string {
  const field = (value: string | number) => {
    const text = String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const rows = suspects.map(({ sample, part, given, suggested, score, probabilityOfSuggested }) =>
    [sample, classes[given], classes[suggested], score.toFixed(6), probabilityOfSuggested.toFixed(6), part]
      .map(field)
      .join(','),
  );
  return `${['sample,given,suggested,score,confidence,part', ...rows].join('\n')}\n`;
}

/** For `doctor.json`. */
export function reviewedJson({ classes, images, review, suspects }: Reviewed): object {
  const { noise, confidentJoint, thresholds } = review;
  const width = classes.length;
  return {
    images,
    classes,
    estimatedNoise: noise,
    thresholds: [...thresholds],
    confidentJoint: classes.map((_, k) => [...confidentJoint.subarray(k * width, (k + 1) * width)]),
    suspects: suspects.map(({ sample, part, index, given, suggested, score, probabilityOfSuggested }) => ({
      ...{ sample, part, index, given: classes[given], suggested: classes[suggested], score },
      confidence: probabilityOfSuggested,
    })),
  };
}
