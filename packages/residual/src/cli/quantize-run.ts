/** The work of `residual quantize`: the plan of a run that trains another one on, in integers. */

import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { runRecipeFile } from '../recipe/library.ts';
import { CommandError, type Values } from './command.ts';
import { runsFolder } from './defaults.ts';
import { invocation, quoted } from './program.ts';
import type { quantizeOptions } from './quantize.ts';
import type { QuantizePlan } from './quantize-plan.ts';
import { findRun, newRunFolder } from './run-folders.ts';
import { makePlan, noImages, readPlan } from './run-plan.ts';
import { type Keys, trainingOn } from './train-on.ts';
import { type Job, runJob } from './train-run.ts';

export type QuantizeValues = Values<typeof quantizeOptions>;

export async function quantize([typed = '']: readonly string[], values: QuantizeValues): Promise<number> {
  return runJob(await jobOf(typed, values), values);
}

/**
 * The run that trains another one on.
 *
 * @throws CommandError where there is none, or it is not trained to its end
 */
export async function jobOf(typed: string, values: QuantizeValues): Promise<Job> {
  const from = resolve(await findRun(typed, values.runs));
  const known = await readPlan(from);
  if (!existsSync(join(from, 'model.json'))) {
    throw new CommandError(
      `${from} is not trained to its end yet: it has no model`,
      `go on with it by ${invocation()} train --resume ${quoted(from)}`,
    );
  }
  const source = values.data ?? known?.data.source;
  if (source === undefined) throw noImages(from);
  const own = known !== undefined && values.data === undefined && values.recipe === undefined;
  const keys = [...about, ...(own ? gentle : values.recipe === undefined ? steps : [])];
  const overrides = await trainingOn(from, keys, 'residual quantize', values.recipe !== undefined);
  const base = { recipe: own ? join(from, runRecipeFile) : 'finetune', overrides };
  const bits = values.bits ?? 8;
  const plan = await makePlan(source, values, () => `${basename(from)}-int${bits}`, base);
  const { epochs } = plan.recipe.training;
  const quantize: QuantizePlan = {
    bits,
    weightBits: values['weight-bits'] ?? bits,
    granularity: (values.scales ?? 'per-channel') as QuantizePlan['granularity'],
    scheme: (values.scheme ?? 'asymmetric') as QuantizePlan['scheme'],
    calibrate: values.calibrate ?? 256,
    freezeAfter: Math.min(values['freeze-after'] ?? Math.floor(epochs / 2), epochs),
  };
  const folder = await newRunFolder(values.runs ?? runsFolder, plan.name, values.name !== undefined);
  return {
    plan: {
      ...plan,
      name: basename(folder),
      // What that run left out of its data stays out.
      ...(values.data === undefined && known ? { data: known.data } : {}),
      from: 'quantize',
      quantize,
    },
    folder,
    resume: false,
  };
}

const about: Keys = [
  ['about', 'trained on with the rounding of integers'],
  ['training.cacheFeatures', false],
];

const steps: Keys = [
  ['optimizer.learningRate', 0.005],
  ['training.epochs', 4],
];

/** What belongs to a beginning makes room for small steps. */
const gentle: Keys = [
  // Away first: what else the run's recipe said of the optimizer was meant for larger steps.
  ['optimizer', null],
  ['optimizer', { name: 'sgd', momentum: 0.9, nesterov: true, weightDecay: 5e-4, decay: 'kernels' }],
  ['schedule', { name: 'cosine', warmup: 0 }],
  ...steps,
];
