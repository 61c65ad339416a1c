/** The account of a load in words, for the terminal and for logs. */

import { mismatch } from './choose.ts';
import type { LoadReport, TensorNote } from './load.ts';

/** Lines without colours; the first is a summary. */
export function reportLines(report: LoadReport): string[] {
  const { file, model, mapTitle, loaded, made, adjusted, missing, leftOver, ignored, unread, cautions, prefix } =
    report;
  const row = (name: string, text: string) => `  ${name.padEnd(10)}${text}`;
  const behind = prefix === '' ? '' : `, behind ${prefix}`;
  const lines = [`${file}: ${loaded.length} weights of ${model} loaded, by ${mapTitle}${behind}`];
  for (const text of made) lines.push(row('made', text));
  for (const text of adjusted) lines.push(row('adjusted', text));
  for (const one of missing) {
    const why = one.found === undefined || `${one.found}` === `${one.needed}` ? '' : ` (${mismatch(one)})`;
    lines.push(row('missing', `${one.layer}/${one.role} keeps its own start${why}`));
  }
  if (leftOver.length > 0) lines.push(row('left over', namesOf(leftOver)));
  if (ignored.length > 0) lines.push(row('ignored', `${namesOf(ignored)}: of no use here`));
  for (const text of unread) lines.push(row('not read', text));
  for (const text of cautions) lines.push(row('caution', text));
  return lines;
}

/** The first few, and how many more. */
function namesOf(tensors: readonly TensorNote[]): string {
  const shown = tensors.slice(0, 4).map(({ name, shape }) => `${name} [${shape.join(', ')}]`);
  const rest = tensors.length - shown.length;
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
