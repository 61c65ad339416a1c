/** What a batch should teach, as rows of target values on the host: labels, mixed labels, or soft and multi-hot rows. */

import { ModelError } from '../models/errors.ts';
import { smoothedTargets } from './loss.ts';
import type { Loss } from './losses.ts';

/** The part of a batch that says what is on its images. */
export interface Truth {
  readonly labels: Int32Array;
  readonly size: number;
  /** The label of the image that was mixed into each (mixup, CutMix). */
  readonly partners?: Int32Array;
  /** The share of each image's own label, 1 where nothing was mixed in. */
  readonly shares?: Float32Array;
  /** size × classes values that say it all, instead of labels: soft or multi-hot. */
  readonly targets?: Float32Array;
}

/**
 * @returns size × classes, row-major, smoothed.
 * @throws ModelError where there are partners without shares, or targets of another length
 */
export function targetRows(
  truth: Truth,
  classes: number,
  loss: Pick<Loss, 'answers' | 'labelSmoothing'>,
): Float32Array {
  const { labels, size, partners, shares, targets } = truth;
  const { answers, labelSmoothing: s } = loss;
  // A yes or no is smoothed towards ½, one of many towards all of them.
  const floor = answers === 'many' ? s / 2 : s / classes;
  if (targets) {
    if (partners) throw new ModelError('targets of their own cannot be mixed: leave out mixup and CutMix, or targets');
    if (targets.length !== size * classes) {
      throw new ModelError(`targets must be ${size} x ${classes} values, received ${targets.length}`);
    }
    return targets.map((target) => target * (1 - s) + floor);
  }
  const mixed = partners !== undefined || shares !== undefined;
  if (!mixed && answers === 'one') return smoothedTargets(labels, classes, s);
  const rows = new Float32Array(size * classes).fill(floor);
  const add = (row: number, label: number, share: number) => {
    rows[row * classes + label] = (rows[row * classes + label] ?? 0) + share * (1 - s);
  };
  labels.forEach((label, row) => {
    const share = mixed ? shareOf(truth, row) : 1;
    add(row, label, share);
    if (mixed && share < 1) add(row, partners?.[row] ?? label, 1 - share);
  });
  return rows;
}

/** Each image's weight from its classes' weights: the mean by the shares of its targets. */
export function imageWeights(truth: Truth, classes: number, classWeights: readonly number[]): Float32Array {
  const { labels, size, partners, shares, targets } = truth;
  const weight = (label: number) => classWeights[label] ?? 0;
  return Float32Array.from({ length: size }, (_, row) => {
    if (targets) {
      const values = targets.subarray(row * classes, (row + 1) * classes);
      return values.reduce((sum, target, label) => sum + target * weight(label), 0);
    }
    const own = weight(labels[row] ?? 0);
    if (!partners && !shares) return own;
    const share = shareOf(truth, row);
    return share * own + (1 - share) * weight(partners?.[row] ?? 0);
  });
}

/** A part of a batch's truth. */
export function truthSlice(truth: Truth, start: number, end: number, classes: number): Truth {
  const { labels, partners, shares, targets } = truth;
  return {
    labels: labels.subarray(start, end),
    size: end - start,
    ...(partners ? { partners: partners.subarray(start, end) } : {}),
    ...(shares ? { shares: shares.subarray(start, end) } : {}),
    ...(targets ? { targets: targets.subarray(start * classes, end * classes) } : {}),
  };
}

function shareOf({ partners, shares }: Truth, row: number): number {
  if (!partners || !shares) throw new ModelError('a mixed batch needs both partners and shares');
  return shares[row] ?? 1;
}
