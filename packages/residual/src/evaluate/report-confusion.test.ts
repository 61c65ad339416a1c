/** The heat map: every count is there for any number of classes, and names cannot break the page. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { confusedPairs, confusionMatrix, shownClasses, worstShare } from './report-confusion.ts';

const classes = ['cat', 'dog', 'fox'];
// biome-ignore format: a matrix
const counts = [
  8, 2, 0,
  1, 9, 0,
  0, 5, 5,
];

test('the most frequent confusions come first, with their share of the true class', () => {
  assert.deepEqual(confusedPairs({ classes, counts }, 2), [
    { actual: 2, predicted: 1, count: 5, share: 0.5 },
    { actual: 0, predicted: 1, count: 2, share: 0.2 },
  ]);
  assert.equal(worstShare({ classes, counts }), 0.5);
});

test('the strongest orange is at least a tenth, so that few mistakes do not look like many', () => {
  assert.equal(worstShare({ classes: ['a', 'b'], counts: [99, 1, 0, 100] }), 0.1);
});

test('each count that is not 0 is a cell with a number and a tip', () => {
  const svg = confusionMatrix({ classes, counts });
  assert.equal([...svg.matchAll(/class="hit"/g)].length, 3);
  assert.equal([...svg.matchAll(/class="miss"/g)].length, 3);
  assert.match(svg, /data-tip="fox → dog\n5 of 10 · 50\.0 %"/);
  assert.match(svg, />9<\/text>/);
});

test('two to a hundred classes fit a page; more show those with the most mistakes', () => {
  for (const n of [2, 10, 37, 100, 250]) {
    const names = Array.from({ length: n }, (_, i) => `class number ${i}`);
    const many = new Int32Array(n * n);
    for (let i = 0; i < n; i++) many[i * n + i] = 10;
    // The last class is the one with a mistake.
    many[n * n - 2] = 3;
    const shown = shownClasses({ classes: names, counts: many });
    assert.equal(shown.length, Math.min(n, 100));
    assert.ok(shown.includes(n - 1) && shown.includes(n - 2));
    const svg = confusionMatrix({ classes: names, counts: many });
    const width = Number(/viewBox="0 0 (\d+)/.exec(svg)?.[1]);
    assert.ok(width > 0 && width <= 1120, `${n} classes are ${width} wide`);
    assert.doesNotMatch(svg, /NaN|undefined/);
  }
});

test('a class without images and names with markup are drawn', () => {
  const svg = confusionMatrix({ classes: ['<script>', 'b"'], counts: [0, 0, 1, 1] });
  assert.doesNotMatch(svg, /<script>|NaN/);
  assert.match(svg, /&lt;script&gt;/);
});
