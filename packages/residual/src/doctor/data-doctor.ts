/** The doctor before training: looks at every picture of a data set and says what is wrong with it. */

import type { Splits } from '../data/dataset.ts';
import { checkClasses } from './check-classes.ts';
import { checkCopies } from './check-copies.ts';
import { checkFiles } from './check-files.ts';
import { checkLooks } from './check-looks.ts';
import { type Finding, type Severity, severities } from './finding.ts';
import { type Examined, type InspectOptions, inspectPictures, partNames } from './inspect.ts';

export interface Diagnosis {
  readonly name: string;
  readonly classes: readonly string[];
  /** Pictures of each part and class. */
  readonly parts: readonly { readonly part: string; readonly counts: readonly number[] }[];
  readonly pictures: number;
  /** The worst first. */
  readonly findings: readonly Finding[];
}

/**
 * Examines every picture of all parts, on worker threads: files as they are stored, pictures in memory as they are.
 *
 * @throws DataError where the data cannot be read at all; the signal's reason once it is aborted
 * @example const { findings } = await diagnose(await openData('photos/'))
 */
export async function diagnose(splits: Splits, options: InspectOptions = {}): Promise<Diagnosis> {
  const examined = await inspectPictures(splits, options);
  const skipped = [splits.train, splits.validation, splits.test].flatMap((part) => part?.skipped ?? []);
  return diagnosisOf(splits, examined, skipped);
}

/** The same from pictures that are examined already. */
export function diagnosisOf(
  splits: Splits,
  examined: readonly Examined[],
  skipped: Splits['train']['skipped'],
): Diagnosis {
  const { classes } = splits;
  const findings = [
    ...checkFiles(examined, skipped),
    ...checkCopies(examined, classes),
    ...checkLooks(examined, classes),
    ...checkClasses(splits),
  ];
  const rank = (severity: Severity) => severities.indexOf(severity);
  return {
    name: splits.train.name.replace(/\/[^/]*$/, ''),
    classes,
    parts: partNames.flatMap((part) => {
      const labels = splits[part]?.labels;
      if (labels === undefined) return [];
      const counts = classes.map(() => 0);
      for (const label of labels) counts[label]++;
      return [{ part, counts }];
    }),
    pictures: examined.length,
    findings: findings.sort((a, b) => rank(a.severity) - rank(b.severity)),
  };
}

/** How many findings of each severity. */
export function verdictOf({ findings }: Diagnosis): Record<Severity, number> {
  const counts = { problem: 0, warning: 0, note: 0 };
  for (const { severity } of findings) counts[severity]++;
  return counts;
}

/** For `doctor.json`: names instead of pictures. */
export function diagnosisJson(diagnosis: Diagnosis): object {
  return {
    ...diagnosis,
    verdict: verdictOf(diagnosis),
    findings: diagnosis.findings.map(({ cases, ...finding }) => ({
      ...finding,
      cases: cases.map(({ pictures, detail }) => ({
        detail,
        pictures: pictures.map(({ name, part, label }) => ({ name, part, class: diagnosis.classes[label] })),
      })),
    })),
  };
}
