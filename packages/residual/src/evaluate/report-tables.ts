/** The report's tables: precision, recall and F1 of every class, and lists of names with values.
 *  The figures themselves come from `metrics.ts`. */

import type { ClassMetrics } from './metrics.ts';
import type { Pairs } from './report-data.ts';
import { count, escapeHtml, percent } from './report-format.ts';

/** The table of classes; a click on a heading sorts it. */
export function classTable(classes: readonly string[], scores: readonly ClassMetrics[]): string {
  const rows = scores.map(
    (score, i) =>
      `<tr><th scope="row">${escapeHtml(classes[i] ?? '')}</th>${bar(score.precision)}${bar(score.recall)}${bar(score.f1)}<td class="number" data-value="${score.images}">${count(score.images)}</td></tr>`,
  );
  const present = scores.filter((score) => score.images > 0);
  const mean = (of: (score: ClassMetrics) => number) =>
    `<td class="score"><span>${percent(total(present.map(of)) / present.length)}</span></td>`;
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
    `<td class="number">${count(total(scores.map((score) => score.images)))}</td>`,
    '</tr></tfoot></table></div>',
  ].join('');
}

/** Names and values side by side. */
export function pairTable(pairs: Pairs): string {
  const rows = pairs.map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`);
  return `<dl class="pairs">${rows.join('')}</dl>`;
}

/** A score as a number over a bar of its length. */
function bar(value: number): string {
  const width = (value * 100).toFixed(1);
  return `<td class="score" data-value="${value.toFixed(6)}"><span>${percent(value)}</span><i style="--part:${width}%"></i></td>`;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
