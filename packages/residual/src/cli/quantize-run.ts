/** The work of `residual quantize`: the plan of a run that trains another one on, in integers. */

import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { runRecipeFile } from '../recipe/library.ts';
import type { Override } from '../recipe/overrides.ts';
import { networkOfWeights } from '../recipe/pretrained-network.ts';
import { CommandError, type Values } from './command.ts';
import { runsFolder } from './defaults.ts';
import { invocation, quoted } from './program.ts';
import type { quantizeOptions } from './quantize.ts';
import type { QuantizePlan } from './quantize-plan.ts';
import { findRun, newRunFolder } from './run-folders.ts';
import { makePlan, noImages, readPlan } from './run-plan.ts';
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
  const overrides = own ? gentle(from) : await forNetwork(from, values.recipe === undefined);
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

function override(key: string, value: Override['value']): Override {
  return { key, value, origin: 'residual quantize' };
}

/** The run's own recipe, without what belongs to a beginning, and with small steps. */
function gentle(from: string): Override[] {
  const sgd = { name: 'sgd', learningRate: 0.005, momentum: 0.9, nesterov: true, weightDecay: 5e-4, decay: 'kernels' };
  return [
    ...start(from),
    // Away first: what else it said of the optimizer was meant for larger steps.
    override('optimizer', null),
    override('optimizer', sgd),
    override('schedule', { name: 'cosine', warmup: 0 }),
    override('training.epochs', 4),
    override('training.earlyStopping', 0),
    override('training.resolution', []),
    override('training.unfreeze', []),
    override('ema', null),
    override('lookahead', null),
  ];
}

/** A recipe that says nothing of the network gets it from the weights. */
async function forNetwork(from: string, isDefault: boolean): Promise<Override[]> {
  const own = isDefault ? [override('optimizer.headFactor', 1), override('optimizer.layerDecay', 1), ...steps] : [];
  return [...(await networkOfWeights(from)), ...start(from), ...own];
}

const steps = [override('optimizer.learningRate', 0.005), override('training.epochs', 4)];

/** All of the network learns, from what the run had learned, on pictures as it saw them. */
function start(from: string): Override[] {
  return [
    override('about', 'trained on with the rounding of integers'),
    override('model.weights', from),
    override('model.freeze', 'none'),
    override('data.normalize', 'weights'),
    override('training.cacheFeatures', false),
  ];
}
