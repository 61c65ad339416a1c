/** Gathers what a run's report shows and writes the page.
 *  Used at the end of training and by `residual evaluate`. */

import { basename, join } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Dataset, Splits } from '../data/dataset.ts';
import type { Evaluation } from '../evaluate/metrics.ts';
import { showMistakes, writeReport } from '../evaluate/report-file.ts';
import type { ModelInfo } from '../models/info.ts';
import { readHistory } from '../train/history.ts';
import { diagnoseRun } from './diagnosis.ts';
import { environmentOf, optionPairs, type RunPlan, reproduceCommand } from './run-plan.ts';

export interface Reported {
  /** Missing for a model without a run. */
  readonly plan: RunPlan | undefined;
  readonly folder: string;
  readonly model: LayersModel;
  readonly info: ModelInfo;
  readonly splits: Splits;
  readonly split: string;
  readonly dataset: Dataset;
  readonly evaluation: Evaluation;
  readonly backend: string;
  /** Where the page goes. Default `report.html` in the folder. */
  readonly file?: string;
}

/**
 * Writes the report.
 *
 * @returns its path
 * @throws WriteError
 */
export async function writeRunReport(reported: Reported): Promise<string> {
  const { plan, folder, model, info, splits, split, dataset, evaluation, backend } = reported;
  const file = reported.file ?? join(folder, 'report.html');
  const parts = { train: splits.train, validation: splits.validation, test: splits.test };
  const history = await readHistory(join(folder, 'history.jsonl'));
  const diagnosis = diagnoseRun(history, splits, plan);
  await writeReport(file, {
    name: plan?.name ?? basename(folder),
    architecture: info.architecture,
    parameters: model.countParams(),
    inputShape: info.preprocessing.inputShape,
    data: dataset.name.replace(/\/[^/]*$/, ''),
    sizes: Object.entries(parts).flatMap(([part, one]) => (one === undefined ? [] : [[part, one.size] as const])),
    classes: info.classes,
    history,
    ...(diagnosis === undefined ? {} : { diagnosis }),
    split,
    evaluation,
    mistakes: await showMistakes(dataset, evaluation.mistakes),
    options: plan === undefined ? [] : optionPairs(plan),
    environment: plan?.environment ?? environmentOf(backend),
    reproduce: plan === undefined ? [] : [reproduceCommand(plan, folder)],
    skipped: Object.values(parts).flatMap((one) => one?.skipped ?? []),
    date: new Date(),
  });
  return file;
}
