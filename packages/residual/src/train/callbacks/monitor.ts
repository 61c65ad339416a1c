/** What early stopping and the best model watch: one number of each epoch, and when it got better.
 *  Kept apart so that both have the same rules, those of Keras. */

import { ModelError } from '../../models/errors.ts';
import type { EpochEvent } from '../options.ts';
import type { Json } from './callback.ts';

export type MonitorName = 'validationLoss' | 'validationAccuracy' | 'loss' | 'accuracy';

const names: readonly MonitorName[] = ['validationLoss', 'validationAccuracy', 'loss', 'accuracy'];

export interface MonitorOptions {
  /** A field of `EpochRecord`. Default `validationLoss`. */
  readonly monitor?: MonitorName;
  /** Whether less or more is better. Default: more for accuracies, less for losses. */
  readonly mode?: 'min' | 'max';
  /** Least change that counts as better, 0 or more. Default 0. */
  readonly minDelta?: number;
}

/** The best so far; epochs count from 1, 0 is none yet. */
export interface Best {
  readonly value: number | null;
  readonly epoch: number;
}

export class Monitor {
  readonly name: MonitorName;
  private readonly sign: 1 | -1;
  private readonly minDelta: number;
  private readonly owner: string;
  best: Best = { value: null, epoch: 0 };

  /** @throws ModelError for impossible options */
  constructor(owner: string, { monitor = 'validationLoss', mode, minDelta = 0 }: MonitorOptions) {
    if (!names.includes(monitor)) {
      throw new ModelError(`${owner}: monitor must be one of ${names.join(', ')}, received '${monitor}'`);
    }
    if (mode !== undefined && mode !== 'min' && mode !== 'max') {
      throw new ModelError(`${owner}: mode must be 'min' or 'max', received '${mode}'`);
    }
    if (!(minDelta >= 0)) throw new ModelError(`${owner}: minDelta must be 0 or more, received ${minDelta}`);
    this.owner = owner;
    this.name = monitor;
    this.sign = (mode ?? (/accuracy$/i.test(monitor) ? 'max' : 'min')) === 'max' ? 1 : -1;
    this.minDelta = minDelta;
  }

  /**
   * True where this epoch is the best so far.
   *
   * @throws ModelError where the epoch has no such number
   */
  isBest(event: EpochEvent): boolean {
    const value = event[this.name];
    if (value === undefined) {
      const there = names.filter((name) => event[name] !== undefined);
      throw new ModelError(`${this.owner}: ${this.name} is not measured in this run; there are ${there.join(', ')}`);
    }
    const { best } = this;
    const better = best.value === null || this.sign * (value - best.value) > this.minDelta;
    if (Number.isNaN(value) || !better) return false;
    this.best = { value, epoch: event.epoch };
    return true;
  }

  get state(): Json {
    return { value: this.best.value, epoch: this.best.epoch };
  }

  set state(state: Json) {
    this.best = state as unknown as Best;
  }
}
