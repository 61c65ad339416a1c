/** The work of `residual evaluate`: opens the data as the model needs it, measures, prints, and writes the report. */

import { join } from 'node:path';
import { closeSplits, type Dataset, type Splits } from '../data/dataset.ts';
import { openData } from '../data/node/open.ts';
import { evaluate as evaluateModel } from '../evaluate/metrics.ts';
import { count } from '../evaluate/report-format.ts';
import type { ModelInfo } from '../models/info.ts';
import { startBackend } from './backend.ts';
import { CommandError, type Values } from './command.ts';
import type { evaluateOptions } from './evaluate.ts';
import { evaluateFeatures } from './evaluate-features.ts';
import { evaluationJson, evaluationLines } from './evaluation-text.ts';
import { catchInterrupt, interruptedCode } from './interrupt.ts';
import { LiveLine } from './live-line.ts';
import { type LoadedRun, loadRun } from './load-run.ts';
import { openPlanned } from './run-plan.ts';
import { writeRunReport } from './run-report.ts';
import { styleOf } from './style.ts';

export type EvaluateValues = Values<typeof evaluateOptions>;

export type SplitName = 'test' | 'validation' | 'train';

export async function evaluate([typed = '']: readonly string[], values: EvaluateValues): Promise<number> {
  const line = new LiveLine(process.stderr);
  const backend = await startBackend(values);
  const run = await loadRun(typed);
  const { folder, model, info, plan } = run;
  const splits = await openFor(run, values);
  const [split, dataset] = choose(splits, values);
  if (values.knn !== undefined || values.probe === true) return evaluateFeatures(run, splits, split, values);
  checkClasses(info, dataset);
  const interrupt = catchInterrupt(
    () => {},
    () => line.clear(),
  );
  try {
    const evaluation = await evaluateModel(model, dataset, {
      preprocessing: info.preprocessing,
      batchSize: values.batch ?? 64,
      // The validation images were neither learned from nor are they these.
      ...(values.calibrate !== false && split === 'test' && values.data === undefined && splits.validation !== undefined
        ? { calibrateOn: splits.validation }
        : {}),
      signal: interrupt.signal,
      onProgress: (done, total) => {
        if (values.quiet !== true && line.isTerminal) {
          line.update(() => `evaluating ${count(done)} of ${count(total)} images`);
        }
      },
    });
    line.clear();
    const own = values.data === undefined && split === 'test';
    const file = values.report ?? join(folder, own ? 'report.html' : `report-${split}.html`);
    const report = await writeRunReport({
      // Other data than the run's own has nothing to do with how the run was made.
      ...{ plan, folder, model, info, splits, split, dataset, evaluation, backend, file },
    });
    if (values.json === true) {
      process.stdout.write(
        `${JSON.stringify({ run: folder, split, ...evaluationJson(evaluation, info.classes), report })}\n`,
      );
      return 0;
    }
    const width = process.stdout.columns ?? 100;
    const lines = evaluationLines(evaluation, info.classes, split, styleOf(process.stdout), width);
    process.stdout.write(`${[...lines, '', `report ${report}`].join('\n')}\n`);
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted && error === interrupt.signal.reason) return interruptedCode;
    throw error;
  } finally {
    line.clear();
    interrupt.release();
    model.dispose();
    await closeSplits(splits);
  }
}

/** The run's own data, cut as it was for training, or other data brought to the model's input. */
async function openFor({ plan, info, folder }: LoadedRun, values: EvaluateValues): Promise<Splits> {
  if (values.data === undefined) {
    if (plan === undefined)
      throw new CommandError(`${folder} does not say what it was trained on`, 'name the images: --data DATA');
    return openPlanned(plan);
  }
  const { inputShape, resize, crop, interpolation } = info.preprocessing;
  return openData(values.data, {
    size: [inputShape[0], inputShape[1]],
    channels: inputShape[2] === 1 ? 1 : 3,
    resize,
    crop,
    interpolation,
    // Nothing is held out of images that this model was not trained on, unless that part is asked for.
    ...(values.split === 'validation' || values.knn !== undefined || values.probe === true ? {} : { validation: 0 }),
  });
}

function choose(splits: Splits, values: EvaluateValues): readonly [name: SplitName, dataset: Dataset] {
  const asked = values.split as SplitName | undefined;
  const preferred: readonly SplitName[] = asked === undefined ? ['test', 'validation', 'train'] : [asked];
  for (const name of preferred) {
    const dataset = splits[name];
    if (dataset !== undefined) return [name, dataset];
  }
  const there = (['test', 'validation', 'train'] as const).filter((name) => splits[name] !== undefined);
  throw new CommandError(`the data has no ${asked} images`, `it has --split ${there.join(', --split ')}`);
}

/** The same classes in the same order: anything else would be counted wrongly without a word. */
function checkClasses(info: ModelInfo, dataset: Dataset): void {
  const ours = info.classes;
  if (dataset.classes.length === ours.length && dataset.classes.every((name, i) => name === ours[i])) return;
  const missing = ours.filter((name) => !dataset.classes.includes(name));
  const unknown = dataset.classes.filter((name) => !ours.includes(name));
  const parts = [
    ...(missing.length > 0 ? [`it lacks ${list(missing)}`] : []),
    ...(unknown.length > 0 ? [`the model does not know ${list(unknown)}`] : []),
  ];
  throw new CommandError(
    `the classes of ${dataset.name} are not the model's: ${parts.length > 0 ? parts.join('; ') : 'their order differs'}`,
    `the model's classes are ${list(ours)}`,
  );
}

function list(names: readonly string[], most = 6): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
