/** The work of `residual export`: writes each file in memory, runs it, and puts it on the disk if it agrees. */

import { join } from 'node:path';
import { closeSplits, type Dataset, type Splits } from '../data/dataset.ts';
import { count } from '../evaluate/report-format.ts';
import type { Precision } from '../export/artefact.ts';
import type { ExportFile, ExportFormat, ExportRequest } from '../export/format.ts';
import { formats } from '../export/formats.ts';
import { type Answers, accuracyOf, agreementOf, answersOf, picturesOf, runningModel } from '../export/measure.ts';
import type { RunningFile } from '../export/runtime.ts';
import { objections } from '../export/verdict.ts';
import { writeAside } from '../models/files.ts';
import { startBackend } from './backend.ts';
import { UsageError, type Values } from './command.ts';
import { atMost, checkClasses, choosePart, imagesText, openFor } from './evaluation-data.ts';
import type { exportOptions } from './export.ts';
import { type ExportRow, exportJson, exportLines } from './export-text.ts';
import { catchInterrupt, interruptedCode } from './interrupt.ts';
import { LiveLine } from './live-line.ts';
import { type LoadedRun, loadRun } from './load-run.ts';
import { nearest } from './nearest.ts';
import { version } from './program.ts';
import { styleOf } from './style.ts';

type ExportValues = Values<typeof exportOptions>;

/** One file to be made. */
interface Wanted {
  readonly format: ExportFormat;
  readonly precision: Precision;
}

export async function exportRun([typed = '']: readonly string[], values: ExportValues): Promise<number> {
  const wanted = wantedOf(values);
  const backend = await startBackend(values);
  const run = await loadRun(typed);
  const out = values.out ?? join(run.folder, 'export');
  const held = values.proof === false ? undefined : await openHeldOut(run, values);
  const line = new LiveLine(process.stderr);
  const interrupt = catchInterrupt(
    () => {},
    () => line.clear(),
  );
  const say = (text: string) => {
    if (values.quiet !== true && line.isTerminal) line.update(() => text);
  };
  const measure = (file: RunningFile, name: string, dataset: Dataset) =>
    answersOf(file, picturesOf(dataset), {
      signal: interrupt.signal,
      onProgress: (done, total) => say(`running ${name}: ${count(done)} of ${count(total)} images`),
    });
  try {
    const original = runningModel(run.model, run.info, `TensorFlow.js ${backend}`);
    const answers = held && (await measure(original, 'the model', held.dataset));
    const rows: ExportRow[] = [];
    for (const one of wanted) {
      say(`writing ${one.format.target(one.precision)}`);
      const files = await one.format.write(requestFor(run, one, values));
      const row = await prove(one, files, answers, values['max-drop'] ?? 1, (file, name) =>
        held ? measure(file, name, held.dataset) : undefined,
      );
      if (row.objections.length === 0) {
        for (const { path, bytes } of files) await writeAside(join(out, path), [bytes]);
      }
      rows.push(row);
    }
    line.clear();
    const report = { folder: out, rows, original: answers && originalRow(original, answers), images: held?.split };
    const style = styleOf(process.stdout);
    if (values.json === true) process.stdout.write(`${JSON.stringify({ run: run.folder, ...exportJson(report) })}\n`);
    else process.stdout.write(`${exportLines(report, style).join('\n')}\n`);
    return rows.some((row) => row.objections.length > 0) ? 1 : 0;
  } catch (error) {
    if (interrupt.signal.aborted && error === interrupt.signal.reason) return interruptedCode;
    throw error;
  } finally {
    line.clear();
    interrupt.release();
    run.model.dispose();
    if (held) await closeSplits(held.splits);
  }
}

function requestFor({ model, info }: LoadedRun, { precision }: Wanted, values: ExportValues): ExportRequest {
  return {
    ...{ model, info, precision, version },
    softmax: (values.softmax ?? 'keep') as ExportRequest['softmax'],
    input: (values.input ?? 'float32') as ExportRequest['input'],
    ...(values.layout === undefined ? {} : { layout: values.layout as NonNullable<ExportRequest['layout']> }),
    ...(values.opset === undefined ? {} : { opset: values.opset }),
  };
}

/** Runs files from memory: only what agrees is written. */
async function prove(
  { format, precision }: Wanted,
  files: readonly ExportFile[],
  original: Answers | undefined,
  maxDrop: number,
  measure: (file: RunningFile, name: string) => Promise<Answers> | undefined,
): Promise<ExportRow> {
  const target = format.target(precision);
  const size = files.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (!original) return { target, size, objections: [] };
  const file = await format.open(files);
  try {
    const answers = await measure(file, target);
    if (!answers) throw new Error('internal: there are no images');
    const accuracy = accuracyOf(answers);
    const agreement = agreementOf(original, answers);
    const against = objections({ precision, agreement, accuracy, originalAccuracy: accuracyOf(original) }, maxDrop);
    const { latency } = answers;
    return { target, size, accuracy, agreement, latency, runtime: file.runtime, objections: against };
  } finally {
    await file.close();
  }
}

function originalRow({ runtime }: RunningFile, answers: Answers): ExportRow {
  return { target: 'the model', accuracy: accuracyOf(answers), latency: answers.latency, runtime, objections: [] };
}

interface HeldOut {
  readonly splits: Splits;
  readonly dataset: Dataset;
  /** For people, e.g. `2,000 test images`. */
  readonly split: string;
}

async function openHeldOut(run: LoadedRun, values: ExportValues): Promise<HeldOut> {
  const splits = await openFor(run, values);
  const [name, whole] = choosePart(splits, values.split);
  checkClasses(run.info, whole);
  const dataset = atMost(whole, values.images);
  return { splits, dataset, split: imagesText(dataset, name) };
}

/** What `--quantize` calls them. */
const precisions: Readonly<Record<string, Precision>> = {
  none: 'float32',
  float16: 'float16',
  dynamic: 'dynamic',
  int8: 'int8',
};

/** Every format in every precision that was asked for. */
function wantedOf(values: ExportValues): Wanted[] {
  const named = listOf(
    'format',
    values.format,
    formats.map(({ name }) => name),
  );
  const chosen = named.map((name) => formats.find((format) => format.name === name) as ExportFormat);
  const offered = Object.keys(precisions).filter((kind) =>
    formats.some((format) => format.precisions.includes(precisions[kind] as Precision)),
  );
  const kinds = values.quantize === undefined ? ['none'] : listOf('quantize', values.quantize, offered);
  return chosen.flatMap((format) =>
    kinds.map((kind) => {
      const precision = precisions[kind] as Precision;
      if (!format.precisions.includes(precision)) {
        const can = Object.keys(precisions).filter((one) => format.precisions.includes(precisions[one] as Precision));
        throw new UsageError(
          `${format.title} files cannot be written with --quantize ${kind}`,
          `they can with ${can.join(', ')}`,
        );
      }
      return { format, precision };
    }),
  );
}

/** A list with commas between; all of them where none is given. */
function listOf(option: string, text: string | undefined, choices: readonly string[]): readonly string[] {
  if (text === undefined) return choices;
  const given = [...new Set(text.split(',').map((name) => name.trim()))];
  for (const name of given) {
    if (choices.includes(name)) continue;
    const close = nearest(name, choices);
    throw new UsageError(
      `--${option} must be of ${choices.join(', ')}; received '${name}'`,
      close === undefined ? undefined : `did you mean ${close}?`,
    );
  }
  return given;
}
