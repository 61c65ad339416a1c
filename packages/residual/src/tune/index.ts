/** The public list of the search. */

export type { ResultRecord, SearchRecord, TrialRecord } from './journal.ts';
export type { Dimension } from './space.ts';
export { dimensionOf } from './space.ts';
export type { TuneBest, TuneOptions, TuneResult } from './tune.ts';
export { tune } from './tune.ts';
