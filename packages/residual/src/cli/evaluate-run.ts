/** The work of `residual evaluate`: opens the data as the model needs it, measures, prints, and writes the report. */

import { join } from 'node:path';
import { closeSplits } from '../data/dataset.ts';
import { evaluate as evaluateModel } from '../evaluate/metrics.ts';
import { count } from '../evaluate/report-format.ts';
import { startBackend } from './backend.ts';
import type { Values } from './command.ts';
import type { evaluateOptions } from './evaluate.ts';
import { evaluateFeatures } from './evaluate-features.ts';
import { checkClasses, choosePart, openFor } from './evaluation-data.ts';
import { evaluationJson, evaluationLines } from './evaluation-text.ts';
import { liveWork } from './live-work.ts';
import { loadRun } from './load-run.ts';
import { writeRunReport } from './run-report.ts';
import { styleOf } from './style.ts';

export type EvaluateValues = Values<typeof evaluateOptions>;

export async function evaluate([typed = '']: readonly string[], values: EvaluateValues): Promise<number> {
  const backend = await startBackend(values);
  const run = await loadRun(typed);
  const { folder, model, info, plan } = run;
  const known = values.knn !== undefined || values.probe === true;
  const splits = await openFor(run, { ...values, known });
  const [split, dataset] = choosePart(splits, values.split);
  if (known) return evaluateFeatures(run, splits, split, values);
  checkClasses(info, dataset);
  return liveWork(
    values,
    async ({ signal, show, clear }) => {
      const evaluation = await evaluateModel(model, dataset, {
        preprocessing: info.preprocessing,
        batchSize: values.batch ?? 64,
        // The validation images were neither learned from nor are they these.
        ...(values.calibrate !== false &&
        split === 'test' &&
        values.data === undefined &&
        splits.validation !== undefined
          ? { calibrateOn: splits.validation }
          : {}),
        signal,
        onProgress: (done, total) => show(() => `evaluating ${count(done)} of ${count(total)} images`),
      });
      clear();
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
    },
    async () => {
      model.dispose();
      await closeSplits(splits);
    },
  );
}
