/** What `residual export` and `verify` measured, as a table for the terminal and as an object for machines.
 *  Pure functions. */

import { bytes, percent, plain } from '../evaluate/report-format.ts';
import type { Agreement } from '../export/measure.ts';
import type { ExplainedLayers, ExplainedSensitivity } from './explain-file.ts';
import { layersJson, layersLines, sensitivityJson, sensitivityLines } from './layers-text.ts';
import type { Style } from './style.ts';
import { tableLines } from './table.ts';

export interface ExportRow {
  /** The file, or the model itself. */
  readonly target: string;
  /** In bytes. */
  readonly size?: number;
  /** A fraction. */
  readonly accuracy?: number | undefined;
  readonly agreement?: Agreement;
  /** Of one image, in milliseconds. */
  readonly latency?: number;
  readonly runtime?: string;
  /** Why the file is refused. */
  readonly objections: readonly string[];
  /** Where they were asked for, or explain a refusal. */
  readonly layers?: ExplainedLayers;
  readonly sensitivity?: ExplainedSensitivity;
}

export interface ExportReport {
  readonly folder: string;
  readonly rows: readonly ExportRow[];
  readonly original: ExportRow | undefined;
  /** What was measured on, e.g. `2,000 test images`; undefined where nothing was. */
  readonly images: string | undefined;
}

/** The table, then what was written and what was refused. */
export function exportLines({ folder, rows, original, images }: ExportReport, style: Style): string[] {
  const written = rows.filter(({ objections }) => objections.length === 0).length;
  return [
    ...measuredLines(original === undefined ? rows : [original, ...rows], style),
    '',
    ...rows.flatMap(({ target, layers }) => (layers ? layersLines(target, layers, style) : [])),
    ...rows.flatMap(({ target, sensitivity }) => (sensitivity ? sensitivityLines(target, sensitivity, style) : [])),
    ...rows.flatMap(({ target, objections }) =>
      objections.map((objection) => `${style.red('refused')} ${target}: ${objection}`),
    ),
    ...(images === undefined ? [style.yellow('nothing was run: the files are unproven')] : [`measured on ${images}`]),
    ...(written > 0 ? [`wrote ${written} ${written === 1 ? 'file' : 'files'} to ${folder}`] : []),
  ];
}

/** Columns that no row fills are left out. */
export function measuredLines(rows: readonly ExportRow[], style: Style): string[] {
  const columns: readonly (readonly [title: string, cell: (row: ExportRow) => string | undefined, left?: 'left'])[] = [
    ['file', ({ target }) => target, 'left'],
    ['size', ({ size }) => (size === undefined ? undefined : bytes(size))],
    ['accuracy', ({ accuracy }) => (accuracy === undefined ? undefined : percent(accuracy))],
    ['same class', ({ agreement }) => agreement && percent(agreement.same)],
    ['differs by', ({ agreement }) => agreement && plain(agreement.difference)],
    ['per image', ({ latency }) => (latency === undefined ? undefined : `${latency.toPrecision(3)} ms`)],
    ['in', ({ runtime }) => runtime, 'left'],
  ];
  const shown = columns.filter(([, cell]) => rows.some((row) => cell(row) !== undefined));
  return tableLines(
    shown.map(([title, , left]) => ({ title, align: left ?? 'right' })),
    rows.map((row) => shown.map(([, cell]) => cell(row) ?? '')),
    style,
  );
}

/** For machines: fractions and bytes and milliseconds, not rounded. */
export function exportJson({ folder, rows, original, images }: ExportReport): object {
  return { folder, measuredOn: images ?? null, model: original && rowJson(original), files: rows.map(rowJson) };
}

export function rowJson(row: ExportRow): object {
  const { target, size, accuracy, agreement, latency, runtime, objections, layers, sensitivity } = row;
  return {
    file: target,
    bytes: size,
    accuracy,
    sameClass: agreement?.same,
    difference: agreement?.difference,
    milliseconds: latency,
    runtime,
    refused: objections,
    ...(layers && { layers: layersJson(layers) }),
    ...(sensitivity && { sensitivity: sensitivityJson(sensitivity) }),
  };
}
