/** The work of `residual export`: writes each file in memory, runs it, and puts it on the disk if it agrees. */

import { join } from 'node:path';
import { closeSplits, type Dataset, type Splits } from '../data/dataset.ts';
import { count } from '../evaluate/report-format.ts';
import type { Precision } from '../export/artefact.ts';
import type { ExportFile, ExportFormat, ExportInput, ExportRequest } from '../export/format.ts';
import { formats } from '../export/formats.ts';
import { type Answers, accuracyOf, agreementOf, answersOf, picturesOf, runningModel } from '../export/measure.ts';
import type { QuantizationProfile } from '../export/onnx/placement.ts';
import type { RunningFile } from '../export/runtime.ts';
import { objections } from '../export/verdict.ts';
import type { QuantizedGraph } from '../quantize/post-training.ts';
import { startBackend } from './backend.ts';
import { UsageError, type Values } from './command.ts';
import { atMost, checkClasses, choosePart, imagesText, openFor } from './evaluation-data.ts';
import { explainLayers, explainSensitivity } from './explain-file.ts';
import type { exportOptions } from './export.ts';
import { checkIntegerOptions, checkKeptFloat, graphOf, postTrainingOf } from './export-quantize.ts';
import { type ExportRow, exportJson, exportLines } from './export-text.ts';
import { liveWork } from './live-work.ts';
import { type LoadedRun, loadRun } from './load-run.ts';
import { nearest } from './nearest.ts';
import { version } from './program.ts';
import { styleOf } from './style.ts';
import { writeExport } from './write-export.ts';

type ExportValues = Values<typeof exportOptions>;

/** One file to be made. */
interface Wanted {
  readonly format: ExportFormat;
  readonly precision: Precision;
  readonly profile?: QuantizationProfile;
}

export async function exportRun([typed = '']: readonly string[], values: ExportValues): Promise<number> {
  const wanted = wantedOf(values);
  const backend = await startBackend(values);
  const run = await loadRun(typed);
  await checkKeptFloat(run, values);
  const out = values.out ?? join(run.folder, 'export');
  const calibrated = wanted.some(({ precision }) => precision === 'int8');
  const data = values.proof === false && !calibrated ? undefined : await openData(run, values);
  const held = values.proof === false ? undefined : data;
  return liveWork(
    values,
    async ({ signal, show, clear }) => {
      const say = (text: string) => show(() => text);
      const measure = (file: RunningFile, name: string, dataset: Dataset) =>
        answersOf(file, picturesOf(dataset), {
          signal,
          onProgress: (done, total) => say(`running ${name}: ${count(done)} of ${count(total)} images`),
        });
      const original = runningModel(run.model, run.info, `TensorFlow.js ${backend}`);
      const answers = held && (await measure(original, 'the model', held.dataset));
      const rows: ExportRow[] = [];
      for (const one of wanted) {
        say(`writing ${one.format.target(one.precision, one.profile)}`);
        let quantized: QuantizedGraph | undefined;
        const files = await one.format.write({
          ...requestFor(run, one, values),
          ...(data && { calibration: picturesOf(data.calibration) }),
          onQuantized: (made) => {
            quantized = made;
          },
          signal,
        });
        const maxDrop = values['max-drop'] ?? 1;
        const proven = await prove(one, files, answers, maxDrop, (file, name) =>
          held ? measure(file, name, held.dataset) : undefined,
        );
        const row = held
          ? await explain({ ...one, files, quantized, row: proven, run, held, values, signal, say })
          : proven;
        if (row.objections.length === 0) {
          await writeExport(out, files);
        }
        rows.push(row);
      }
      clear();
      const report = { folder: out, rows, original: answers && originalRow(original, answers), images: held?.split };
      const style = styleOf(process.stdout);
      if (values.json === true) process.stdout.write(`${JSON.stringify({ run: run.folder, ...exportJson(report) })}\n`);
      else process.stdout.write(`${exportLines(report, style).join('\n')}\n`);
      return rows.some((row) => row.objections.length > 0) ? 1 : 0;
    },
    async () => {
      run.model.dispose();
      if (data) await closeSplits(data.splits);
    },
  );
}

function requestFor({ model, info }: LoadedRun, { precision, profile }: Wanted, values: ExportValues): ExportRequest {
  return {
    ...{ model, info, precision, version },
    postTraining: postTrainingOf(values),
    ...(profile === undefined ? {} : { profile }),
    softmax: (values.softmax ?? 'keep') as ExportRequest['softmax'],
    input: (values.input ?? 'float32') as ExportInput,
    ...(values.layout === undefined ? {} : { layout: values.layout as NonNullable<ExportRequest['layout']> }),
    ...(values.opset === undefined ? {} : { opset: values.opset }),
    ...(values.edges === undefined ? {} : { edges: values.edges as NonNullable<ExportRequest['edges']> }),
  };
}

/** Runs files from memory: only what agrees is written. */
async function prove(
  { format, precision, profile }: Wanted,
  files: readonly ExportFile[],
  original: Answers | undefined,
  maxDrop: number,
  measure: (file: RunningFile, name: string) => Promise<Answers> | undefined,
): Promise<ExportRow> {
  const target = format.target(precision, profile);
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

/** Adds the tables of layers that were asked for, and those that a refused file owes. */
async function explain({
  format,
  files,
  quantized,
  row,
  run,
  held,
  values,
  signal,
  say,
}: ToExplain): Promise<ExportRow> {
  const refused = row.objections.length > 0;
  const layers =
    values.layers === true && format.openValues
      ? await explainLayers(format, files, quantized?.graph ?? (await graphOf(run, values)), held.dataset, {
          signal,
          say,
        })
      : undefined;
  const sensitivity =
    quantized && (refused || values.sensitivity === true)
      ? await explainSensitivity(quantized, held.splits.validation ?? held.calibration, {
          ...{ refused, signal, say },
          maxDrop: values['max-drop'] ?? 1,
        })
      : undefined;
  return { ...row, ...(layers && { layers }), ...(sensitivity && { sensitivity }) };
}

interface ToExplain extends Wanted {
  readonly files: readonly ExportFile[];
  /** Of int8 files. */
  readonly quantized: QuantizedGraph | undefined;
  readonly row: ExportRow;
  readonly run: LoadedRun;
  readonly held: RunData;
  readonly values: ExportValues;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

function originalRow({ runtime }: RunningFile, answers: Answers): ExportRow {
  return { target: 'the model', accuracy: accuracyOf(answers), latency: answers.latency, runtime, objections: [] };
}

interface RunData {
  readonly splits: Splits;
  /** Pictures that the network was trained on, for the scales of integers: the held-out ones stay unseen. */
  readonly calibration: Dataset;
  /** What the files are measured on. */
  readonly dataset: Dataset;
  /** For people, e.g. `2,000 test images`. */
  readonly split: string;
}

const CALIBRATION_IMAGES = 256;

async function openData(run: LoadedRun, values: ExportValues): Promise<RunData> {
  const splits = await openFor(run, values);
  const [name, whole] = choosePart(splits, values.split);
  checkClasses(run.info, whole);
  const dataset = atMost(whole, values.images);
  const calibration = atMost(splits.train ?? splits.validation ?? whole, values.calibrate ?? CALIBRATION_IMAGES);
  return { splits, calibration, dataset, split: imagesText(dataset, name) };
}

/** What `--quantize` calls them. */
const precisions: Readonly<Record<string, Precision>> = {
  none: 'float32',
  float16: 'float16',
  dynamic: 'dynamic',
  int8: 'int8',
};

/** Every format in every precision that was asked for. Where no format was named, those that can hold it. */
function wantedOf(values: ExportValues): Wanted[] {
  const named = listOf(
    'format',
    values.format,
    formats.map(({ name }) => name),
  );
  const chosen = named.map((name) => formats.find((format) => format.name === name) as ExportFormat);
  const offered = Object.keys(precisions).filter((kind) =>
    formats.some((format) => heldBy(format, kind) !== undefined),
  );
  const kinds = values.quantize === undefined ? ['none'] : listOf('quantize', values.quantize, offered);
  checkIntegerOptions(values, kinds);
  const profile = values.profile as QuantizationProfile | undefined;
  const wanted: Wanted[] = [];
  for (const format of chosen) {
    for (const kind of kinds) {
      const refusal = refusalOf(format, kind, values);
      const precision = heldBy(format, kind);
      const again = wanted.some((one) => one.format === format && one.precision === precision);
      if (!refusal && precision && !again) wanted.push({ format, precision, ...(profile && { profile }) });
      else if (!refusal) continue;
      else if (values.format !== undefined) throw refusal;
    }
  }
  // Each kind is one that some format has, so it is the layout or the input that none of these can have.
  if (wanted.length === 0) {
    const asked = [values.layout && `layout ${values.layout}`, values.input && `--input ${values.input}`];
    throw new UsageError(`no format has ${kinds.join(', ')} files of ${asked.filter(Boolean).join(' and ')}`);
  }
  return wanted;
}

/** What a format writes for a kind of `--quantize`: the same, or the nearest to it that its runtime has. */
function heldBy({ precisions: held, nearest }: ExportFormat, kind: string): Precision | undefined {
  const precision = precisions[kind] as Precision;
  return held.includes(precision) ? precision : nearest?.[precision];
}

/** Why a format cannot have such a file. */
function refusalOf(
  format: ExportFormat,
  kind: string,
  { layout, input }: Pick<ExportValues, 'layout' | 'input'>,
): UsageError | undefined {
  if (heldBy(format, kind) === undefined) {
    const can = Object.keys(precisions).filter((one) => heldBy(format, one) !== undefined);
    return new UsageError(
      `${format.title} files cannot be written with --quantize ${kind}`,
      `they can with ${can.join(', ')}`,
    );
  }
  const { inputs } = format;
  if (input !== undefined && !inputs.some((one) => one === input)) {
    return new UsageError(`${format.title} files cannot take --input ${input}`, `they can take ${inputs.join(', ')}`);
  }
  if (layout === undefined || format.layouts.some((one) => one === layout)) return undefined;
  return new UsageError(`${format.title} files cannot be ${layout}`, `they can be ${format.layouts.join(', ')}`);
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
