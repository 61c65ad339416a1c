/** The work of `residual doctor RUN`: predictions by networks that did not learn the labels, the review, page and lists. */

import { join } from 'node:path';
import { randomFlip } from '../augment/random-flip.ts';
import { closeSplits, type Splits } from '../data/dataset.ts';
import { openData } from '../data/node/open.ts';
import { quickTraining } from '../doctor/fold-training.ts';
import { partNames } from '../doctor/inspect.ts';
import { labelsPage } from '../doctor/labels-page.ts';
import { outOfFold } from '../doctor/out-of-fold.ts';
import { type PredictedPart, type Reviewed, reviewedJson, reviewParts, suspectsCsv } from '../doctor/suspects.ts';
import { predictAll } from '../evaluate/metrics.ts';
import { clock, count, percent, plural } from '../evaluate/report-format.ts';
import { writeAside } from '../models/files.ts';
import { startBackend } from './backend.ts';
import { CommandError } from './command.ts';
import type { DoctorValues } from './doctor-run.ts';
import { liveWork } from './live-work.ts';
import { loadRun } from './load-run.ts';
import { invocation, quoted } from './program.ts';
import { drawBar } from './progress.ts';
import { findRun } from './run-folders.ts';
import { dataOptions, type RunPlan, readPlan } from './run-plan.ts';
import { type Style, styleOf } from './style.ts';

export async function doctorLabels(typed: string, values: DoctorValues): Promise<number> {
  const style = styleOf(process.stderr);
  const folder = await findRun(typed);
  const plan = await readPlan(folder);
  if (plan === undefined) throw new CommandError(`${folder} does not say what it was trained on: it has no run.json`);
  await startBackend(values);
  // The folds take all that is not the test; the model's own held-out images must be those of its training.
  const held = values['held-out'] === true;
  const splits = await openData(plan.data.source, held ? dataOptions(plan) : { ...dataOptions(plan), validation: 0 });
  return liveWork(
    values,
    async ({ signal, report, clear }) => {
      const began = performance.now();
      const show = (done: number, text: string) => {
        const left = (performance.now() - began) * (1 / Math.max(done, 1e-3) - 1);
        report((width) => {
          const end = `${text}  ${done > 0.02 ? `${clock(left / 1000)} left` : ''}`;
          return `${drawBar(done, Math.max(8, Math.min(40, width - end.length - 2)), style)}  ${end}`;
        });
      };
      const parts = held
        ? await heldOutParts(typed, splits, values, signal, show)
        : await outOfFoldParts(plan, splits, values, signal, show);
      const reviewed = reviewParts(parts);
      clear();
      const { folds = 4, repeats = 1 } = values;
      const how = held
        ? "The probabilities are those of the run's own model for images that it did not learn."
        : `The probabilities are those of ${folds * repeats} small networks, each for images that it did not learn.`;
      const out = values.out ?? join(folder, 'doctor');
      const file = (name: string) => join(out, name);
      const page = { title: plan.name, how, pictures: values.pictures ?? 240, date: new Date() };
      await writeAside(file('doctor.html'), [await labelsPage(reviewed, page)]);
      await writeAside(file('doctor.json'), [`${JSON.stringify(reviewedJson(reviewed), null, 2)}\n`]);
      await writeAside(file('suspects.csv'), [suspectsCsv(reviewed)]);
      const { images, suspects, review } = reviewed;
      const text =
        values.json === true
          ? JSON.stringify({
              ...{ run: folder, images, suspects: suspects.length, estimatedNoise: review.noise },
              ...{ list: file('suspects.csv'), page: file('doctor.html') },
            })
          : [
              ...reviewLines(reviewed, styleOf(process.stdout)),
              '',
              `page ${file('doctor.html')}`,
              `list ${file('suspects.csv')}: delete the rows that are right, then`,
              `     ${invocation()} train ${quoted(plan.data.source)} --exclude ${quoted(file('suspects.csv'))}`,
            ].join('\n');
      process.stdout.write(`${text}\n`);
      return values.strict === true && suspects.length > 0.01 * images ? 1 : 0;
    },
    async () => {
      await closeSplits(splits);
    },
  );
}

type Show = (done: number, text: string) => void;

/** All parts, by networks trained for this: training images out of fold, own held-out parts by all of them. */
async function outOfFoldParts(
  plan: RunPlan,
  splits: Splits,
  values: DoctorValues,
  signal: AbortSignal,
  show: Show,
): Promise<PredictedPart[]> {
  const { folds, repeats, epochs, width, workers, seed = plan.recipe.training.seed } = values;
  const rest = partNames.flatMap((part) => {
    const dataset = splits[part];
    return part === 'train' || dataset === undefined ? [] : [{ part, dataset }];
  });
  const { probabilities, others } = await outOfFold(splits.train, {
    seed,
    signal,
    ...(folds === undefined ? {} : { folds }),
    ...(repeats === undefined ? {} : { repeats }),
    others: rest.map(({ dataset }) => dataset),
    training: quickTraining(splits.train, {
      ...(epochs === undefined ? {} : { epochs }),
      ...(width === undefined ? {} : { width }),
      ...(workers === undefined ? {} : { workers }),
      transforms: plan.recipe.augment.some(({ name }) => /flip/i.test(name)) ? [randomFlip()] : [],
    }),
    onProgress: ({ done, fold, folds: all, step }) =>
      show(done, `fold ${fold}/${all}${step === undefined ? '' : `  loss ${step.loss.toFixed(3)}`}`),
  });
  return [
    { part: 'train', dataset: splits.train, probabilities },
    ...rest.map((one, i) => ({ ...one, probabilities: others[i] })),
  ];
}

/** Validation and test, by the run's own model. */
async function heldOutParts(
  typed: string,
  splits: Splits,
  values: DoctorValues,
  signal: AbortSignal,
  show: Show,
): Promise<PredictedPart[]> {
  const { model, info } = await loadRun(typed);
  const parts: PredictedPart[] = [];
  try {
    for (const part of ['validation', 'test'] as const) {
      const dataset = splits[part];
      if (dataset === undefined) continue;
      const { indices, probabilities, classes } = await predictAll(model, dataset, {
        preprocessing: info.preprocessing,
        signal,
        ...(values.workers === undefined ? {} : { workers: values.workers }),
        onProgress: (done, total) => show(done / total, `${part} ${count(done)}/${count(total)}`),
      });
      const rows = new Float64Array(dataset.size * classes).fill(Number.NaN);
      indices.forEach((index, i) => {
        rows.set(probabilities.subarray(i * classes, (i + 1) * classes), index * classes);
      });
      parts.push({ part, dataset, probabilities: rows });
    }
  } finally {
    model.dispose();
  }
  if (parts.length === 0) {
    throw new CommandError(
      'the run held out no images',
      'leave --held-out away: the doctor then trains small networks',
    );
  }
  return parts;
}

/** The first suspects and the count. */
function reviewLines({ classes, images, review, suspects }: Reviewed, style: Style): string[] {
  const lines = suspects
    .slice(0, 8)
    .map(
      ({ sample, given, suggested, probabilityOfSuggested }) =>
        `  ${sample}  ${classes[given]} ${style.yellow('→')} ${classes[suggested]} ${style.dim(percent(probabilityOfSuggested))}`,
    );
  return [
    ...(lines.length === 0 ? [] : ['most suspicious labels', ...lines, '']),
    style.bold(
      `${plural(suspects.length, 'label')} of ${count(images)} to doubt (${percent(suspects.length / images)})`,
    ),
    style.dim(`about ${percent(review.noise)} of the labels are estimated to be wrong or ambiguous`),
  ];
}
