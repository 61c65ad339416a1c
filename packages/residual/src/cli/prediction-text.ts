/** Predictions as lines of text: the most probable classes with bars.
 *  Pure functions. */

import { percent } from '../evaluate/report-format.ts';
import type { Style } from './style.ts';
import { shorten } from './table.ts';

export interface RankedClass {
  readonly name: string;
  readonly probability: number;
}

/** The `top` most probable classes, the most probable first; the first of equals. */
export function ranked(probabilities: ArrayLike<number>, classes: readonly string[], top: number): RankedClass[] {
  return classes
    .map((name, i) => ({ name, probability: probabilities[i] ?? 0 }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, top);
}

/**
 * The lines for one picture. With `top` of 1 it is one line; else the file's name and a line with a bar per class.
 *
 * @param note stands behind the file's name
 */
export function predictionLines(
  file: string,
  probabilities: ArrayLike<number>,
  classes: readonly string[],
  top: number,
  style: Style,
  note = '',
): string[] {
  const best = ranked(probabilities, classes, top);
  const aside = note === '' ? '' : style.dim(`  ${note}`);
  const [first] = best;
  if (top === 1 && first !== undefined) {
    return [`  ${file}: ${style.bold(first.name)} ${percent(first.probability)}${aside}`];
  }
  const width = Math.min(40, Math.max(...best.map(({ name }) => [...name].length)));
  const lines = best.map(({ name, probability }, i) => {
    const text = shorten(name, width).padEnd(width);
    const share = percent(probability).padStart(7);
    return `  ${i === 0 ? style.bold(text) : text}  ${share}  ${probabilityBar(probability, 24, style)}`.trimEnd();
  });
  return [`${file}${aside}`, ...lines];
}

/** A bar of at most `width` columns, in eighths of a column where the terminal can show them. */
export function probabilityBar(probability: number, width: number, style: Style): string {
  const part = Math.min(1, Math.max(0, Number.isFinite(probability) ? probability : 0));
  if (!style.unicode) return '#'.repeat(Math.round(part * width));
  const eighths = Math.round(part * width * 8);
  const rest = ' ▏▎▍▌▋▊▉'[eighths % 8] ?? '';
  return style.cyan(`${'█'.repeat(eighths >> 3)}${rest.trim()}`);
}
