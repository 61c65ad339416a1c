/** The page says what was measured, loads nothing, and no name can break it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HistoryRecord } from '../train/history.ts';
import { reportPage } from './report.ts';
import type { ReportData } from './report-data.ts';
import { madeEvaluation } from './testing.ts';

const history: HistoryRecord[] = Array.from({ length: 40 }, (_, i) => ({
  type: 'step',
  step: i + 1,
  epoch: Math.floor(i / 20) + 1,
  batch: (i % 20) + 1,
  batches: 20,
  loss: 2 - i / 40,
  accuracy: i / 40,
  learningRate: 0.1,
  imagesPerSecond: i === 0 ? 0 : 90,
  seconds: i,
}));
const epoch = { type: 'epoch', loss: 1, accuracy: 0.5, learningRate: 0.1 } as const;
history.splice(20, 0, { ...epoch, epoch: 1, step: 20, validationLoss: 1.5, validationAccuracy: 0.4, seconds: 22 });
history.push({ ...epoch, epoch: 2, step: 40, validationLoss: 1.25, validationAccuracy: 0.625, seconds: 272 });

const score = { precision: 0.5, recall: 0.25, f1: 1 / 3, images: 10, rocAuc: 0.91, averagePrecision: Number.NaN };
const mistake = { index: 7, actual: 1, predicted: 0, probability: 0.98, probabilityOfTruth: 0.01 };

const data: ReportData = {
  name: 'night <run>',
  architecture: 'resnet18',
  parameters: 11_172_810,
  inputShape: [28, 28, 1],
  data: 'clothes & shoes',
  sizes: [
    ['train', 12_000],
    ['test', 20],
  ],
  classes: ['<img src=x onerror=alert(1)>', `O'Neill "boots"`],
  history,
  split: 'test',
  evaluation: madeEvaluation({
    loss: 0.2874,
    perClass: [score, { ...score, recall: 0.75 }],
    mistakes: [mistake],
  }),
  mistakes: [{ ...mistake, picture: 'data:image/png;base64,AAAA', source: 'boots/7.png' }],
  options: [['epochs', '2']],
  environment: [['processor', 'a <fast> one']],
  reproduce: ["residual train 'clothes & shoes'"],
  skipped: [{ path: 'boots/<broken>.jpg', reason: 'damaged' }],
  date: new Date('2026-01-31T14:05:00Z'),
};

test('the numbers are on the page', () => {
  const text = reportPage(data)
    .replace(/<style>.*<\/style>/s, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');
  for (const expected of [
    'test accuracy 85.0 %',
    '17 of 20',
    'test loss 0.287',
    'epochs 2 of 12,000 images',
    'training time 4 min 32 s',
    'images per second 90.0',
    'parameters 11.2 M 11,172,810',
    'resnet18 on clothes &amp; shoes: 2 classes, images of 28×28×1, 12,000 train, 20 test',
    '62.5 % validation',
    '25.0 %',
    '75.0 %',
    '98.0 %',
    '0.9100',
    'Expected calibration error',
    'boots/7.png',
    '2026-01-31 14:05 UTC',
    '1 file could not be used',
  ]) {
    assert.ok(text.includes(expected), `'${expected}' is not in: ${text}`);
  }
});

test('names are escaped wherever they stand', () => {
  const page = reportPage(data);
  for (const wrong of ['<img src=x', '<run>', '<fast>', '<broken>', `O'Neill "boots"`]) {
    assert.ok(!page.includes(wrong), `${wrong} is on the page as it is`);
  }
});

test('the page is one file: nothing is loaded from anywhere, and the browser is told so', () => {
  const page = reportPage(data);
  assert.match(page, /default-src 'none'/);
  assert.doesNotMatch(page, /(src|href)="(?!data:)|@import|url\(\s*['"]?(?!#)http|fetch\(/);
  assert.ok(page.startsWith('<!doctype html>') && page.endsWith('</html>\n'));
  assert.doesNotMatch(page, /NaN|undefined|\[object/);
});

test('a model without history, mistakes or options has a page too', () => {
  const bare = { ...data, history: [], mistakes: [], skipped: [], options: [], reproduce: [] };
  const page = reportPage(bare);
  assert.doesNotMatch(page, /How it learned|worst mistakes|Skipped files|NaN|undefined/);
  assert.match(page, /85\.0/);
});

test('a run without validation, and one that was stopped in its first step, are drawn', () => {
  const steps = history.filter((record) => record.type === 'step');
  assert.match(reportPage({ ...data, history: steps }), /How it learned/);
  assert.doesNotMatch(reportPage({ ...data, history: steps.slice(0, 1) }), /NaN|undefined/);
});
