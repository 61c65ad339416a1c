/** What `residual train` says before and after the training.
 *  Pure functions but for the style of the stream. */

import { version_core } from '@tensorflow/tfjs-core';
import { batchesPerEpoch } from '../data/batches.ts';
import type { Splits } from '../data/dataset.ts';
import { compact, count, percent, plain, plural, shapeText } from '../evaluate/report-format.ts';
import { defaultData, longerRun, recipeFor } from './defaults.ts';
import { predictionLines } from './prediction-text.ts';
import { invocation, quoted, version } from './program.ts';
import type { RunPlan } from './run-plan.ts';
import type { Sample } from './samples.ts';
import type { Style } from './style.ts';

/** What is going to be trained, on what, and where it lands. */
export function headerLines(
  { plan, folder, resume }: { readonly plan: RunPlan; readonly folder: string; readonly resume: boolean },
  splits: Splits,
  parameters: number,
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
  const row = (name: string, text: string) => `  ${style.dim(name.padEnd(7))}${text}`;
  return [
    `${style.bold(`residual ${version}`)}  ${style.dim(`${backend}, TF.js ${version_core}`)}`,
    row(
      'data',
      `${plan.data.source}: ${plural(splits.classes.length, 'class', 'classes')}, ${shapeText(splits.imageShape)}, ${parts.join(', ')}`,
    ),
    row('model', `${recipe.model.name}, ${compact(parameters)} parameters`),
    row('recipe', `${from}: ${recipe.about}`),
    row(
      'steps',
      `${plural(epochs, 'epoch')} of ${plural(steps, 'step')}, batch ${batch}, peak learning rate ${plain(learningRate)}`,
    ),
    row('run', `${folder}${resume ? ' (resumed)' : ''}`),
    '',
  ];
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
