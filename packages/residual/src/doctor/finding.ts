/** What the doctor says of a data set: findings, each with how bad it is, what to do, and the pictures that show it. */

import type { Examined } from './inspect.ts';

/** `problem`: mend it before training. `warning`: look at it. `note`: good to know. */
export type Severity = 'problem' | 'warning' | 'note';
export const severities = ['problem', 'warning', 'note'] as const satisfies readonly Severity[];

/** Pictures that belong together: one, or copies of each other. */
export interface Case {
  readonly pictures: readonly Examined[];
  /** What is the matter with these, in a few words. */
  readonly detail: string;
}

export interface Finding {
  /** For machines, e.g. `exact-duplicates-across-parts`. */
  readonly kind: string;
  readonly severity: Severity;
  /** One line, without a full stop. */
  readonly title: string;
  /** What it does to training, and what to do. */
  readonly advice: string;
  /** Pictures (or classes, files) concerned. */
  readonly count: number;
  readonly cases: readonly Case[];
  /** Things that are no pictures of the set: files that were left out, classes. */
  readonly entries?: readonly { readonly name: string; readonly detail: string }[];
}
