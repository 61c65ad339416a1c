/** The report's tables: precision, recall and F1 of every class, and lists of names with values.
 *  The figures themselves come from `metrics.ts`. */

import type { Average } from './class-scores.ts';
import type { Pairs } from './report-data.ts';
import { count, escapeHtml, percent } from './report-format.ts';
import type { Scores } from './scores.ts';

/** What the table of classes shows. */
type Averages = Pick<Scores, 'perClass' | 'macro' | 'weighted' | 'rocAuc' | 'averagePrecision' | 'images'>;

/** The table of classes; a click on a heading sorts it. */
export function classTable(classes: readonly string[], averages: Averages): string {
  const scores = averages.perClass;
  const rows = scores.map(
    (score, i) =>
      `<tr><th scope="row">${escapeHtml(classes[i] ?? '')}</th>${bar(score.precision)}${bar(score.recall)}${bar(score.f1)}${area(score.rocAuc)}${area(score.averagePrecision)}<td class="number" data-value="${score.images}">${count(score.images)}</td></tr>`,
  );
  const { macro, weighted } = averages;
  const mean = (name: string, { precision, recall, f1 }: Average, areas: string) =>
    `<tr><th scope="row">${name}</th>${[precision, recall, f1].map((value) => `<td class="score"><span>${percent(value)}</span></td>`).join('')}${areas}`;
  return [
    '<div class="scroll"><table class="classes">',
    '<thead><tr>',
    '<th scope="col" data-sort="text">class</th>',
    '<th scope="col" class="number" data-sort="number">precision</th>',
    '<th scope="col" class="number" data-sort="number">recall</th>',
    '<th scope="col" class="number" data-sort="number">F1</th>',
    '<th scope="col" class="number" data-sort="number">ROC AUC</th>',
    '<th scope="col" class="number" data-sort="number">avg. precision</th>',
    '<th scope="col" class="number" data-sort="number">images</th>',
    '</tr></thead><tbody>',
    ...rows,
    '</tbody><tfoot>',
    mean('macro mean', macro, area(averages.rocAuc) + area(averages.averagePrecision)),
    `<td class="number">${count(averages.images)}</td></tr>`,
    mean('weighted mean', weighted, '<td></td><td></td>'),
    '<td></td></tr></tfoot></table></div>',
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

/** An area is close to 1 for any useful network: four digits tell classes apart, a bar would not. */
function area(value: number): string {
  const text = Number.isNaN(value) ? '–' : value.toFixed(4);
  return `<td class="number" data-value="${Number.isNaN(value) ? -1 : value.toFixed(6)}">${text}</td>`;
}
