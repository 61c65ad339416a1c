/** Line charts as pure functions: data in, an SVG string out.
 *  Colours come from CSS classes (`c1`, `c2`, …) so that one drawing serves light, dark and paper. */

import { escapeHtml } from './report-format.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The extremes of the raw values that a thinned point stands for. */
export interface Band {
  readonly x: number;
  readonly low: number;
  readonly high: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** Which of the page's colours, 1 to 3. */
  readonly color: 1 | 2 | 3;
  /** Dots mark values that were measured one by one, such as a validation after each epoch. */
  readonly dots?: boolean;
  /** The spread of raw values behind a smoothed line. */
  readonly band?: readonly Band[];
}

export interface LineChart {
  /** Read out by screen readers, and shown above the chart by the page. */
  readonly title: string;
  readonly xLabel: string;
  readonly series: readonly Series[];
  /** Writes a y value in tooltips and at the line's end. */
  readonly format: (y: number) => string;
  /** Writes a y value beside the axis, knowing the distance between two ticks. Default: plain decimals. */
  readonly tickFormat?: (y: number, step: number) => string;
  /** Fixed limits of the y axis; the data decides where one is missing. */
  readonly low?: number;
  readonly high?: number;
  /** Where the x axis ends, if after the last point. */
  readonly xHigh?: number;
  /** In SVG units, which are CSS pixels at the natural size. Default 520 × 260. */
  readonly width?: number;
  readonly height?: number;
}

/** The plot's margins in SVG units; the right one holds the names of the lines. */
const margin = { top: 14, right: 92, bottom: 38, left: 52 } as const;

/**
 * Round numbers between `low` and `high`, both included where they are round: multiples of 1, 2 or 5 times a
 * power of ten, about `most` of them and never more than `most` + 1. With `whole`, the step is at least 1.
 */
export function ticks(low: number, high: number, most = 5, whole = false): number[] {
  if (!Number.isFinite(low) || !Number.isFinite(high) || high <= low) return Number.isFinite(low) ? [low] : [];
  const step = tickStep(low, high, most, whole);
  const first = Math.ceil(low / step - 1e-6);
  const last = Math.floor(high / step + 1e-6);
  const values: number[] = [];
  for (let i = first; i <= last; i++) values.push(Number((i * step).toPrecision(12)));
  return values;
}

/** The distance between two ticks of `ticks` with the same arguments. */
export function tickStep(low: number, high: number, most = 5, whole = false): number {
  const raw = (high - low) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(raw) + 1e-9);
  const factor = [1, 2, 5].find((candidate) => candidate * power >= raw * (1 - 1e-9)) ?? 10;
  const step = factor * power;
  return whole ? Math.max(1, step) : step;
}

/** Decimals enough to tell neighbouring ticks apart, and no more. */
export function tickText(value: number, step: number): string {
  if (value === 0) return '0';
  if (Math.abs(step) < 1e-5) return value.toExponential(1).replace('.0e', 'e');
  const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/**
 * A centred weighted mean over `radius` values on either side (weights fall linearly to the edge), so that the
 * line does not lag behind the data as an exponential mean does. Values that are not finite are left out.
 */
export function smooth(values: readonly number[], radius: number): number[] {
  const reach = Math.max(0, Math.floor(radius));
  return values.map((_, centre) => {
    let sum = 0;
    let weights = 0;
    for (let i = Math.max(0, centre - reach); i <= Math.min(values.length - 1, centre + reach); i++) {
      const value = values[i] ?? Number.NaN;
      if (!Number.isFinite(value)) continue;
      const weight = 1 - Math.abs(i - centre) / (reach + 1);
      sum += weight * value;
      weights += weight;
    }
    return weights > 0 ? sum / weights : Number.NaN;
  });
}

/** Cuts a long line into at most `most` neighbouring groups: their means, and the extremes as a band. */
export function thin(points: readonly Point[], most: number): { points: Point[]; band: Band[] } {
  const finite = points.filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  const groups = Math.min(most, finite.length);
  const thinned: Point[] = [];
  const band: Band[] = [];
  for (let group = 0; group < groups; group++) {
    const members = finite.slice(
      Math.floor((group * finite.length) / groups),
      Math.floor(((group + 1) * finite.length) / groups),
    );
    const x = members.reduce((sum, point) => sum + point.x, 0) / members.length;
    const ys = members.map((point) => point.y);
    thinned.push({ x, y: ys.reduce((sum, y) => sum + y, 0) / ys.length });
    band.push({ x, low: Math.min(...ys), high: Math.max(...ys) });
  }
  return { points: thinned, band };
}

/** One measured series as its smoothed line over the spread of its raw values. */
export function smoothed(name: string, color: Series['color'], points: readonly Point[], most = 240): Series {
  const radius = Math.max(1, Math.round(points.length / 60));
  const ys = smooth(
    points.map((point) => point.y),
    radius,
  );
  const line = thin(
    points.map((point, i) => ({ x: point.x, y: ys[i] ?? Number.NaN })),
    most,
  );
  // Each piece of the band spans several raw values, or there would be no spread to see.
  const pieces = Math.min(most, Math.max(1, Math.floor(points.length / 6)));
  return { name, color, points: line.points, band: thin(points, pieces).band };
}

/** Draws the chart. A chart without a single finite point says so instead of showing empty axes. */
export function lineChart(chart: LineChart): string {
  const width = chart.width ?? 520;
  const height = chart.height ?? 260;
  const right = width - margin.right;
  const bottom = height - margin.bottom;
  const series = chart.series.map((one) => ({ ...one, points: one.points.filter(isFinitePoint) }));
  const points = series.flatMap((one) => one.points);
  const open = `<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(chart.title)}"`;
  if (points.length === 0) {
    return `${open}><text class="empty" x="${width / 2}" y="${height / 2}" text-anchor="middle">nothing recorded</text></svg>`;
  }

  const xs = points.map((point) => point.x);
  const [xLow, xHigh] = widen(Math.min(0, ...xs), Math.max(chart.xHigh ?? 0, ...xs));
  const [yLow, yHigh] = yRange(chart, points);
  const x = (value: number) => margin.left + ((value - xLow) / (xHigh - xLow)) * (right - margin.left);
  const y = (value: number) => bottom - ((value - yLow) / (yHigh - yLow)) * (bottom - margin.top);

  const step = tickStep(yLow, yHigh);
  const label = chart.tickFormat ?? tickText;
  const rows = ticks(yLow, yHigh).map((value) => {
    const at = fixed(y(value));
    return (
      `<line class="grid" x1="${margin.left}" x2="${right}" y1="${at}" y2="${at}"/>` +
      `<text class="tick" x="${margin.left - 9}" y="${at}" dy=".32em" text-anchor="end">${escapeHtml(label(value, step))}</text>`
    );
  });
  const most = Math.max(2, Math.floor((right - margin.left) / 56));
  const whole = xHigh >= 2;
  const columns = ticks(xLow, xHigh, most, whole).map((value) => {
    const at = fixed(x(value));
    const text = tickText(value, tickStep(xLow, xHigh, most, whole));
    return (
      `<line class="axis" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 4}"/>` +
      `<text class="tick" x="${at}" y="${bottom + 17}" text-anchor="middle">${text}</text>`
    );
  });

  const id = clipId(chart.title);
  const bands = series.map((one) => bandPath(one, x, y));
  const lines = series.map((one) => linePath(one, x, y));
  const names = endLabels(series, chart.format, y, margin.top + 8, bottom);
  const hover = { left: margin.left, right, series: series.map((one) => hoverData(one, chart, x, y)) };
  return [
    `${open} data-chart="${escapeHtml(JSON.stringify(hover))}">`,
    `<clipPath id="${id}"><rect x="${margin.left}" y="${margin.top - 4}" width="${right - margin.left + 4}" height="${bottom - margin.top + 8}"/></clipPath>`,
    ...rows,
    `<line class="axis" x1="${margin.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    ...columns,
    `<text class="axis-name" x="${right}" y="${height - 4}" text-anchor="end">${escapeHtml(chart.xLabel)}</text>`,
    `<g clip-path="url(#${id})">`,
    ...bands,
    ...lines,
    '</g>',
    ...names.map(
      (name) =>
        `<text class="end c${name.color}" x="${right + 9}" y="${fixed(name.y)}"><tspan class="end-value">${escapeHtml(name.value)}</tspan>` +
        `<tspan x="${right + 9}" dy="13">${escapeHtml(name.name)}</tspan></text>`,
    ),
    `<line class="rule" y1="${margin.top}" y2="${bottom}"/>`,
    '</svg>',
  ].join('');
}

function isFinitePoint(point: Point): boolean {
  return Number.isFinite(point.x) && Number.isFinite(point.y);
}

function widen(low: number, high: number): readonly [number, number] {
  if (high > low) return [low, high];
  const room = Math.abs(high) > 0 ? Math.abs(high) * 0.1 : 1;
  return [low, high + room];
}

/** The lines decide; a single spike (the first steps' losses) is cut off rather than allowed to flatten the rest. */
function yRange(chart: LineChart, points: readonly Point[]): readonly [number, number] {
  const ys = points.map((point) => point.y).sort((a, b) => a - b);
  const at = (fraction: number) => ys[Math.round(fraction * (ys.length - 1))] ?? 0;
  let low = chart.low ?? at(0);
  let high = at(1);
  if (ys.length > 40) high = Math.min(high, at(0.99) + 0.5 * (at(0.99) - low));
  // The band adds context: a fifth more room for it, never more.
  const bandHigh = Math.max(high, ...chart.series.flatMap((one) => (one.band ?? []).map((band) => band.high)));
  if (Number.isFinite(bandHigh)) high = Math.min(bandHigh, high + 0.2 * (high - low));
  high = Math.min(chart.high ?? Number.POSITIVE_INFINITY, high);
  if (!(high > low)) {
    const room = Math.max(Math.abs(high) * 0.1, 1e-3);
    high = Math.min(chart.high ?? Number.POSITIVE_INFINITY, high + room);
    low = chart.low ?? low - room;
    if (!(high > low)) low = high - room;
  }
  const step = tickStep(low, high);
  const floor = Math.floor(low / step + 1e-6) * step;
  const ceiling = Math.ceil(high / step - 1e-6) * step;
  return [Math.max(chart.low ?? floor, floor), Math.min(chart.high ?? ceiling, ceiling)];
}

type Scale = (value: number) => number;

function linePath(series: Series, x: Scale, y: Scale): string {
  if (series.points.length === 0) return '';
  const d = series.points.map((point, i) => `${i === 0 ? 'M' : 'L'}${fixed(x(point.x))},${fixed(y(point.y))}`).join('');
  const line = `<path class="line c${series.color}" d="${d}"/>`;
  if (series.dots !== true && series.points.length > 1) return line;
  const radius = series.points.length > 60 ? 1.6 : series.points.length > 25 ? 2.4 : 3.2;
  const dots = series.points.map(
    (point) =>
      `<circle class="dot c${series.color}" cx="${fixed(x(point.x))}" cy="${fixed(y(point.y))}" r="${radius}"/>`,
  );
  return line + dots.join('');
}

function bandPath(series: Series, x: Scale, y: Scale): string {
  const band = series.band ?? [];
  if (band.length < 2) return '';
  const top = band.map((one, i) => `${i === 0 ? 'M' : 'L'}${fixed(x(one.x))},${fixed(y(one.high))}`);
  const back = [...band].reverse().map((one) => `L${fixed(x(one.x))},${fixed(y(one.low))}`);
  return `<path class="band c${series.color}" d="${top.join('')}${back.join('')}Z"/>`;
}

/** Names the lines at their right ends, pushed apart where two ends meet. Two text lines of 13 units each. */
function endLabels(
  series: readonly Series[],
  format: (y: number) => string,
  y: Scale,
  top: number,
  bottom: number,
): { name: string; value: string; color: number; y: number }[] {
  const gap = 32;
  const labels = series.flatMap((one) => {
    const last = one.points.at(-1);
    return last === undefined
      ? []
      : [
          {
            name: one.name,
            value: format(last.y),
            color: one.color,
            y: Math.min(bottom - 12, Math.max(top, y(last.y))),
          },
        ];
  });
  labels.sort((a, b) => a.y - b.y);
  for (const [i, one] of labels.entries()) {
    const above = labels[i - 1];
    if (above !== undefined) one.y = Math.max(one.y, above.y + gap);
  }
  let limit = bottom - 12;
  for (const one of [...labels].reverse()) {
    one.y = Math.min(one.y, limit);
    limit = one.y - gap;
  }
  return labels;
}

/** What the page's script needs to show values under the pointer: [pixel x, pixel y, "12.4", "0.31"] per point. */
function hoverData(series: Series, chart: LineChart, x: Scale, y: Scale): object {
  return {
    name: series.name,
    color: series.color,
    points: series.points.map((point) => [
      Number(fixed(x(point.x))),
      Number(fixed(y(point.y))),
      `${chart.xLabel} ${Number(point.x.toFixed(2))}`,
      chart.format(point.y),
    ]),
  };
}

/** One decimal is a tenth of a pixel. */
function fixed(value: number): string {
  return Number(value.toFixed(1)).toString();
}

function clipId(title: string): string {
  return `clip-${title.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;
}
