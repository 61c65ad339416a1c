/** Likely wrong labels by confident learning (C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating
 *  Uncertainty in Dataset Labels", JAIR 2021): pure arithmetic on labels and probabilities that did not see them. */

import { DataError } from '../data/errors.ts';

/** How samples are put in order of suspicion; the paper's section 3.3. */
export type Ranking = 'self-confidence' | 'normalized-margin';

export const rankings = ['self-confidence', 'normalized-margin'] as const satisfies readonly Ranking[];

export interface LabelledProbabilities {
  /** The given class index of each sample. */
  readonly labels: ArrayLike<number>;
  /** Samples × classes, row-major; each row adds up to 1. The network that made a row must not have learned its label. */
  readonly probabilities: ArrayLike<number>;
  readonly classes: number;
}

/** One sample, and how much its label is to be believed. */
export interface LabelQuality {
  readonly index: number;
  readonly given: number;
  /** The most probable other class. */
  readonly suggested: number;
  /** 0 (certainly wrong) to 1 (certainly right). */
  readonly score: number;
  readonly probabilityOfGiven: number;
  readonly probabilityOfSuggested: number;
  /** Counted off the diagonal of the confident joint: the network is confident of another class. */
  readonly suspect: boolean;
}

export interface LabelReview {
  /** t: mean probability of a class over the samples that were given it; 1 for a class without samples. */
  readonly thresholds: Float64Array;
  /** C: counts, classes × classes, row-major: [given class][confidently predicted class]. */
  readonly confidentJoint: Int32Array;
  /** Q: the joint distribution of given and true classes, classes × classes, adding up to 1. */
  readonly joint: Float64Array;
  /** The share of wrong labels that Q says, 0 to 1. */
  readonly noise: number;
  /** All samples, the least believable label first. */
  readonly ranked: readonly LabelQuality[];
  /** How many of them are suspects. */
  readonly suspects: number;
}

/**
 * Reviews labels. The confident class of a sample is the most probable of those whose probability reaches their class's
 * threshold; a sample without one is not counted in C.
 *
 * @param options.ranking `self-confidence` (default): p(given); `normalized-margin`: (p(given) − max p(other) + 1) / 2
 * @throws DataError for labels out of range, and lengths that do not belong together
 */
export function reviewLabels(
  { labels, probabilities, classes }: LabelledProbabilities,
  options: { readonly ranking?: Ranking } = {},
): LabelReview {
  const { ranking = 'self-confidence' } = options;
  const size = labels.length;
  if (size * classes !== probabilities.length) {
    throw new DataError(
      `${size} labels of ${classes} classes need ${size * classes} probabilities, received ${probabilities.length}`,
    );
  }
  for (let i = 0; i < size; i++) {
    if (!(labels[i] >= 0 && labels[i] < classes)) {
      throw new DataError(`labels are whole numbers from 0 to ${classes - 1}, received ${labels[i]}`);
    }
  }
  const thresholds = thresholdsOf({ labels, probabilities, classes });
  const confidentJoint = new Int32Array(classes * classes);
  const ranked: LabelQuality[] = [];
  let suspects = 0;
  for (let i = 0; i < size; i++) {
    const given = labels[i];
    const row = i * classes;
    let [confident, suggested] = [-1, -1];
    for (let k = 0; k < classes; k++) {
      const p = probabilities[row + k];
      if (p >= thresholds[k] && (confident < 0 || p > probabilities[row + confident])) confident = k;
      if (k !== given && (suggested < 0 || p > probabilities[row + suggested])) suggested = k;
    }
    if (confident >= 0) confidentJoint[given * classes + confident]++;
    const suspect = confident >= 0 && confident !== given;
    if (suspect) suspects++;
    const probabilityOfGiven = probabilities[row + given];
    const probabilityOfSuggested = suggested < 0 ? 0 : probabilities[row + suggested];
    const score =
      ranking === 'self-confidence' ? probabilityOfGiven : (probabilityOfGiven - probabilityOfSuggested + 1) / 2;
    ranked.push({
      index: i,
      given,
      suggested: Math.max(0, suggested),
      score,
      probabilityOfGiven,
      probabilityOfSuggested,
      suspect,
    });
  }
  ranked.sort((a, b) => a.score - b.score || a.index - b.index);
  const joint = jointOf(confidentJoint, labels, classes);
  const trace = joint.reduce((sum, value, cell) => (cell % (classes + 1) === 0 ? sum + value : sum), 0);
  return { thresholds, confidentJoint, joint, noise: size === 0 ? 0 : Math.max(0, 1 - trace), ranked, suspects };
}

function thresholdsOf({ labels, probabilities, classes }: LabelledProbabilities): Float64Array {
  const sums = new Float64Array(classes);
  const counts = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) {
    sums[labels[i]] += probabilities[i * classes + labels[i]];
    counts[labels[i]]++;
  }
  return sums.map((sum, k) => (counts[k] === 0 ? 1 : sum / counts[k]));
}

/** Equation 3 of the paper: each row of C is scaled to as many samples as have that label, then all to 1. */
function jointOf(confidentJoint: Int32Array, labels: ArrayLike<number>, classes: number): Float64Array {
  const given = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) given[labels[i]]++;
  const joint = new Float64Array(classes * classes);
  for (let k = 0; k < classes; k++) {
    const row = confidentJoint.subarray(k * classes, (k + 1) * classes);
    const total = row.reduce((a, b) => a + b, 0);
    // A class of which nothing is confident is taken at its word.
    if (total === 0) joint[k * classes + k] = given[k];
    else row.forEach((count, j) => void (joint[k * classes + j] = (count / total) * given[k]));
  }
  const sum = Math.max(1, labels.length);
  return joint.map((value) => value / sum);
}
