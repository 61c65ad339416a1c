/** The curve of a learning rate range test as an SVG file of its own: loss over the rate on a logarithmic axis. */

import type { LearningRateRange, RangePoint } from '../train/learning-rate-range.ts';
import { tickStep, ticks, tickText } from './chart.ts';
import { escapeHtml } from './report-format.ts';

const [WIDTH, HEIGHT] = [640, 360];
const margin = { top: 44, right: 24, bottom: 48, left: 60 } as const;

/** Colours for light and dark surroundings; the file brings them along. */
const STYLE = `
  svg{font:12px system-ui,sans-serif;background:#fff}
  text{fill:#51606e} .title{font-size:14px;font-weight:600;fill:#14202b}
  .grid{stroke:#e4e9ee} .axis{stroke:#9aa7b3} .raw{fill:#2468c4;opacity:.25}
  .line{fill:none;stroke:#2468c4;stroke-width:2} .mark{stroke:#c2410c;stroke-dasharray:4 3} .mark-name{fill:#c2410c}
  @media (prefers-color-scheme:dark){svg{background:#12181f}text{fill:#9fb0c0}.title{fill:#e8eef4}
  .grid{stroke:#25303a}.axis{stroke:#56646f}.raw,.mark-name{fill:#6ea8fe}.line{stroke:#6ea8fe}
  .mark{stroke:#fb923c}.mark-name{fill:#fb923c}}`;

/**
 * Draws a range test.
 *
 * @returns An SVG document, 640 × 360.
 * @example await writeFile('range.svg', learningRateChart(await learningRateRange(model, photos.train)))
 */
export function learningRateChart({ points, suggested, exploded }: LearningRateRange): string {
  const open =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" ` +
    `role="img" aria-label="Learning rate range test"><style>${STYLE}</style>`;
  const heading = (text: string) => `<text class="title" x="${margin.left}" y="24">${escapeHtml(text)}</text>`;
  if (points.length < 2) return `${open}${heading('Learning rate range test: nothing was measured')}</svg>`;

  const [right, bottom] = [WIDTH - margin.right, HEIGHT - margin.bottom];
  const [first, last] = [log(points[0]), log(points.at(-1))];
  const [low, high] = limitsOf(points);
  const x = (exponent: number) => margin.left + ((exponent - first) / (last - first)) * (right - margin.left);
  const y = (loss: number) => bottom - ((Math.min(loss, high) - low) / (high - low)) * (bottom - margin.top);

  const step = tickStep(low, high);
  const rows = ticks(low, high).map((loss) => {
    const at = fixed(y(loss));
    return (
      `<line class="grid" x1="${margin.left}" x2="${right}" y1="${at}" y2="${at}"/>` +
      `<text x="${margin.left - 8}" y="${at}" dy=".32em" text-anchor="end">${tickText(loss, step)}</text>`
    );
  });
  const decades = Array.from({ length: Math.floor(last) - Math.ceil(first) + 1 }, (_, i) => Math.ceil(first) + i);
  const columns = decades.map((exponent) => {
    const at = fixed(x(exponent));
    return (
      `<line class="axis" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 4}"/>` +
      `<text x="${at}" y="${bottom + 18}" text-anchor="middle">${rateText(10 ** exponent)}</text>`
    );
  });
  const dots = points
    .filter(({ loss }) => loss >= low && loss <= high)
    .map((point) => `<circle class="raw" cx="${fixed(x(log(point)))}" cy="${fixed(y(point.loss))}" r="2"/>`);
  const line = points.map((point, i) => `${i === 0 ? 'M' : 'L'}${fixed(x(log(point)))},${fixed(y(point.smoothed))}`);
  return [
    open,
    heading(`Learning rate range test${exploded ? '' : ' (the loss did not explode: test higher rates)'}`),
    ...rows,
    `<line class="axis" x1="${margin.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    ...columns,
    `<text x="${right}" y="${HEIGHT - 10}" text-anchor="end">learning rate</text>`,
    `<text x="${margin.left - 8}" y="${margin.top - 12}" text-anchor="end">loss</text>`,
    ...dots,
    `<path class="line" d="${line.join('')}"/>`,
    ...(suggested === undefined ? [] : [mark(x(Math.log10(suggested)), suggested)]),
    '</svg>',
  ].join('');

  function mark(at: number, rate: number): string {
    // The name stands on the side where there is room.
    const onLeft = at > (margin.left + right) / 2;
    return (
      `<line class="mark" x1="${fixed(at)}" x2="${fixed(at)}" y1="${margin.top}" y2="${bottom}"/>` +
      `<text class="mark-name" x="${fixed(onLeft ? at - 6 : at + 6)}" y="${bottom - 8}" ` +
      `text-anchor="${onLeft ? 'end' : 'start'}">suggested: ${rateText(rate)}</text>`
    );
  }
}

/** The mean decides, and half as much again above it; the explosion is cut off at the top, the lowest batches below. */
function limitsOf(points: readonly RangePoint[]): readonly [low: number, high: number] {
  const means = points.map(({ smoothed }) => smoothed);
  const [least, first] = [Math.min(...means), means[0] ?? 1];
  const high = Math.min(Math.max(...means), Math.max(first, least) + 0.5 * (first - least) + 0.1 * first);
  const losses = points.map(({ loss }) => loss).sort((a, b) => a - b);
  const lowBatch = losses[Math.floor(0.03 * losses.length)] ?? least;
  const low = Math.max(0, Math.min(lowBatch, least) - 0.1 * (high - least));
  return [low, high > low ? high : low + Math.max(1e-3, Math.abs(low) * 0.1)];
}

function log(point: RangePoint | undefined): number {
  return Math.log10(point?.learningRate ?? 1);
}

/** Two digits: 0.00032, 0.05, 3.2, 1e-7. */
function rateText(rate: number): string {
  return rate < 1e-4 ? rate.toExponential(1).replace('.0e', 'e') : Number(rate.toPrecision(2)).toString();
}

function fixed(value: number): string {
  return Number(value.toFixed(1)).toString();
}
