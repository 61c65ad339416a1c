/** The report's tables: precision, recall and F1 of every class, and lists of names with values.
 *  All figures are computed here from the confusion counts alone. */

import { count, escapeHtml, percent } from './report-format.ts';

export interface ClassScore {
  readonly name: string;
  /** Of the images called this class, the fraction that are. NaN when none was. */
  readonly precision: number;
  /** Of the images of this class, the fraction that were found. NaN when there is none. */
  readonly recall: number;
  /** Harmonic mean of both; 0 when nothing was found. */
  readonly f1: number;
  /** Images of this class. */
  readonly support: number;
}

/** Precision, recall and F1 per class from counts[true][predicted]. */
export function classScores(classes: readonly string[], counts: readonly (readonly number[])[]): ClassScore[] {
  return classes.map((name, i) => {
    const hits = counts[i]?.[i] ?? 0;
    const support = total(counts[i] ?? []);
    const called = total(counts.map((row) => row[i] ?? 0));
    return {
      name,
      precision: called > 0 ? hits / called : Number.NaN,
      recall: support > 0 ? hits / support : Number.NaN,
      f1: support + called > 0 ? (2 * hits) / (support + called) : Number.NaN,
      support,
    };
  });
}

/** The mean over the classes for which a score is defined. */
export function macro(scores: readonly ClassScore[], of: (score: ClassScore) => number): number {
  const values = scores.map(of).filter((value) => Number.isFinite(value));
  return values.length > 0 ? total(values) / values.length : Number.NaN;
}

/** The table of classes; a click on a heading sorts it. */
export function classTable(scores: readonly ClassScore[]): string {
  const rows = scores.map(
    (score) =>
      `<tr><th scope="row">${escapeHtml(score.name)}</th>${bar(score.precision)}${bar(score.recall)}${bar(score.f1)}<td class="number" data-value="${score.support}">${count(score.support)}</td></tr>`,
  );
  const mean = (of: (score: ClassScore) => number) =>
    `<td class="score"><span>${percent(macro(scores, of))}</span></td>`;
  return [
    '<div class="scroll"><table class="classes">',
    '<thead><tr>',
    '<th scope="col" data-sort="text">class</th>',
    '<th scope="col" class="number" data-sort="number">precision</th>',
    '<th scope="col" class="number" data-sort="number">recall</th>',
    '<th scope="col" class="number" data-sort="number">F1</th>',
    '<th scope="col" class="number" data-sort="number">images</th>',
    '</tr></thead><tbody>',
    ...rows,
    '</tbody><tfoot><tr><th scope="row">mean of the classes</th>',
    mean((score) => score.precision),
    mean((score) => score.recall),
    mean((score) => score.f1),
    `<td class="number">${count(total(scores.map((score) => score.support)))}</td>`,
    '</tr></tfoot></table></div>',
  ].join('');
}

/** Names and values side by side. */
export function pairTable(pairs: readonly (readonly [name: string, value: string])[]): string {
  const rows = pairs.map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`);
  return `<dl class="pairs">${rows.join('')}</dl>`;
}

/** A score as a number over a bar of its length. */
function bar(value: number): string {
  if (!Number.isFinite(value)) return '<td class="score" data-value="-1"><span>–</span></td>';
  const width = (value * 100).toFixed(1);
  return `<td class="score" data-value="${value.toFixed(6)}"><span>${percent(value)}</span><i style="--part:${width}%"></i></td>`;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
