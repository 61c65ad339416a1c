/** The tables of a file's layers, for the terminal and for machines. Pure functions. */

import { percent, plural } from '../evaluate/report-format.ts';
import type { Outcome } from '../quantize/sensitivity.ts';
import type { ExplainedLayers, ExplainedSensitivity } from './explain-file.ts';
import type { Style } from './style.ts';
import { tableLines } from './table.ts';

/** In the order of the network. */
export function layersLines(target: string, { rows, runtime, images }: ExplainedLayers, style: Style): string[] {
  return [
    style.bold(`${target}: each layer beside the model's, in ${runtime} (${plural(images, 'image')})`),
    ...tableLines(
      [{ title: 'layer' }, { title: 'op' }, { title: 'SQNR', align: 'right' }, { title: 'cosine', align: 'right' }],
      rows.map(({ layer, op, sqnr, cosine }) => [layer, op, decibels(sqnr), cosine.toFixed(6)]),
      style,
    ),
    '',
  ];
}

/** The most harmful first, and what to do about it. */
export function sensitivityLines(target: string, explained: ExplainedSensitivity, style: Style): string[] {
  const { rows, images, mending, refused } = explained;
  const worst = [...rows].sort((a, b) => a.sqnr - b.sqnr);
  const judged = rows.some(({ accuracy }) => accuracy !== undefined);
  return [
    style.bold(`${target}: what each layer costs if it alone is in integers (simulated, ${plural(images, 'image')})`),
    ...tableLines(
      [
        { title: 'layer' },
        { title: 'op' },
        ...(judged ? [{ title: 'points lost', align: 'right' } as const] : []),
        { title: 'same class', align: 'right' },
        { title: 'SQNR', align: 'right' },
      ],
      worst.map((row) => [
        row.layer,
        row.op,
        ...(judged ? [lost(row).toFixed(1)] : []),
        percent(row.same),
        decibels(row.sqnr),
      ]),
      style,
    ),
    ...(refused ? [adviceOf(mending)] : []),
    '',
  ];
}

function adviceOf(mending: ExplainedSensitivity['mending']): string {
  if (mending === undefined) {
    return (
      'sparing a third of the layers would not mend it: try --observer mse, --equalize, --bias-correction, more images ' +
      'with --calibrate, or --quantize dynamic'
    );
  }
  const { keepFloat, outcome } = mending;
  const points = outcome.accuracy === undefined ? '' : `${lost(outcome).toFixed(1)} points lost, `;
  return `try --keep-float ${keepFloat.join(',')}: ${points}${percent(outcome.same)} same class (simulated)`;
}

function lost({ accuracy = 0, floatAccuracy = 0 }: Outcome): number {
  // Not −0.0.
  return 100 * (floatAccuracy - accuracy) || 0;
}

function decibels(sqnr: number): string {
  return Number.isFinite(sqnr) ? `${sqnr.toFixed(1)} dB` : 'exact';
}

/** JSON has no infinity: null is where nothing differs. */
export function layersJson({ rows, runtime, images }: ExplainedLayers): object {
  return { runtime, images, rows: rows.map((row) => ({ ...row, sqnr: finite(row.sqnr) })) };
}

export function sensitivityJson({ rows, images, mending, refused }: ExplainedSensitivity): object {
  const outcome = ({ sqnr, same, accuracy, floatAccuracy }: Outcome) => ({
    sqnr: finite(sqnr),
    sameClass: same,
    accuracy,
    floatAccuracy,
  });
  return {
    images,
    rows: rows.map((row) => ({ layer: row.layer, op: row.op, ...outcome(row) })),
    ...(refused ? { mending: mending ? { keepFloat: mending.keepFloat, ...outcome(mending.outcome) } : null } : {}),
  };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
