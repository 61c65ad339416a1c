/** The frame of the search's drawings: accuracy upwards with round marks, a place from 0 to 1 to the right.
 *  Pure SVG text; colours come from the page's style. */

import { tickStep, ticks, tickText } from '../evaluate/chart.ts';
import { escapeHtml } from '../evaluate/report-format.ts';
import type { Dimension } from './space.ts';
import { placeOf, valueText } from './space.ts';

const [width, height] = [460, 270];
const margin = { top: 22, right: 16, bottom: 42, left: 52 } as const;

export interface Frame {
  /** SVG coordinates of a place from 0 to 1, and of an accuracy. */
  x(place: number): string;
  y(accuracy: number): string;
  /** A mark of the lower axis. */
  tick(place: number, text: string): string;
  /** The drawing with its content. */
  svg(content: string): string;
}

/** @param accuracies what is to be seen */
export function frame(yTitle: string, xTitle: string, accuracies: readonly number[]): Frame {
  const [least, most] = [Math.min(...accuracies, 1), Math.max(...accuracies, 0)];
  const room = Math.max(0.005, 0.06 * (most - least));
  const [low, high] = accuracies.length === 0 ? [0, 1] : [Math.max(0, least - room), Math.min(1, most + room)];
  const [right, bottom] = [width - margin.right, height - margin.bottom];
  const x = (place: number) => (margin.left + place * (right - margin.left)).toFixed(1);
  const y = (accuracy: number) => (bottom - ((accuracy - low) / (high - low)) * (bottom - margin.top)).toFixed(1);
  const step = tickStep(100 * low, 100 * high);
  const rows = ticks(100 * low, 100 * high).map(
    (value) =>
      `<line class="grid" x1="${margin.left}" x2="${right}" y1="${y(value / 100)}" y2="${y(value / 100)}"/>` +
      `<text x="${margin.left - 8}" y="${y(value / 100)}" dy=".32em" text-anchor="end">${tickText(value, step)} %</text>`,
  );
  return {
    x,
    y,
    tick: (place, text) =>
      `<line class="axis" x1="${x(place)}" x2="${x(place)}" y1="${bottom}" y2="${bottom + 4}"/>` +
      `<text x="${x(place)}" y="${bottom + 17}" text-anchor="middle">${escapeHtml(text)}</text>`,
    svg: (content) =>
      `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(`${yTitle} by ${xTitle}`)}">${rows.join('')}` +
      `<line class="axis" x1="${margin.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>` +
      `<text x="4" y="12">${escapeHtml(yTitle)}</text>` +
      `<text x="${right}" y="${height - 6}" text-anchor="end">${escapeHtml(xTitle)}</text>${content}</svg>`,
  };
}

/** Round values along a dimension, with their places. */
export function valueTicks(dimension: Dimension): readonly (readonly [place: number, text: string])[] {
  if (dimension.kind === 'choice') {
    return dimension.values.map((value) => [placeOf(dimension, value), valueText(value)] as const);
  }
  const { low, high, scale } = dimension;
  if (scale === 'linear') {
    return ticks(low, high, 6).map((value) => [placeOf(dimension, value), valueText(value)] as const);
  }
  const decades = Math.log10(high / low);
  const factors = decades > 2.5 ? [1] : decades > 1.2 ? [1, 3] : [1, 2, 5];
  const marks: (readonly [number, string])[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const factor of factors) {
      const value = Number((factor * 10 ** power).toPrecision(3));
      if (value >= low * 0.999 && value <= high * 1.001) marks.push([placeOf(dimension, value), valueText(value)]);
    }
  }
  return marks;
}
