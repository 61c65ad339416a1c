/** The work of `residual verify`: an exported file, measured on images, beside its model if that is there. */

import { basename } from 'node:path';
import { closeSplits } from '../data/dataset.ts';
import { count } from '../evaluate/report-format.ts';
import type { ExportFile, ExportFormat } from '../export/format.ts';
import type { InferenceGraph } from '../export/graph/graph.ts';
import { accuracyOf, agreementOf, answersOf, picturesOf, runningModel } from '../export/measure.ts';
import type { RunningFile } from '../export/runtime.ts';
import { sourceGraph } from '../export/source.ts';
import { objections } from '../export/verdict.ts';
import { ModelError } from '../models/errors.ts';
import { startBackend } from './backend.ts';
import { UsageError, type Values } from './command.ts';
import { atMost, checkClasses, choosePart, imagesText, openAs } from './evaluation-data.ts';
import { explainLayers } from './explain-file.ts';
import { type ExportRow, measuredLines, rowJson } from './export-text.ts';
import { formatOf, readExport } from './exported-files.ts';
import { layersLines } from './layers-text.ts';
import { liveWork } from './live-work.ts';
import { type LoadedRun, loadRun } from './load-run.ts';
import { styleOf } from './style.ts';
import type { verifyOptions } from './verify.ts';

export async function verify(
  [path = '', data = '']: readonly string[],
  values: Values<typeof verifyOptions>,
): Promise<number> {
  if (values.layers === true && values.against === undefined) {
    throw new UsageError('--layers compares with a model', 'name it: --against RUN');
  }
  const files = await readExport(path);
  const format = formatOf(files, path);
  const backend = await startBackend(values);
  const run = values.against === undefined ? undefined : await loadRun(values.against);
  const file = await format.open(files);
  const splits = await openAs(file.info.preprocessing, data, values.split === 'validation');
  const [part, whole] = choosePart(splits, values.split);
  const dataset = atMost(whole, values.images);
  return liveWork(
    values,
    async ({ signal, show, clear }) => {
      const measure = (one: RunningFile, name: string) =>
        answersOf(one, picturesOf(dataset), {
          signal,
          onProgress: (done, total) => show(() => `running ${name}: ${count(done)} of ${count(total)} images`),
        });
      checkClasses(file.info, dataset);
      if (run) checkSame(file, run.info.classes, path);
      const rows: ExportRow[] = [];
      const model = run && runningModel(run.model, run.info, `TensorFlow.js ${backend}`);
      const original = model && (await measure(model, 'the model'));
      if (model && original) {
        const { latency } = original;
        rows.push({
          target: 'the model',
          accuracy: accuracyOf(original),
          latency,
          runtime: model.runtime,
          objections: [],
        });
      }
      const answers = await measure(file, basename(path));
      const accuracy = accuracyOf(answers);
      const agreement = original && agreementOf(original, answers);
      const against =
        original && agreement
          ? objections(
              { precision: file.info.precision, agreement, accuracy, originalAccuracy: accuracyOf(original) },
              values['max-drop'] ?? 1,
            )
          : [];
      const layers =
        run && values.layers === true
          ? await explainLayers(format, files, await sourceOf(run, file, format, files), dataset, {
              signal,
              say: (text) => show(() => text),
            })
          : undefined;
      rows.push({
        ...{ target: basename(path), size: files.reduce((sum, { bytes }) => sum + bytes.length, 0), accuracy },
        ...(agreement ? { agreement } : {}),
        ...{ latency: answers.latency, runtime: file.runtime, objections: against },
        ...(layers && { layers }),
      });
      clear();
      const measuredOn = imagesText(dataset, part);
      if (values.json === true) {
        process.stdout.write(`${JSON.stringify({ measuredOn, files: rows.map(rowJson) })}\n`);
      } else {
        const style = styleOf(process.stdout);
        const refused = against.map((one) => `${style.red('disagrees')}: ${one}`);
        process.stdout.write(
          `${[...measuredLines(rows, style), '', ...(layers ? layersLines(basename(path), layers, style) : []), ...refused, `measured on ${measuredOn}`].join('\n')}\n`,
        );
      }
      return against.length > 0 ? 1 : 0;
    },
    async () => {
      run?.model.dispose();
      await file.close();
      await closeSplits(splits);
    },
  );
}

function checkSame(file: RunningFile, classes: readonly string[], path: string): void {
  if (file.info.classes.join('\n') === classes.join('\n')) return;
  throw new ModelError(`${path}: its classes are not those of the model that --against names`);
}

/** The graph of the model as the file has it: its softmax, its input, and equalised where the file's weights are. */
async function sourceOf(
  { model, info }: LoadedRun,
  file: RunningFile,
  format: ExportFormat,
  files: readonly ExportFile[],
): Promise<InferenceGraph> {
  const read = await format.read?.(files);
  read?.dispose();
  return sourceGraph(model, info, file.info, read?.graph);
}
