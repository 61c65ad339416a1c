/** What the commands print: tables, predictions, evaluations. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { madeEvaluation } from '../evaluate/testing.ts';
import { evaluationJson, evaluationLines } from './evaluation-text.ts';
import { predictionLines, probabilityBar, ranked } from './prediction-text.ts';
import { quoted } from './program.ts';
import { columns, makeStyle } from './style.ts';
import { shorten, tableLines } from './table.ts';

const style = makeStyle(false);

test('columns line up, with colours too', () => {
  const head = [{ title: 'name' }, { title: 'n', align: 'right' }] as const;
  const lines = tableLines(
    head,
    [
      ['a', '1'],
      ['long name', makeStyle(true).cyan('1,000')],
    ],
    style,
  );
  assert.equal(lines[0], 'name           n');
  assert.equal(lines[1], 'a              1');
  assert.equal(columns(lines[2] ?? ''), 16);
  assert.equal(shorten('immeasurable', 5), 'imme…');
});

test('the most probable classes come first, and of equals the first', () => {
  const names = ranked([0.2, 0.6, 0.2], ['a', 'b', 'c'], 3).map(({ name }) => name);
  assert.deepEqual(names, ['b', 'a', 'c']);
  assert.equal(ranked([0.2, 0.8], ['a', 'b'], 5).length, 2);
});

test('a prediction is a line per class with its share and a bar', () => {
  const lines = predictionLines('x.png', [0.25, 0.75], ['cat', 'dog'], 2, style);
  assert.deepEqual(lines, ['x.png', '  dog   75.0 %  ██████████████████', '  cat   25.0 %  ██████']);
  assert.deepEqual(predictionLines('x.png', [0.25, 0.75], ['cat', 'dog'], 1, style), ['  x.png: dog 75.0 %']);
  assert.equal(probabilityBar(0.5, 8, makeStyle(false, false)), '####');
  assert.equal(probabilityBar(0, 8, style), '');
});

const evaluation = madeEvaluation({ loss: 0.5 });

test('an evaluation shows each class, the confusions, and the accuracy', () => {
  const text = evaluationLines(evaluation, ['cat', 'dog'], 'test', style, 80).join('\n');
  assert.match(text, /cat +88\.9 % +80\.0 % +84\.2 % +0\.9\d\d +10/);
  assert.match(text, /macro +85\.4 % +85\.0 % +85\.0 % +0\.9\d\d/);
  assert.match(text, /calibration error \d+\.\d %/);
  assert.match(text, /cat +1 +8 +2/);
  assert.match(text, /cat → dog +2 images, 20\.0 % of the class/);
  assert.match(text, /test accuracy 85\.0 %/);
  assert.match(text, /17 of 20 images/);
  assert.doesNotMatch(evaluationLines(evaluation, ['cat', 'dog'], 'test', style, 8).join('\n'), /rows: true class/);
});

test('an evaluation for machines has the names and the whole table', () => {
  const json = evaluationJson({ ...evaluation, rocAuc: Number.NaN }, ['cat', 'dog']) as Record<string, unknown>;
  const { accuracy, loss, topFive, images, classes, confusion, macro, weighted } = json;
  assert.deepEqual({ accuracy, loss, topFive, images }, { accuracy: 0.85, loss: 0.5, topFive: 1, images: 20 });
  const expected = evaluation.perClass.map((score, i) => ({ name: ['cat', 'dog'][i], ...score }));
  assert.deepEqual(classes, expected);
  assert.deepEqual(confusion, [
    [8, 2],
    [1, 9],
  ]);
  assert.deepEqual([macro, weighted], [evaluation.macro, evaluation.weighted]);
  // JSON knows no NaN.
  assert.match(JSON.stringify(json), /"rocAuc":null/);
});

test('words that a shell would change are quoted', () => {
  assert.equal(quoted('runs/first'), 'runs/first');
  assert.equal(quoted('my photos'), `'my photos'`);
  assert.equal(quoted(`it's`), `'it'\\''s'`);
});
