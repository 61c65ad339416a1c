/** Searches for a better recipe: trials with other values, of which only the promising are trained to the end.
 *  Everything that was decided or measured is in the journal, every trial in a folder with its checkpoint. */

import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Splits } from '../data/dataset.ts';
import { DataError } from '../data/errors.ts';
import { ModelError, WriteError } from '../models/errors.ts';
import { modelOf, trainOptionsOf } from '../recipe/build.ts';
import type { Plain } from '../recipe/layers.ts';
import { changedRecipe } from '../recipe/library.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { EpochEvent, StepEvent } from '../train/options.ts';
import { train } from '../train/train.ts';
import { bestTrial, nextTask, type Score, type Task } from './halving.ts';
import { Journal, type ResultRecord, type SearchRecord, type TrialRecord } from './journal.ts';
import { sample } from './sampler.ts';

export interface TuneOptions {
  /** Where the journal and the trials are. */
  readonly folder: string;
  /** Seconds of all sittings together after which no rung is begun; the one under way is saved. Default none. */
  readonly budget?: number;
  readonly signal?: AbortSignal;
  readonly workers?: number;
  /** A task begins. */
  readonly onTask?: (task: Task, values: Readonly<Record<string, Plain>>, epochs: number) => void;
  readonly onStep?: (event: StepEvent) => void;
  readonly onEpoch?: (event: EpochEvent) => void;
  /** A rung is measured. */
  readonly onResult?: (result: ResultRecord) => void;
}

export interface TuneResult {
  /** `signal` or the budget ended the search before it was done. */
  readonly ended: 'done' | 'interrupted' | 'budget';
  readonly search: SearchRecord;
  readonly trials: readonly TrialRecord[];
  readonly results: readonly ResultRecord[];
  /** Missing where no trial came to the end of a rung. */
  readonly best: TuneBest | undefined;
}

export interface TuneBest {
  readonly trial: number;
  readonly values: Readonly<Record<string, Plain>>;
  readonly result: ResultRecord;
  readonly recipe: Recipe;
}

/**
 * Runs a search, or goes on with the one in the folder.
 *
 * Trial 0 is the recipe as it stands; the others draw their values from the space. A trial is judged by its accuracy
 * on the validation images at the end of each rung, and goes on from its checkpoint where it is promoted, so the
 * result is that of an uninterrupted run. The same journal leads to the same trials, whether or not the search was
 * killed.
 *
 * @param search All that decides the search; must be the journal's where there is one.
 * @throws ModelError, DataError, WriteError
 */
export async function tune(search: SearchRecord, splits: Splits, options: TuneOptions): Promise<TuneResult> {
  if (splits.validation === undefined || splits.validation.size === 0) {
    throw new DataError('a search needs validation images to choose by: --validation 0.1 holds some out');
  }
  const journal = Journal.open(options.folder);
  try {
    checkSame(journal, search);
    if (journal.search === undefined) journal.append(search);
    const ended = await searchOn(journal, search, splits, options);
    const state = { ended, search, trials: [...journal.trials], results: [...journal.results] };
    const best = bestOf(search, journal.trials, journal.results);
    if (ended === 'done') await tidy(options.folder, best?.trial);
    return { ...state, best };
  } finally {
    journal.close();
  }
}

async function searchOn(
  journal: Journal,
  search: SearchRecord,
  splits: Splits,
  options: TuneOptions,
): Promise<TuneResult['ended']> {
  const began = performance.now();
  const before = journal.results.reduce((sum, { seconds }) => sum + seconds, 0);
  const left = () => (options.budget ?? Number.POSITIVE_INFINITY) - before - (performance.now() - began) / 1000;
  for (;;) {
    const task = nextTask(search, scoresOf(journal.results));
    if (task === undefined) return 'done';
    if (left() <= 0) return 'budget';
    if (options.signal?.aborted) return 'interrupted';
    const timer = Number.isFinite(left()) ? AbortSignal.timeout(1000 * left()) : undefined;
    const signals = [options.signal, timer].filter((one) => one !== undefined);
    const result = await runTask(journal, search, task, splits, options, AbortSignal.any(signals));
    if (result === undefined) return options.signal?.aborted ? 'interrupted' : 'budget';
    journal.append(result);
    options.onResult?.(result);
  }
}

/** Trains a trial to the end of a rung; undefined where it was interrupted. */
async function runTask(
  journal: Journal,
  search: SearchRecord,
  task: Task,
  splits: Splits,
  options: TuneOptions,
  signal: AbortSignal,
): Promise<ResultRecord | undefined> {
  const { trial, rung } = task;
  const known = journal.trials.find((one) => one.trial === trial);
  const values = known?.values ?? (trial === 0 ? {} : sample(search.space, search.seed, trial));
  if (known === undefined) journal.append({ type: 'trial', trial, values });
  const epochs = search.rungs[rung] ?? search.recipe.training.epochs;
  options.onTask?.(task, values, epochs);
  const directory = trialFolder(options.folder, trial);
  const recipe = trialRecipe(search, values);
  const model = await modelOf(recipe, splits);
  const own = trainOptionsOf(recipe, splits, model);
  const began = performance.now();
  const seconds = () => Math.round((performance.now() - began) / 100) / 10;
  const { workers, onStep, onEpoch } = options;
  try {
    const resume = existsSync(join(directory, 'history.jsonl'));
    const result = await train(model, splits, {
      ...own,
      epochs,
      directory,
      resume,
      signal,
      // A trial that diverges has said what it is worth.
      mend: false,
      ...(workers === undefined ? {} : { workers }),
      ...(onStep === undefined ? {} : { onStep }),
      ...(onEpoch === undefined ? {} : { onEpoch }),
    });
    if (result.interrupted) return undefined;
    const { validationAccuracy: accuracy, validationLoss: loss } = result.epochs.at(-1) ?? {};
    if (accuracy === undefined || loss === undefined) throw new Error('internal: an epoch was not validated');
    return { type: 'result', ...task, epochs, accuracy, loss, seconds: seconds() };
  } catch (error) {
    if (!(error instanceof ModelError) || error instanceof WriteError) throw error;
    await rm(directory, { recursive: true, force: true });
    return { type: 'result', ...task, epochs, failed: error.message, seconds: seconds() };
  } finally {
    own.optimizer?.dispose();
    model.dispose();
  }
}

/** The recipe of a trial. */
export function trialRecipe(search: SearchRecord, values: Readonly<Record<string, Plain>>): Recipe {
  const overrides = Object.entries(values).map(([key, value]) => ({ key, value, origin: `the search of ${key}` }));
  return changedRecipe(search.recipe, overrides);
}

export function scoresOf(results: readonly ResultRecord[]): readonly Score[] {
  return results.map(({ trial, rung, accuracy }) => ({ trial, rung, score: accuracy ?? Number.NEGATIVE_INFINITY }));
}

/** The best of what was measured so far. */
export function bestOf(
  search: SearchRecord,
  trials: readonly TrialRecord[],
  results: readonly ResultRecord[],
): TuneBest | undefined {
  const score = bestTrial(scoresOf(results));
  const trial = trials.find((one) => one.trial === score?.trial);
  const result = results.find((one) => one.trial === score?.trial && one.rung === score?.rung);
  if (trial === undefined || result === undefined || result.failed !== undefined) return undefined;
  return { trial: trial.trial, values: trial.values, result, recipe: trialRecipe(search, trial.values) };
}

/** Two searches in one folder would spoil both. */
function checkSame(journal: Journal, search: SearchRecord): void {
  if (journal.search !== undefined && JSON.stringify(journal.search) !== JSON.stringify(search)) {
    throw new ModelError('the folder holds another search: go on with it by resuming, or choose another folder');
  }
}

export function trialFolder(folder: string, trial: number): string {
  return join(folder, 'trials', String(trial).padStart(3, '0'));
}

/** A finished search keeps each trial's history, and the best trial's model. */
async function tidy(folder: string, best: number | undefined): Promise<void> {
  for (const name of await readdir(join(folder, 'trials')).catch(() => [])) {
    if (Number(name) === best) continue;
    for (const file of await readdir(join(folder, 'trials', name))) {
      if (file !== 'history.jsonl') await rm(join(folder, 'trials', name, file), { recursive: true, force: true });
    }
  }
}
