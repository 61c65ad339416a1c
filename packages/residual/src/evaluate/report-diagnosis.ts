/** The report's section on what limits the accuracy and what to try next, and on troubles that were mended.
 *  The words come from diagnose.ts. */

import type { HistoryRecord, TroubleRecord } from '../train/history.ts';
import type { Diagnosis } from './diagnose.ts';
import { escapeHtml } from './report-format.ts';

/** Empty where there is nothing to say. */
export function diagnosisSection(diagnosis: Diagnosis | undefined, history: readonly HistoryRecord[]): string {
  const troubles = history.filter((record): record is TroubleRecord => record.type === 'trouble');
  if (!diagnosis && troubles.length === 0) return '';
  const list = (items: readonly string[]) => `<ul>${items.map((item) => `<li>${escapeHtml(item)}</li>`).join('')}</ul>`;
  const found = diagnosis
    ? `<p>${escapeHtml(diagnosis.headline)} ${escapeHtml(diagnosis.evidence.join(' '))}</p><h3>What to try next</h3>${list(diagnosis.next)}`
    : '';
  const mended =
    troubles.length > 0
      ? `<h3>Mended while training</h3>${list(troubles.map(({ step, message }) => `Step ${step}: ${message}.`))}`
      : '';
  return `<section><h2>What limits it</h2>${found}${mended}</section>`;
}
