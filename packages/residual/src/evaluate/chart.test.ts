/** Charts: axes that people can read, lines that go where the data is, and no breaking on odd data. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineChart, smooth, smoothed, thin, tickStep, ticks, tickText } from './chart.ts';

test('ticks are round numbers inside the range', () => {
  assert.deepEqual(ticks(0, 10), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(ticks(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks(0.62, 0.95), [0.7, 0.8, 0.9]);
  assert.deepEqual(ticks(0, 0.1), [0, 0.02, 0.04, 0.06, 0.08, 0.1]);
  assert.deepEqual(ticks(0, 3, 5, true), [0, 1, 2, 3]);
  assert.deepEqual(ticks(-3, 7, 5), [-2, 0, 2, 4, 6]);
});

test('there are never more ticks than asked for and one, over ten powers of ten', () => {
  for (let power = -5; power <= 5; power++) {
    for (const high of [1, 1.3, 2.2, 4.9, 7, 9.99]) {
      const values = ticks(0, high * 10 ** power, 5);
      assert.ok(values.length >= 3 && values.length <= 6, `${high}e${power}: ${values}`);
    }
  }
});

test('ticks of ranges without a length do not loop or throw', () => {
  assert.deepEqual(ticks(3, 3), [3]);
  assert.deepEqual(ticks(Number.NaN, 1), []);
  assert.deepEqual(ticks(0, Number.POSITIVE_INFINITY), [0]);
});

test('tick texts have the decimals that tell neighbours apart', () => {
  assert.equal(tickText(0.5, 0.1), '0.5');
  assert.equal(tickText(20_000, 5000), '20,000');
  assert.equal(tickText(0, 0.1), '0');
  assert.equal(tickText(2e-7, 1e-7), '2e-7');
  assert.equal(tickStep(0, 1, 5), 0.2);
});

test('smoothing keeps a constant, keeps the place of a peak, and passes over values that are not finite', () => {
  assert.deepEqual(smooth([2, 2, 2, 2], 2), [2, 2, 2, 2]);
  const peak = smooth([0, 0, 0, 9, 0, 0, 0], 2);
  assert.equal(peak.indexOf(Math.max(...peak)), 3);
  assert.deepEqual(smooth([1, Number.NaN, 1], 1), [1, 1, 1]);
  assert.ok(Number.isNaN(smooth([Number.NaN], 1)[0]));
});

test('thinning keeps the mean and the extremes', () => {
  const points = Array.from({ length: 1000 }, (_, i) => ({ x: i, y: i % 2 }));
  const { points: thinned, band } = thin(points, 10);
  assert.equal(thinned.length, 10);
  assert.ok(thinned.every((point) => point.y === 0.5));
  assert.ok(band.every(({ low, high }) => low === 0 && high === 1));
  assert.deepEqual(thin([{ x: 0, y: Number.NaN }], 10).points, []);
});

const format = (y: number) => y.toFixed(2);

test('a line goes from the left axis to the right edge, larger values higher', () => {
  const svg = lineChart({
    title: 'T',
    xLabel: 'epoch',
    format,
    series: [
      {
        name: 'a',
        color: 1,
        points: [
          { x: 0, y: 0 },
          { x: 10, y: 1 },
        ],
      },
    ],
  });
  const path = /class="line c1" d="M([\d.]+),([\d.]+)L([\d.]+),([\d.]+)"/.exec(svg);
  assert.ok(path, svg);
  const [x0, y0, x1, y1] = path.slice(1).map(Number) as [number, number, number, number];
  assert.ok(x0 < x1 && y0 > y1);
  assert.match(svg, />1\.00<\/tspan>/);
  assert.match(svg, />10<\/text>/);
});

test('one spike at the start does not flatten the rest', () => {
  const points = Array.from({ length: 200 }, (_, i) => ({ x: i, y: i === 0 ? 1000 : 1 }));
  const svg = lineChart({ title: 'T', xLabel: 'x', low: 0, format, series: [{ name: 'a', color: 1, points }] });
  const labels = [...svg.matchAll(/text-anchor="end">([\d.,]+)</g)].map((match) => Number(match[1]?.replace(',', '')));
  assert.ok(Math.max(...labels) <= 2, `the axis reaches ${Math.max(...labels)}`);
});

test('a single point, equal points and no points are drawn', () => {
  const chart = { title: 'T', xLabel: 'x', format };
  const single = lineChart({ ...chart, series: [{ name: 'a', color: 1, points: [{ x: 1, y: 0.5 }] }] });
  assert.match(single, /<circle/);
  const equal = lineChart({
    ...chart,
    high: 1,
    series: [{ name: 'a', color: 1, points: [1, 2].map((x) => ({ x, y: 1 })) }],
  });
  assert.doesNotMatch(equal, /NaN|Infinity/);
  const none = lineChart({ ...chart, series: [{ name: 'a', color: 1, points: [{ x: 1, y: Number.NaN }] }] });
  assert.match(none, /nothing recorded/);
});

test('names at the ends of lines do not overlap', () => {
  const series = ([1, 2, 3] as const).map((color) => ({
    name: `s${color}`,
    color,
    points: [0, 1].map((x) => ({ x, y: 0.5 })),
  }));
  const svg = lineChart({ title: 'T', xLabel: 'x', format, series });
  const ys = [...svg.matchAll(/class="end c\d" x="[\d.]+" y="([\d.]+)"/g)].map((match) => Number(match[1]));
  ys.sort((a, b) => a - b);
  assert.equal(ys.length, 3);
  assert.ok(
    ys.slice(1).every((y, i) => y - (ys[i] ?? 0) >= 26),
    String(ys),
  );
});

test('names are escaped', () => {
  const svg = lineChart({
    title: '<b>',
    xLabel: '"',
    format,
    series: [{ name: '<i>&', color: 1, points: [{ x: 0, y: 1 }] }],
  });
  assert.doesNotMatch(svg, /<b>|<i>/);
  assert.match(svg, /&lt;i&gt;&amp;/);
});

test('a smoothed series has a band around its line, for short runs too', () => {
  const points = Array.from({ length: 60 }, (_, i) => ({ x: i, y: i % 2 }));
  const { band = [], points: line } = smoothed('a', 1, points);
  assert.ok(band.length >= 5 && band.every(({ low, high }) => high - low === 1));
  assert.ok(line.every((point) => point.y > 0.2 && point.y < 0.8));
});
