/** What a learning rate schedule is: plain data plus a function of the step.
 *  A run that is resumed stands where it stood; a schedule that watches the training keeps its state in the checkpoint. */

import { ModelError } from '../models/errors.ts';

export type ScheduleName =
  | 'constant'
  | 'cosineDecay'
  | 'cosineDecayRestarts'
  | 'piecewiseConstant'
  | 'exponentialDecay'
  | 'polynomialDecay'
  | 'oneCycle'
  | 'exponentialRange'
  | 'reduceOnPlateau';

export type ScheduleConfig = Readonly<Record<string, number | string | boolean | readonly number[]>>;

/** From a step (counted from 0: how many updates were made before this one) to a learning rate. */
export interface Schedule {
  readonly name: ScheduleName;
  /** The values that make it, for the record and to tell whether two schedules are the same. */
  readonly config: ScheduleConfig;
  at(step: number): number;
}

/** A schedule whose rate depends on how the training goes. An optimizer saves its state with its own. */
export interface WatchingSchedule extends Schedule {
  /** What it looks at, a field of `EpochRecord` (TF.js's own names for it, such as `val_loss`, serve as well). */
  readonly monitor: Monitored;
  /** Tells it of an epoch's end; `train` does. */
  observe(metrics: Metrics): void;
  /** Everything that `observe` changed, as numbers. */
  saveState(): readonly number[];
  restoreState(state: readonly number[]): void;
}

export type Monitored = 'validationLoss' | 'validationAccuracy' | 'loss' | 'accuracy';

export type Metrics = Readonly<Record<string, number | string | undefined>>;

export function isWatching(schedule: Schedule): schedule is WatchingSchedule {
  return 'observe' in schedule;
}

/** The schedule of an optimizer, where it has one that watches. */
export function watchingScheduleOf(optimizer: object): WatchingSchedule | undefined {
  const { schedule } = optimizer as { readonly schedule?: Schedule };
  return schedule && isWatching(schedule) ? schedule : undefined;
}

/** @throws ModelError where a rate is no number from 0 up */
export function checkRate(name: string, rate: number, what = 'the learning rate'): void {
  checkValue(name, rate >= 0 && Number.isFinite(rate), `${what} must be a number from 0 up`, rate);
}

/** @throws ModelError with the rule and the value unless `ok` */
export function checkValue(name: string, ok: boolean, rule: string, value: unknown): void {
  if (!ok) throw new ModelError(`${name}: ${rule}, received ${Array.isArray(value) ? JSON.stringify(value) : value}`);
}
