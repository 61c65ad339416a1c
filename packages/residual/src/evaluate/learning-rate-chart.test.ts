import assert from 'node:assert/strict';
import { test } from 'node:test';
import { learningRateChart } from './learning-rate-chart.ts';

/** A loss that falls from 2.3 to 0.9 and explodes. */
const points = Array.from({ length: 61 }, (_, i) => {
  const learningRate = 10 ** (-5 + i / 10);
  const smoothed = 2.3 - 1.4 / (1 + Math.exp(-2.2 * (Math.log10(learningRate) + 2.4))) + 40 * learningRate ** 3;
  return { learningRate, loss: smoothed + 0.15 * Math.sin(7 * i), smoothed };
});

test('the curve has a decade per tick, the suggestion at its place, and no point outside the plot', () => {
  const svg = learningRateChart({ points, exploded: true, suggested: 0.02 });
  for (const text of ['>1e-5<', '>0.001<', '>1<', 'suggested: 0.02', 'learning rate'])
    assert.ok(svg.includes(text), text);
  const x = Number(/class="mark" x1="([\d.]+)"/.exec(svg)?.[1]);
  assert.ok(Math.abs(x - (60 + ((Math.log10(0.02) + 5) / 6) * 556)) < 0.1, `${x}`);
  const path = /class="line" d="([^"]+)"/.exec(svg)?.[1] ?? '';
  const places = path
    .slice(1)
    .split('L')
    .map((place) => place.split(',').map(Number));
  assert.equal(places.length, 61);
  for (const [px = -1, py = -1] of places) assert.ok(px >= 60 && px <= 616 && py >= 44 && py <= 312, `${px} ${py}`);
  // The lowest loss is the lowest point of the line.
  const lowest = points.reduce((best, { smoothed }, i) => (smoothed < (points[best]?.smoothed ?? 9) ? i : best), 0);
  assert.equal(Math.max(...places.map(([, py = 0]) => py)), places[lowest]?.[1]);
});

test('a range without an explosion says so, and one without points draws nothing', () => {
  assert.match(learningRateChart({ points, exploded: false, suggested: undefined }), /test higher rates/);
  assert.doesNotMatch(learningRateChart({ points, exploded: true, suggested: undefined }), /suggested/);
  assert.match(learningRateChart({ points: [], exploded: true, suggested: undefined }), /nothing was measured/);
});
