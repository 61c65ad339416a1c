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
  if (ignored.length > 0) lines.push(row('ignored', `${endsOf(ignored)}: of no use here`));
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

/** `20 num_batches_tracked` */
function endsOf(tensors: readonly TensorNote[]): string {
  const counts = new Map<string, number>();
  for (const { name } of tensors) {
    const end = name.split(/[./]/).at(-1) ?? name;
    counts.set(end, (counts.get(end) ?? 0) + 1);
  }
  return [...counts].map(([end, count]) => `${count} ${end}`).join(', ');
}
