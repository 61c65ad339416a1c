/** What `residual prune` and `residual cluster` have in common: fine-tuning that begins with a run, in the run's own way,
 *  and that keeps a rule while it goes. The training is `residual train`'s. */

import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { loadRecipe, runRecipeFile } from '../recipe/library.ts';
import type { Override } from '../recipe/overrides.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { Values } from './command.ts';
import { runsFolder } from './defaults.ts';
import type { fineTuningOptions } from './fine-tuning-options.ts';
import { overridesOf } from './recipe-options.ts';
import { newRunFolder, runName } from './run-folders.ts';
import { makePlan, noImages, type RunPlan } from './run-plan.ts';
import { trainingOn } from './train-on.ts';
import type { Job } from './train-run.ts';

type FineTuningValues = Values<typeof fineTuningOptions>;

/** A trained network is changed a little: a smaller rate than it was trained with keeps what it knows. */
const RATE = 0.2;
const EPOCHS = 5;

/** The run that is compressed. */
export interface Origin {
  readonly folder: string;
  readonly plan: RunPlan | undefined;
}

/** The folder of the new run: `runs/first-pruned-20260131-1405`, or as it was named. */
export function folderFor({ folder }: Origin, what: string, values: FineTuningValues): Promise<string> {
  const given = values.name ?? runName(basename(folder), what);
  return newRunFolder(values.runs ?? runsFolder, given, values.name !== undefined);
}

/**
 * A new run that fine-tunes some weights as the origin was trained, but shorter and at a smaller rate.
 *
 * @param weights the folder of a saved model
 * @param rule keys of the recipe, as `prune.sparsity`
 * @throws CommandError where nobody says which images
 */
export async function compressionJob(
  origin: Origin,
  weights: string,
  folder: string,
  rule: Readonly<Record<string, Override['value']>>,
  values: FineTuningValues,
): Promise<Job> {
  const { plan: before } = origin;
  const source = values.data ?? before?.data.source;
  if (source === undefined) throw noImages(origin.folder);
  const recipe = existsSync(join(origin.folder, runRecipeFile)) ? origin.folder : 'finetune';
  const base = await trainingOn(
    weights,
    [
      ['model.batchNorm', 'follow'],
      ['training.epochs', EPOCHS],
      ['schedule', { name: 'cosine', warmup: '5%' }],
      ['prune', { sparsity: 0 }],
      ['cluster', { clusters: 0 }],
      ...Object.entries(rule),
    ],
    'residual',
  );
  const { recipe: known } = await loadRecipe(recipe, [...base, ...overridesOf(values)]);
  const chosen = { ...values, name: basename(folder) };
  const plan = await makePlan(source, chosen, runName, { recipe, overrides: [...base, ...slower(known)] });
  return {
    plan: {
      ...plan,
      ...(before === undefined ? {} : { from: before.from }),
      ...(values.data === undefined && before !== undefined ? { data: before.data } : {}),
      compressedFrom: resolve(origin.folder),
    },
    folder,
    resume: false,
  };
}

/** The rates of all optimizers that the recipe has; `--lr` lies above. */
function slower({ optimizer }: Recipe): Override[] {
  const of = (key: string, rate: number) => ({ key, value: RATE * rate, origin: 'residual' });
  return [
    of('optimizer.learningRate', optimizer.learningRate),
    ...(optimizer.name === 'muon' ? [of('optimizer.others.learningRate', optimizer.others.learningRate)] : []),
  ];
}
