/** The history of a run: `history.jsonl`, one JSON line per step and per epoch, for people, plots and reports.
 *  A checkpoint knows how long the file was, so that a resumed run has each line once. */

import { codeOf, node } from '../models/files.ts';

/** One training step. Steps and epochs count from 1. */
export interface StepRecord {
  readonly type: 'step';
  /** Steps done since the start of the run. */
  readonly step: number;
  readonly epoch: number;
  /** Steps done in this epoch, of `batches`. */
  readonly batch: number;
  readonly batches: number;
  /** Of this step's batch, with label smoothing. */
  readonly loss: number;
  /** Of this step's batch, 0–1. */
  readonly accuracy: number;
  readonly learningRate: number;
  /** Over the last steps; 0 until there are two. */
  readonly imagesPerSecond: number;
  /** Since the start of the run, all sittings together. */
  readonly seconds: number;
}

/** An epoch's end. */
export interface EpochRecord {
  readonly type: 'epoch';
  readonly epoch: number;
  readonly step: number;
  /** Means over the epoch's training batches, as they were when each was learned. */
  readonly loss: number;
  readonly accuracy: number;
  /** Of the validation set, where there is one. */
  readonly validationLoss?: number;
  readonly validationAccuracy?: number;
  readonly learningRate: number;
  readonly seconds: number;
}

/** What can go wrong while training and be mended. */
export type TroubleKind = 'diverged' | 'dead' | 'outOfMemory' | 'inputRange';

/** A trouble, and what was done about it. */
export interface TroubleRecord {
  readonly type: 'trouble';
  readonly trouble: TroubleKind;
  /** The step that showed it; 0 before the first. */
  readonly step: number;
  readonly epoch: number;
  /** Training went back to after this step; what the history holds of later ones was given up. */
  readonly backTo: number;
  /** What was seen and what is done now, in one sentence each. */
  readonly message: string;
  /** The factor on the learning rate from here on. */
  readonly rateScale: number;
  /** Images computed at once from here on, where a whole batch does not fit into memory. */
  readonly microBatch?: number;
  readonly seconds: number;
}

export type HistoryRecord = StepRecord | EpochRecord | TroubleRecord;

/**
 * The records of a run's `history.jsonl`, in order. A last line that a kill cut off is left out, and so are the steps
 * and epochs that a recovery gave up: each step is there once. The troubles themselves stay.
 *
 * @param options.all Also what was given up. Default false.
 * @returns An empty list where there is no such file.
 */
export async function readHistory(file: string, options: { readonly all?: boolean } = {}): Promise<HistoryRecord[]> {
  const { fs } = node();
  let text: string;
  try {
    text = await fs.promises.readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  const records = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as HistoryRecord);
  return options.all === true ? records : inEffect(records);
}

/** Without what was given up. */
function inEffect(records: readonly HistoryRecord[]): HistoryRecord[] {
  let kept: HistoryRecord[] = [];
  for (const record of records) {
    if (record.type === 'trouble') kept = kept.filter(({ type, step }) => type === 'trouble' || step <= record.backTo);
    kept.push(record);
  }
  return kept;
}
