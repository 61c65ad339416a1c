/** Two square plots of the probabilities: the reliability diagram, and the ROC curve of each class.
 *  Pure functions from scores to SVG; colours come from the page's style sheet. */

import type { Calibration } from './calibration.ts';
import { count, escapeHtml, percent } from './report-format.ts';
import type { RocPoint } from './roc.ts';

const plot = { size: 420, left: 58, top: 12, side: 340 } as const;

/** Accuracy of each bin of confidence; the diagonal is what a perfectly calibrated network would show. */
export function reliabilityDiagram({ bins }: Calibration): string {
  const most = Math.max(1, ...bins.map(({ images }) => images));
  const [x, y] = scales([0, 1], [0, 1]);
  const bars = bins.flatMap((bin) => {
    if (bin.images === 0) return [];
    const [left, width] = [x(bin.low) + 1, x(bin.high) - x(bin.low) - 2];
    const [right, said] = [y(bin.accuracy), y(bin.confidence)];
    const tip = `said ${percent(bin.confidence)}\nwas right ${percent(bin.accuracy)}\n${count(bin.images)} images`;
    // Bins with few images say little: they are drawn paler.
    const strength = 0.25 + 0.75 * Math.sqrt(bin.images / most);
    return [
      `<g data-tip="${escapeHtml(tip)}"><rect class="bar" x="${fixed(left)}" y="${fixed(Math.max(right, said))}" width="${fixed(width)}" height="${fixed(y(0) - Math.max(right, said))}" fill-opacity="${strength.toFixed(2)}"/>` +
        `<rect class="gap" x="${fixed(left)}" y="${fixed(Math.min(right, said))}" width="${fixed(width)}" height="${fixed(Math.abs(said - right))}"/></g>`,
    ];
  });
  return square(
    'Reliability diagram',
    'confidence',
    'was right',
    [0, 1],
    [0, 1],
    [...bars, `<path class="diagonal" d="M${x(0)},${y(0)}L${x(1)},${y(1)}"/>`],
  );
}

export interface NamedCurve {
  readonly name: string;
  readonly auc: number;
  readonly points: readonly RocPoint[];
}

/** Classes whose curves are drawn in colour: those with the least area. */
const coloured = 3;

/**
 * All curves in one square, the worst in colour. Where all of them hug the corner, only the corner is shown.
 *
 * @param curves those with points; may be none
 */
export function rocChart(curves: readonly NamedCurve[]): string {
  const shown = curves.filter(({ points }) => points.length > 0).sort((a, b) => b.auc - a.auc || 0);
  const good = shown.every(({ points }) => rateAt(points, 0.2) > 0.8);
  const [xs, ys]: Range[] = good
    ? [
        [0, 0.2],
        [0.8, 1],
      ]
    : [
        [0, 1],
        [0, 1],
      ];
  const [x, y] = scales(xs, ys);
  const lines = shown.map(({ name, auc, points }, i) => {
    const rank = shown.length - 1 - i;
    const style = rank < coloured ? `line c${rank + 1}` : 'line other';
    const d = points.map((point, at) => `${at === 0 ? 'M' : 'L'}${fixed(x(point.x))},${fixed(y(point.y))}`).join('');
    return `<path class="${style}" data-tip="${escapeHtml(`${name}\nAUC ${auc.toFixed(4)}`)}" d="${d}"/>`;
  });
  const worst = shown.slice(-coloured).reverse();
  const key = worst.map(
    ({ name, auc }, i) =>
      `<text class="end c${i + 1}" x="${plot.left + plot.side - 10}" y="${plot.top + plot.side - 14 - 18 * (worst.length - 1 - i)}" text-anchor="end">${escapeHtml(shorten(name))} ${auc.toFixed(3)}</text>`,
  );
  const clip = `<clipPath id="roc-field"><rect x="${plot.left}" y="${plot.top}" width="${plot.side}" height="${plot.side}"/></clipPath>`;
  return square('ROC curves', 'false positive rate', 'true positive rate', xs, ys, [
    clip,
    `<g clip-path="url(#roc-field)"><path class="diagonal" d="M${x(0)},${y(0)}L${x(1)},${y(1)}"/>${lines.join('')}</g>`,
    ...key,
  ]);
}

type Range = readonly [low: number, high: number];

/** The true positive rate that a curve has reached at a false positive rate. */
function rateAt(points: readonly RocPoint[], rate: number): number {
  return points.reduce((best, point) => (point.x <= rate ? Math.max(best, point.y) : best), 0);
}

function scales([xLow, xHigh]: Range, [yLow, yHigh]: Range) {
  return [
    (value: number) => plot.left + ((value - xLow) / (xHigh - xLow)) * plot.side,
    (value: number) => plot.top + plot.side - ((value - yLow) / (yHigh - yLow)) * plot.side,
  ] as const;
}

function square(title: string, xName: string, yName: string, xs: Range, ys: Range, content: readonly string[]): string {
  const [x, y] = scales(xs, ys);
  const bottom = plot.top + plot.side;
  const steps = Array.from({ length: 6 }, (_, i) => i / 5);
  const grid = steps.map((part) => {
    const [xv, yv] = [xs[0] + part * (xs[1] - xs[0]), ys[0] + part * (ys[1] - ys[0])];
    return (
      `<line class="grid" x1="${plot.left}" x2="${plot.left + plot.side}" y1="${fixed(y(yv))}" y2="${fixed(y(yv))}"/>` +
      `<text class="tick" x="${plot.left - 8}" y="${fixed(y(yv))}" dy=".32em" text-anchor="end">${percent(yv, 0)}</text>` +
      `<text class="tick" x="${fixed(x(xv))}" y="${bottom + 18}" text-anchor="middle">${percent(xv, 0)}</text>`
    );
  });
  return [
    `<svg class="chart square" viewBox="0 0 ${plot.size} ${plot.size - 14}" role="img" aria-label="${title}">`,
    ...grid,
    `<line class="axis" x1="${plot.left}" x2="${plot.left + plot.side}" y1="${bottom}" y2="${bottom}"/>`,
    ...content,
    `<text class="axis-name" x="${plot.left + plot.side}" y="${bottom + 40}" text-anchor="end">${xName} →</text>`,
    `<text class="axis-name" transform="translate(12,${bottom}) rotate(-90)">${yName} →</text>`,
    '</svg>',
  ].join('');
}

function shorten(name: string): string {
  return name.length <= 24 ? name : `${name.slice(0, 23)}…`;
}

function fixed(value: number): string {
  return Number(value.toFixed(1)).toString();
}
