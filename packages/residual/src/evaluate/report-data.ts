/** What a report shows, as plain data: everything on the page comes from here, and nothing is measured while drawing.
 *  Whoever trains or evaluates fills it in. */

import type { SkippedFile } from '../data/dataset.ts';

/** One training step, as the history recorded it. */
export interface StepPoint {
  /** Epochs done, with fractions: step 30 of 60 in the third epoch is 2.5. */
  readonly epoch: number;
  readonly loss: number;
  /** Of the step's batch, 0–1. */
  readonly accuracy?: number;
  readonly learningRate?: number;
  readonly imagesPerSecond?: number;
}

/** One epoch's end. */
export interface EpochPoint {
  /** Counted from 1. */
  readonly epoch: number;
  readonly validationLoss?: number;
  readonly validationAccuracy?: number;
}

/** One image that the network got wrong. */
export interface ReportMistake {
  /** A `data:` URI. */
  readonly picture: string;
  readonly actual: number;
  readonly predicted: number;
  /** The network's probability for what it predicted, and for what was true. */
  readonly probability: number;
  readonly probabilityOfTruth: number;
  /** A file's name or a sample's number. */
  readonly source: string;
}

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
  /** Missing where a model was evaluated that has no history. */
  readonly training?: {
    readonly steps: readonly StepPoint[];
    readonly epochs: readonly EpochPoint[];
    /** Epochs completed. */
    readonly epochsDone: number;
    /** Time spent in training, all sittings together. */
    readonly seconds: number;
    readonly imagesPerSecond: number;
  };
  readonly evaluation: {
    /** `test`, `validation` or `train`. */
    readonly split: string;
    readonly loss: number;
    /** counts[true][predicted]. */
    readonly confusion: readonly (readonly number[])[];
    /** Fraction of images whose true class is among the five most probable. */
    readonly topFive?: number;
  };
  readonly mistakes: readonly ReportMistake[];
  readonly options: readonly (readonly [name: string, value: string])[];
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** Commands, one per line, that train this model again. */
  readonly reproduce: readonly string[];
  readonly skipped: readonly SkippedFile[];
  /** When the report was made. */
  readonly date: Date;
}
