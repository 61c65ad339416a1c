/** What a report shows, as plain data: everything on the page comes from here, and nothing is measured while drawing.
 *  Whoever trains or evaluates fills it in. */

import type { SkippedFile } from '../data/dataset.ts';
import type { HistoryRecord } from '../train/history.ts';
import type { Diagnosis } from './diagnose.ts';
import type { Evaluation, Mistake } from './metrics.ts';

/** One image that the network got wrong, with what is needed to show it. */
export interface ShownMistake extends Mistake {
  /** A `data:` URI. */
  readonly picture: string;
  /** A file's name or a sample's number. */
  readonly source: string;
}

/** Names with values, in the order in which they are shown. */
export type Pairs = readonly (readonly [name: string, value: string])[];

export interface ReportData {
  /** The run's name. */
  readonly name: string;
  readonly architecture: string;
  readonly parameters: number;
  readonly inputShape: readonly number[];
  /** The data set's name and the number of images in each part. */
  readonly data: string;
  readonly sizes: readonly (readonly [part: string, images: number])[];
  readonly classes: readonly string[];
  /** Empty where a model was evaluated that has no history. */
  readonly history: readonly HistoryRecord[];
  /** What the curves say; missing where there are none. */
  readonly diagnosis?: Diagnosis;
  /** `test`, `validation` or `train`. */
  readonly split: string;
  readonly evaluation: Evaluation;
  readonly mistakes: readonly ShownMistake[];
  readonly options: Pairs;
  readonly environment: Pairs;
  /** Commands, one per line, that train this model again. */
  readonly reproduce: readonly string[];
  readonly skipped: readonly SkippedFile[];
  /** When the report was made. */
  readonly date: Date;
}
