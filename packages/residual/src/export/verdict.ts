/** Whether an exported file may be called the same model. Float files must give the same numbers, quantised ones the
 *  same classes, and none may lose more accuracy than was allowed. */

import { percent, plain } from '../evaluate/report-format.ts';
import type { Precision } from './artefact.ts';
import type { Agreement } from './measure.ts';

interface Limit {
  /** The largest allowed difference, as a part of the outputs' range. */
  readonly difference?: number;
  /** The smallest allowed part of pictures that are called the same. */
  readonly same?: number;
}

const limits: Readonly<Record<Precision, Limit>> = {
  float32: { difference: 1e-4 },
  // 11 bits of every weight and every value on the way.
  float16: { difference: 2e-2, same: 0.99 },
  dynamic: { same: 0.95 },
  int8: { same: 0.95 },
};

export interface Measured {
  readonly precision: Precision;
  readonly agreement: Agreement;
  /** Fractions; missing where the pictures have no classes. */
  readonly accuracy?: number | undefined;
  readonly originalAccuracy?: number | undefined;
}

/** What speaks against a file, each a sentence without its end; none where it may be used. */
export function objections({ precision, agreement, accuracy, originalAccuracy }: Measured, maxDrop: number): string[] {
  const { difference = Number.POSITIVE_INFINITY, same = 0 } = limits[precision];
  const found: string[] = [];
  // Not "greater than": what is no number is refused as well.
  if (!(agreement.difference <= difference)) {
    const allowed = `${plain(difference)} is allowed for ${precision}`;
    found.push(`its outputs differ from the model's by ${plain(agreement.difference)} of their range, ${allowed}`);
  }
  if (!(agreement.same >= same)) {
    const allowed = `at least ${percent(same, 0)} is asked of ${precision}`;
    found.push(`it calls ${percent(agreement.same)} of the pictures what the model calls them, ${allowed}`);
  }
  if (accuracy !== undefined && originalAccuracy !== undefined) {
    const drop = 100 * (originalAccuracy - accuracy);
    if (drop > maxDrop) {
      found.push(`its accuracy is ${drop.toFixed(1)} points below the model's, --max-drop allows ${plain(maxDrop)}`);
    }
  }
  return found;
}
