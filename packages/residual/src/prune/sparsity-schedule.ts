/** How many weights are to be zero at which step: few at first, when many are of no use, and more and more slowly.
 *  (M. Zhu and S. Gupta, "To prune, or not to prune", arXiv 1710.01878, equation 1.) */

import { ModelError } from '../models/errors.ts';

export interface SparsityScheduleOptions {
  /** At the end: the part of the weights that is zero, more than 0 and less than 1. */
  readonly sparsity: number;
  /** At the beginning. Default 0. */
  readonly initialSparsity?: number;
  /** Updates made before the first weights go. Default 0. */
  readonly begin?: number;
  /** Updates made when the last ones go; the fine-tuning after it has all zeros in place. */
  readonly end: number;
  /** Updates from one choice of zeros to the next. Default: a fiftieth of the way, at least 1. */
  readonly every?: number;
  /** Of the polynomial; 1 is a line. Default 3. */
  readonly power?: number;
}

export interface SparsitySchedule {
  readonly config: Readonly<Record<string, number>>;
  /** What is to be zero before the update that follows `updates` others; undefined where nothing changes then. */
  at(updates: number): number | undefined;
}

/**
 * s = s_end + (s_begin − s_end) · (1 − progress)^power, chosen anew every few updates.
 *
 * @throws ModelError for impossible options
 * @example sparsitySchedule({ sparsity: 0.8, end: 500 }).at(250) // 0.7
 */
export function sparsitySchedule(options: SparsityScheduleOptions): SparsitySchedule {
  const { sparsity, initialSparsity = 0, begin = 0, end, power = 3 } = options;
  const every = options.every ?? Math.max(1, Math.floor((end - begin) / 50));
  const check = (ok: boolean, rule: string, value: unknown) => {
    if (!ok) throw new ModelError(`magnitudePruning: ${rule}, received ${value}`);
  };
  const whole = (value: number, least: number) => Number.isInteger(value) && value >= least;
  check(sparsity > 0 && sparsity < 1, 'sparsity must be more than 0 and less than 1', sparsity);
  const startRule = `initialSparsity must be from 0 to sparsity (${sparsity})`;
  check(initialSparsity >= 0 && initialSparsity <= sparsity, startRule, initialSparsity);
  check(whole(begin, 0), 'begin must be a whole number of updates from 0 up', begin);
  check(whole(end, begin), `end must be a whole number of updates from begin (${begin}) up`, end);
  check(whole(every, 1), 'every must be a whole number of updates from 1 up', every);
  check(power > 0 && Number.isFinite(power), 'power must be more than 0', power);
  return {
    config: { sparsity, initialSparsity, begin, end, every, power },
    at(updates) {
      if (updates < begin || updates > end) return undefined;
      if (updates !== end && (updates - begin) % every !== 0) return undefined;
      if (updates === end) return sparsity;
      const left = 1 - (updates - begin) / (end - begin);
      return sparsity + (initialSparsity - sparsity) * left ** power;
    },
  };
}
