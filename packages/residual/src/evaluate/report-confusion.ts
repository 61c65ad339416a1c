/** The confusion matrix as a heat map: rows are the true classes, columns the predicted ones.
 *  Correct answers are blue, mistakes orange on a scale of their own, so that a 3 % confusion can still be seen. */

import { count, escapeHtml, percent } from './report-format.ts';

export interface Confusion {
  readonly classes: readonly string[];
  /** Classes × classes, row-major: [true class][predicted class]. */
  readonly counts: ArrayLike<number>;
}

/** One kind of mistake: images of class `actual` that were called `predicted`. */
export interface ConfusedPair {
  readonly actual: number;
  readonly predicted: number;
  readonly count: number;
  /** Of all images of class `actual`. */
  readonly share: number;
}

/** Above this many classes, the matrix shows those with the most mistakes. */
export const mostClasses = 100;

/** The kinds of mistakes, the most frequent first. */
export function confusedPairs(confusion: Confusion, most: number): ConfusedPair[] {
  const pairs = confusion.classes.flatMap((_, actual) => {
    const row = rowOf(confusion, actual);
    const total = sum(row);
    return row.flatMap((hits, predicted) =>
      hits > 0 && predicted !== actual ? [{ actual, predicted, count: hits, share: hits / total }] : [],
    );
  });
  pairs.sort((a, b) => b.count - a.count || b.share - a.share || a.actual - b.actual || a.predicted - b.predicted);
  return pairs.slice(0, most);
}

/** The classes that the matrix shows: all of them, or the `most` with the most mistakes in row and column. */
export function shownClasses(confusion: Confusion, most = mostClasses): number[] {
  const all = confusion.classes.map((_, i) => i);
  if (all.length <= most) return all;
  const mistakes = all.map(() => 0);
  for (const pair of confusedPairs(confusion, Number.POSITIVE_INFINITY)) {
    mistakes[pair.actual] = (mistakes[pair.actual] ?? 0) + pair.count;
    mistakes[pair.predicted] = (mistakes[pair.predicted] ?? 0) + pair.count;
  }
  return all
    .sort((a, b) => (mistakes[b] ?? 0) - (mistakes[a] ?? 0) || a - b)
    .slice(0, most)
    .sort((a, b) => a - b);
}

/** The share of a row that the strongest orange stands for: the largest confusion, but at least a tenth. */
export function worstShare(confusion: Confusion, shown: readonly number[] = shownClasses(confusion)): number {
  const shares = shown.flatMap((actual) => {
    const row = rowOf(confusion, actual);
    const total = Math.max(1, sum(row));
    return shown.map((predicted) => (predicted === actual ? 0 : (row[predicted] ?? 0) / total));
  });
  return shares.reduce((largest, share) => Math.max(largest, share), 0.1);
}

/** Draws the matrix. Its natural width is at most about 1080 units for any number of classes. */
export function confusionMatrix(confusion: Confusion): string {
  const shown = shownClasses(confusion);
  const size = cellSize(shown.length);
  const numbers = size >= 24;
  const font = Math.max(7, Math.min(13, size * 0.62));
  const names = shown.map((i) => confusion.classes[i] ?? '');
  const longest = Math.max(...names.map((name) => name.length), 1);
  const characters = Math.min(longest, shown.length > 40 ? 18 : 24);
  const left = Math.ceil(characters * font * 0.58) + 34;
  const slanted = longest * font * 0.58 > size - 4;
  const top = (slanted ? Math.ceil(characters * font * 0.58 * (size < 20 ? 1 : 0.72)) + 12 : font + 10) + 18;
  const side = size * shown.length;
  // The last slanted name leans out to the right.
  const lean = slanted && size >= 20 ? Math.ceil(characters * font * 0.58 * 0.72) : 0;
  const width = left + side + Math.max(8, lean - size / 2);
  const height = top + side + 8;

  const worst = worstShare(confusion, shown);
  const cells: string[] = [];
  for (const [r, actual] of shown.entries()) {
    const row = rowOf(confusion, actual);
    const total = Math.max(1, sum(row));
    for (const [c, predicted] of shown.entries()) {
      const hits = row[predicted] ?? 0;
      if (hits > 0)
        cells.push(cell(confusion, { r, c, actual, predicted, hits, total, worst, size, numbers, left, top }));
    }
  }

  const rowNames = names.map(
    (name, r) =>
      `<text class="name" x="${left - 8}" y="${fixed(top + (r + 0.5) * size)}" dy=".34em" text-anchor="end"><title>${escapeHtml(name)}</title>${escapeHtml(shorten(name, characters))}</text>`,
  );
  const columnNames = names.map((name, c) => {
    const x = fixed(left + (c + 0.5) * size);
    const text = escapeHtml(shorten(name, characters));
    if (!slanted) return `<text class="name" x="${x}" y="${top - 8}" text-anchor="middle">${text}</text>`;
    const angle = size < 20 ? -90 : -45;
    return `<text class="name" transform="translate(${fixed(Number(x) + font * 0.3)},${top - 8}) rotate(${angle})"><title>${escapeHtml(name)}</title>${text}</text>`;
  });
  const grid = shown.length <= 40 ? gridLines(shown.length, size, left, top) : '';
  return [
    `<svg class="confusion" viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(height)}" style="max-width:${Math.ceil(width)}px" role="img" aria-label="Confusion matrix of ${count(shown.length)} classes" font-size="${fixed(font)}">`,
    `<text class="axis-name" x="${left - 8}" y="12" font-size="11" text-anchor="end">predicted →</text>`,
    `<text class="axis-name" transform="translate(12,${fixed(top + side)}) rotate(-90)" font-size="11">true class →</text>`,
    `<rect class="field" x="${left}" y="${top}" width="${side}" height="${side}"/>`,
    grid,
    ...columnNames,
    ...rowNames,
    ...cells,
    '</svg>',
  ].join('');
}

interface Cell {
  readonly r: number;
  readonly c: number;
  readonly actual: number;
  readonly predicted: number;
  readonly hits: number;
  readonly total: number;
  readonly worst: number;
  readonly size: number;
  readonly numbers: boolean;
  readonly left: number;
  readonly top: number;
}

function cell(confusion: Confusion, at: Cell): string {
  const share = at.hits / at.total;
  const right = at.actual === at.predicted;
  // The root lifts small shares: one image in a hundred should tint its cell.
  const strength = right ? 0.08 + 0.92 * share : 0.05 + 0.95 * Math.sqrt(share / at.worst);
  const gap = at.size >= 16 ? 1 : 0.5;
  const x = at.left + at.c * at.size;
  const y = at.top + at.r * at.size;
  const actual = confusion.classes[at.actual] ?? '';
  const predicted = confusion.classes[at.predicted] ?? '';
  const tip = right
    ? `${actual}: right\n${count(at.hits)} of ${count(at.total)} · ${percent(share)}`
    : `${actual} → ${predicted}\n${count(at.hits)} of ${count(at.total)} · ${percent(share)}`;
  const box = `<rect class="${right ? 'hit' : 'miss'}" x="${fixed(x + gap / 2)}" y="${fixed(y + gap / 2)}" width="${fixed(at.size - gap)}" height="${fixed(at.size - gap)}" rx="${at.size >= 24 ? 3 : at.size >= 14 ? 1.5 : 0}" fill-opacity="${strength.toFixed(2)}" data-tip="${escapeHtml(tip)}"/>`;
  if (!at.numbers) return box;
  const digits = count(at.hits);
  const font = Math.min(13, (at.size - 6) / (digits.length * 0.6), at.size * 0.42);
  return `${box}<text class="hits${strength > 0.55 ? ' on' : ''}" x="${fixed(x + at.size / 2)}" y="${fixed(y + at.size / 2)}" dy=".34em" text-anchor="middle" font-size="${fixed(font)}">${digits}</text>`;
}

/** 84 units for up to four classes; at 100 classes still 8.5 units, one readable line of text. */
function cellSize(classes: number): number {
  return Math.max(8.5, Math.min(classes <= 4 ? 84 : 56, 680 / Math.max(1, classes), classes > 40 ? 12 : 84));
}

function gridLines(classes: number, size: number, left: number, top: number): string {
  const side = classes * size;
  let d = '';
  for (let i = 1; i < classes; i++) {
    const at = fixed(i * size);
    d += `M${fixed(left + Number(at))},${top}v${fixed(side)}M${left},${fixed(top + Number(at))}h${fixed(side)}`;
  }
  return `<path class="grid" d="${d}"/>`;
}

function rowOf({ classes, counts }: Confusion, actual: number): number[] {
  return classes.map((_, predicted) => counts[actual * classes.length + predicted] ?? 0);
}

function shorten(name: string, characters: number): string {
  return name.length <= characters ? name : `${name.slice(0, Math.max(1, characters - 1))}…`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function fixed(value: number): string {
  return Number(value.toFixed(1)).toString();
}
