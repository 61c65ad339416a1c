/** What `residual train` says before and after the training.
 *  Pure functions but for the style of the stream. */

import { version_core } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { batchesPerEpoch } from '../data/batches.ts';
import type { Splits } from '../data/dataset.ts';
import { compact, count, percent, plain, plural, shapeText } from '../evaluate/report-format.ts';
import { parameterCounts } from '../models/transfer/freeze.ts';
import { normalizationOf, trainOptionsOf } from '../recipe/build.ts';
import { pretrainedOf } from '../recipe/pretrained.ts';
import type { Recipe } from '../recipe/schema.ts';
import { defaultData, longerRun, recipeFor } from './defaults.ts';
import { predictionLines } from './prediction-text.ts';
import { invocation, quoted, version } from './program.ts';
import { quantizeText } from './quantize-plan.ts';
import type { RunPlan } from './run-plan.ts';
import type { Sample } from './samples.ts';
import type { Style } from './style.ts';

/** What is going to be trained, on what, and where it lands. */
export function headerLines(
  { plan, folder, resume }: { readonly plan: RunPlan; readonly folder: string; readonly resume: boolean },
  splits: Splits,
  model: LayersModel,
  backend: string,
  style: Style,
): string[] {
  const parts = [
    `${count(splits.train.size)} train`,
    ...(splits.validation === undefined ? [] : [`${count(splits.validation.size)} validation`]),
    ...(splits.test === undefined ? [] : [`${count(splits.test.size)} test`]),
  ];
  const { recipe, from } = plan;
  const { epochs, batch } = recipe.training;
  const { learningRate } = recipe.optimizer;
  const steps = batchesPerEpoch(splits.train.size, Math.min(batch, splits.train.size), true);
  const row = (name: string, text: string) => `  ${style.dim(name.padEnd(8))}${text}`;
  return [
    `${style.bold(`residual ${version}`)}  ${style.dim(`${backend}, TF.js ${version_core}`)}`,
    row(
      'data',
      `${plan.data.source}: ${plural(splits.classes.length, 'class', 'classes')}, ${shapeText(splits.imageShape)}, ${parts.join(', ')}`,
    ),
    row('model', `${recipe.model.name}, ${compact(model.countParams())} parameters`),
    ...pretrainedLines(plan, splits, model).map(([name, text]) => row(name, text)),
    row('recipe', `${from}: ${recipe.about}`),
    ...(plan.quantize === undefined ? [] : [row('rounds', quantizeText(plan.quantize))]),
    row(
      'steps',
      `${plural(epochs, 'epoch')} of ${plural(steps, 'step')}, batch ${batch}, peak learning rate ${plain(learningRate)}`,
    ),
    row('run', `${folder}${resume ? ' (resumed)' : ''}`),
    '',
  ];
}

/** Of a run that begins with trained weights: what came of them, what learns, and how pictures are normalised. */
function pretrainedLines(
  { recipe, features }: RunPlan,
  splits: Splits,
  model: LayersModel,
): readonly (readonly [name: string, text: string])[] {
  const pretrained = pretrainedOf(model);
  if (pretrained === undefined) return [];
  const { trainable, total } = parameterCounts(model);
  const learns = `${count(trainable)} of ${count(total)} parameters: ${learningText(recipe)}`;
  const chosen = normalizationOf(recipe, splits.imageShape[2], model);
  const short = (values: readonly number[]) => values.map((value) => Number(value.toPrecision(3))).join(', ');
  const { mean = [], std = [] } = chosen?.normalize ?? {};
  const normalized =
    chosen === undefined ? 'by the training images' : `${chosen.whose}: mean ${short(mean)}, std ${short(std)}`;
  const own = trainOptionsOf(recipe, splits, model);
  own.optimizer?.dispose();
  const { cacheFeatures } = own;
  const views = typeof cacheFeatures === 'object' ? (cacheFeatures.views ?? 1) : 1;
  const what = views === 1 ? 'each picture, without augmentation' : `${views} augmented views of each picture`;
  const kept = `computed once, of ${what}, and kept in ${features}`;
  return [
    ...pretrained.lines.map((text, i) => [i === 0 ? 'weights' : '', text] as const),
    ['learns', learns],
    ['pixels', `normalised ${normalized}`],
    ...(cacheFeatures ? [['cache', `features ${kept}`] as const] : []),
  ];
}

function learningText({ model: { freeze, batchNorm }, training: { unfreeze }, optimizer }: Recipe): string {
  const { headFactor, layerDecay } = optimizer;
  const what =
    freeze === 'none'
      ? 'all'
      : freeze === 'backbone'
        ? 'the classifier'
        : `the classifier and the last ${plural(freeze, 'block')}`;
  const stages = unfreeze.map(
    ({ epoch, blocks }) => `${blocks === 'all' ? 'all' : plural(blocks, 'block')} from epoch ${epoch}`,
  );
  return [
    what,
    ...stages,
    ...(headFactor === 1 ? [] : [`the classifier at ${plain(headFactor)} times the rate`]),
    ...(layerDecay === 1 ? [] : [`each block at ${layerDecay} of the next one's rate`]),
    ...(batchNorm === 'follow' ? [] : [`batch normalisation ${batchNorm}`]),
  ].join(', ');
}

/** A few predictions, and the commands that a user may want now. */
export function nextSteps(
  folder: string,
  report: string,
  split: string,
  classes: readonly string[],
  samples: readonly Sample[],
  plan: RunPlan,
  style: Style,
): string[] {
  const residual = invocation();
  const picture = samples[0]?.file ?? 'picture.jpg';
  const { epochs, minutes, testAccuracy } = longerRun;
  const embedded = plan.data.source === defaultData && plan.from === recipeFor(defaultData);
  const short = embedded && plan.recipe.training.epochs < epochs;
  const next = [
    ...(plan.quantize === undefined
      ? []
      : [[`${residual} export ${quoted(folder)} --quantize int8`, 'files with the scales that were trained']]),
    ...(short
      ? [
          [
            `${residual} train --epochs ${epochs}`,
            `a longer run: ${percent(testAccuracy)} in ${minutes} minutes on two cores`,
          ],
        ]
      : []),
    [`${residual} predict ${quoted(folder)} ${quoted(picture)}`, 'name what is in a picture'],
    [`${residual} evaluate ${quoted(folder)}`, 'scores of each class'],
    [report, 'curves, confusions, the worst mistakes: open it in a browser'],
  ];
  return [
    ...(samples.length === 0 ? [] : [`a few ${split} images:`]),
    ...samples.flatMap(({ file, actual, probabilities }) =>
      predictionLines(file, probabilities, classes, 1, style, `labelled ${actual}`),
    ),
    ...(samples.length === 0 ? [] : ['']),
    'what to do next:',
    ...next.map(([command, meaning]) => `  ${command}\n      ${style.dim(meaning)}`),
    '',
  ];
}

/** After Ctrl-C. */
export function stoppedText(folder: string, steps: number): string {
  return [
    `stopped after ${plural(steps, 'step')}; everything is saved in ${folder}`,
    `go on with: ${invocation()} train --resume ${quoted(folder)}`,
  ].join('\n');
}

/** After Ctrl-C while the test images were measured. */
export function unmeasuredText(folder: string): string {
  return `the training is done and saved in ${folder}; measure it by: ${invocation()} evaluate ${quoted(folder)}`;
}
