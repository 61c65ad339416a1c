/** What a run computes, as data: its data, its whole recipe and its backend, written to `run.json`,
 *  so that a run can be resumed, evaluated on its own data, and repeated. */

import { readFile, stat } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { version_core } from '@tensorflow/tfjs-core';
import type { Splits } from '../data/dataset.ts';
import { type ExclusionList, exclude, readExclusions } from '../data/node/exclude.ts';
import { type OpenOptions, openData } from '../data/node/open.ts';
import type { Pairs } from '../evaluate/report-data.ts';
import { bytes } from '../evaluate/report-format.ts';
import { writeAside } from '../models/files.ts';
import { dataOptionsOf } from '../recipe/build.ts';
import { changedRecipe, loadRecipe, runRecipeFile } from '../recipe/library.ts';
import type { Override } from '../recipe/overrides.ts';
import type { Recipe } from '../recipe/schema.ts';
import { recipePairs } from '../recipe/text.ts';
import { recipeText } from '../recipe/write.ts';
import { weightsCache } from '../weights/node/cache-folder.ts';
import { findWeights, nearestWeights } from '../weights/registry/find.ts';
import { CommandError, UsageError, type Values } from './command.ts';
import { defaultData, recipeFor } from './defaults.ts';
import { quoted, version } from './program.ts';
import { type QuantizePlan, quantizeCommandOf, quantizeText } from './quantize-plan.ts';
import { overridesOf } from './recipe-options.ts';
import { findRun } from './run-folders.ts';
import type { trainOptions } from './train.ts';

export interface RunPlan {
  readonly format: 'residual-run/2';
  readonly name: string;
  readonly created: string;
  readonly data: {
    /** A known name, or an absolute path. */
    readonly source: string;
    /** Samples that are left out of training and validation. */
    readonly exclude?: ExclusionList;
  };
  /** The recipe's name. */
  readonly from: string;
  /** Complete: nothing is looked up again when the run is resumed. */
  readonly recipe: Recipe;
  readonly checkpointEvery?: number;
  /** Where features of a frozen backbone are kept, for this run and others. */
  readonly features?: string;
  /** The network learns to compute in integers. */
  readonly quantize?: QuantizePlan;
  /** Files beside the history. */
  readonly logs: readonly ('csv' | 'tensorboard')[];
  /** The folder of the run that was pruned or clustered, to be compared with at the end. */
  readonly compressedFrom?: string;
  /** Another backend would round differently, so a run keeps its own. */
  readonly backend: string;
  /** Of the machine that began the run; empty until it begins. */
  readonly environment: Pairs;
}

type TrainValues = Values<typeof trainOptions>;

/** What a command wants beneath the user's own options. */
export interface PlanBase {
  /** The recipe where the user names none. Default: the one that fits his data. */
  readonly recipe?: string;
  readonly overrides?: readonly Override[];
  /** Default: the user's cache. */
  readonly features?: string;
}

/**
 * Lays the user's options over the recipe that he names, or that fits his data.
 *
 * @throws UsageError for options that contradict each other, RecipeError for those that cannot be
 */
export async function makePlan(
  argument: string | undefined,
  values: TrainValues,
  name: (data: string, model: string) => string,
  base: PlanBase = {},
): Promise<RunPlan> {
  if (argument !== undefined && values.data !== undefined && argument !== values.data) {
    throw new UsageError(`the data is given twice: ${argument} and --data ${values.data}`);
  }
  const given = argument ?? values.data ?? defaultData;
  const overrides = await placed([...(base.overrides ?? []), ...overridesOf(values)]);
  const { name: from, recipe } = await loadRecipe(values.recipe ?? base.recipe ?? recipeFor(given), overrides);
  const { weights, freeze } = recipe.model;
  if (weights === undefined && (from.startsWith('finetune') || freeze !== 'none')) {
    const what = from.startsWith('finetune') ? `--recipe ${from}` : `model.freeze=${freeze}`;
    throw new UsageError(`${what} begins with trained weights, and none are named`, 'add --weights W');
  }
  const frozen = freeze === 'backbone' ? { features: resolve(base.features ?? featuresFolder()) } : {};
  return {
    format: 'residual-run/2',
    name: values.name ?? name(given, recipe.model.name),
    created: new Date().toISOString(),
    data: {
      source: given === defaultData ? given : resolve(given),
      ...(values.exclude === undefined ? {} : { exclude: await exclusionsOf(values.exclude) }),
    },
    from,
    recipe,
    ...frozen,
    ...(values['checkpoint-every'] === undefined ? {} : { checkpointEvery: values['checkpoint-every'] }),
    logs: (['csv', 'tensorboard'] as const).filter((log) => values[log] === true),
    backend: values.backend ?? 'jit',
    environment: [],
  };
}

async function placed(overrides: readonly Override[]): Promise<Override[]> {
  return Promise.all(
    overrides.map(async (one) =>
      one.key === 'model.weights' && typeof one.value === 'string'
        ? { ...one, value: await placeOfWeights(one.value) }
        : one,
    ),
  );
}

/**
 * Weights by a run's name or a path become an absolute path: the plan may be used from elsewhere. Names of the registry
 * and URLs stay as they are.
 *
 * @throws CommandError where there is nothing of that name
 */
export async function placeOfWeights(typed: string): Promise<string> {
  if (findWeights(typed) !== undefined || /^[a-z][a-z0-9+.-]+:\/\//i.test(typed)) return typed;
  const file = await stat(typed).catch(() => undefined);
  if (file?.isFile() && basename(typed) !== 'model.json') return resolve(typed);
  return resolve(
    await findRun(typed).catch((error: unknown) => {
      if (!(error instanceof CommandError)) throw error;
      const close = nearestWeights(typed);
      throw new CommandError(
        `there are no weights ${typed}: it is no run, no file, no URL and no name of the registry`,
        close === undefined ? error.hint : `did you mean ${close}?`,
      );
    }),
  );
}

/** Beside the weights in the user's cache. */
function featuresFolder(): string {
  return join(weightsCache(), '..', 'features');
}

/** The options of the plan's data for `openData`. */
export function dataOptions(plan: RunPlan): OpenOptions {
  return dataOptionsOf(plan.recipe);
}

/** The list itself goes into the plan, with the folder that its paths are meant from. */
async function exclusionsOf(file: string): Promise<ExclusionList> {
  const { samples, folder } = await readExclusions(file);
  return { samples, folder: resolve(folder) };
}

/**
 * Opens the plan's data, without the samples that it leaves out.
 *
 * @throws DataError
 */
export async function openPlanned(plan: RunPlan): Promise<Splits> {
  const splits = await openData(plan.data.source, dataOptions(plan));
  return plan.data.exclude === undefined ? splits : exclude(splits, plan.data.exclude).splits;
}

/** What the machine and the software were. */
export function environmentOf(backend: string): Pairs {
  const [processor] = cpus();
  return [
    ['residual', version],
    ['TensorFlow.js', version_core],
    ['backend', backend],
    ['Node', process.version],
    ['processor', `${processor?.model.trim() ?? process.arch}, ${cpus().length} cores`],
    ['memory', bytes(totalmem())],
    ['system', `${process.platform} ${process.arch}`],
  ];
}

/** The plan's options for people. */
export function optionPairs(plan: RunPlan): Pairs {
  const left = plan.data.exclude?.samples.length;
  return [
    ['source', plan.data.source],
    ...(left === undefined ? [] : [['left out', `${left} samples`] as const]),
    ['recipe', plan.from],
    ...(plan.quantize === undefined ? [] : [['quantized', quantizeText(plan.quantize)] as const]),
    ...recipePairs(plan.recipe),
  ];
}

/** The command that trains the same weights again, from the recipe that the run's folder keeps. */
export function reproduceCommand(plan: RunPlan, folder: string): string {
  const from =
    plan.quantize === undefined
      ? ['train', quoted(plan.data.source)]
      : quantizeCommandOf(plan.quantize, plan.recipe.model.weights ?? '');
  const words = ['residual', ...from, '--recipe', quoted(join(folder, runRecipeFile))];
  if (plan.backend !== 'jit') words.push('--backend', plan.backend);
  return words.join(' ');
}

const planFile = 'run.json';

/**
 * Writes `run.json`, and the recipe as a file that one can train from again.
 *
 * @throws WriteError
 */
export async function writePlan(folder: string, plan: RunPlan): Promise<void> {
  const comment = `The recipe of the run ${plan.name}, from ${plan.from}, with every key filled in.`;
  await writeAside(join(folder, runRecipeFile), [recipeText(plan.recipe, comment)]);
  await writeAside(join(folder, planFile), [`${JSON.stringify(plan, null, 2)}\n`]);
}

/** Images are needed, and neither the run nor `--data` says which. */
export function noImages(folder: string): CommandError {
  return new CommandError(`${folder} does not say what it was trained on`, 'name the images: --data DATA');
}

/**
 * The plan of a run's folder; undefined where the folder holds none, e.g. only a model.
 *
 * @throws CommandError for a file that is none of ours
 */
export async function readPlan(folder: string): Promise<RunPlan | undefined> {
  const file = join(folder, planFile);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const plan = JSON.parse(text) as Partial<RunPlan> | null;
    // A plan of an earlier version gets the defaults of the keys that it did not know.
    if (plan?.format === 'residual-run/2' && plan.recipe) {
      return { ...(plan as RunPlan), recipe: changedRecipe(plan.recipe, []) };
    }
  } catch {
    // The error below says it.
  }
  throw new CommandError(`${file} was not written by this version of residual`);
}
