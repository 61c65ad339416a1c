/** The work of `residual finetune`: its options as changes of a recipe, over what the weights themselves say. */

import { loadRecipe } from '../recipe/library.ts';
import type { Override } from '../recipe/overrides.ts';
import { isSavedModel } from '../recipe/pretrained.ts';
import { networkOfWeights } from '../recipe/pretrained-network.ts';
import { CommandError, UsageError, type Values } from './command.ts';
import type { finetuneOptions } from './finetune.ts';
import { overridesOf } from './recipe-options.ts';
import { type PlanBase, placeOfWeights } from './run-plan.ts';
import { newJob, runJob } from './train-run.ts';

export type FinetuneValues = Values<typeof finetuneOptions>;

export async function finetune(positionals: readonly string[], values: FinetuneValues): Promise<number> {
  if (positionals[0] === undefined && values.data === undefined) {
    throw new UsageError('residual finetune needs DATA', 'usage: residual finetune DATA --weights W');
  }
  return runJob(await newJob(positionals, values, await baseOf(values)), values);
}

/** What the command wants beneath the options that it shares with `train`. */
export async function baseOf(values: FinetuneValues): Promise<PlanBase> {
  if (values.weights === undefined) {
    throw new UsageError('residual finetune begins with trained weights, and none are named', 'add --weights W');
  }
  const weights = await placeOfWeights(values.weights);
  const { cache, views } = values;
  const stages = values.unfreeze === undefined ? [] : parseStages(values.unfreeze);
  const freeze = frozenOf(values, stages.length > 0);
  const headOnly = freeze === 'backbone' && stages.length === 0;
  if (views !== undefined && !headOnly) {
    throw new UsageError('--views is of features that are computed once', 'add --freeze backbone');
  }
  const recipe = values.recipe ?? (headOnly ? 'finetune-head' : 'finetune');
  const of = (option: string, key: string, value: Override['value']): Override => ({
    key,
    value,
    origin: `--${option}`,
  });
  const overrides: Override[] = [
    ...(await networkOfWeights(weights).catch((error: Error) => Promise.reject(unfinished(weights, error)))),
    // What an option does not say, the recipe does.
    ...(freeze === undefined ? [] : [of('freeze', 'model.freeze', freeze)]),
    ...(stages.length === 0 ? [] : [of('unfreeze', 'training.unfreeze', stages)]),
    ...(values['layer-decay'] === undefined ? [] : [of('layer-decay', 'optimizer.layerDecay', values['layer-decay'])]),
    ...(values['batch-norm'] === undefined ? [] : [of('batch-norm', 'model.batchNorm', values['batch-norm'])]),
    ...(cache === 'off' ? [of('cache', 'training.cacheFeatures', false)] : []),
    ...(views === undefined ? [] : [of('views', 'training.views', views), ...(await augmented(recipe))]),
  ];
  const headRate = values['head-lr'];
  if (headRate !== undefined) {
    const known = [...overrides, ...overridesOf({ ...values, weights })];
    const { learningRate } = (await loadRecipe(recipe, known)).recipe.optimizer;
    overrides.push(of('head-lr', 'optimizer.headFactor', headRate / learningRate));
  }
  return { recipe, overrides, ...(cache === undefined || cache === 'off' ? {} : { features: cache }) };
}

/** A run that is not trained to its end has no model yet. */
function unfinished(weights: string, error: Error): Error {
  return isSavedModel(weights) && /model\.json is missing|residual\.json is missing/.test(error.message)
    ? new CommandError(
        `${weights} is not trained to its end yet: it has no model`,
        'go on with it by residual train --resume',
      )
    : error;
}

/** The recipe's own augmentation where it has one, else that of `finetune`: views want to differ. */
async function augmented(recipe: string): Promise<Override[]> {
  if ((await loadRecipe(recipe)).recipe.augment.length > 0) return [];
  const { augment } = (await loadRecipe('finetune', ['model.weights=none'])).recipe;
  return [{ key: 'augment', value: augment as unknown as Override['value'], origin: '--views' }];
}

/** @throws UsageError */
function frozenOf({ freeze }: FinetuneValues, gradually: boolean): 'none' | 'backbone' | number | undefined {
  if (freeze === undefined) return gradually ? 'backbone' : undefined;
  if (freeze === 'none' || freeze === 'backbone') return freeze;
  const blocks = Number(freeze);
  if (Number.isInteger(blocks) && blocks > 0) return blocks;
  throw new UsageError(`--freeze must be none, backbone, or how many of the last blocks learn, received '${freeze}'`);
}

/** `3:1,6:all`. */
function parseStages(text: string): { readonly epoch: number; readonly blocks: number | 'all' }[] {
  return text.split(',').map((stage) => {
    const match = /^(\d+):(\d+|all)$/.exec(stage.trim());
    if (match === null) {
      throw new UsageError(`--unfreeze must be epochs and blocks, as 3:1,6:all, received '${text}'`);
    }
    return { epoch: Number(match[1]), blocks: match[2] === 'all' ? 'all' : Number(match[2]) };
  });
}
