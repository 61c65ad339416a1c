// The shape of the bench's result: what machines read, and that the table says the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportOf, tableOf } from './report.ts';
import { describeWork, median, workOf } from './work.ts';

const ours = { name: 'jit', version: '1', imagesPerSecond: 90, peakBytes: 2 ** 30 };
const peers = [{ name: 'pytorch', version: '1.13.0', imagesPerSecond: 45, peakBytes: 2 ** 31, note: 'a note' }];

test('the object has exactly the promised fields, and the ratio is ours over the peer', () => {
  assert.deepEqual(reportOf(workOf('train', 'cifar', 2), ours, peers), {
    work: 'training, cifar stem, 32×32, batch 128',
    threads: 2,
    ours: { imagesPerSecond: 90, peakBytes: 2 ** 30 },
    peers: [{ name: 'pytorch', imagesPerSecond: 45, peakBytes: 2 ** 31, ratio: 2 }],
  });
});

test('the table shows medians, ratios and memory', () => {
  const table = tableOf(workOf('infer', 'imagenet', 1, 8), 3, ours, peers);
  assert.match(table, /^inference, imagenet stem, 224×224, batch 8, 1 thread; medians of 3 rounds\n/);
  assert.match(table, /jit 1 +90\.0 +1024 MiB/);
  assert.match(table, /pytorch 1\.13\.0 +45\.0 +2\.00× +2048 MiB +a note/);
});

test('the usual batches', () => {
  assert.equal(describeWork(workOf('infer', 'cifar', 2)), 'inference, cifar stem, 32×32, batch 16');
  assert.equal(describeWork(workOf('train', 'imagenet', 2)), 'training, imagenet stem, 224×224, batch 16');
});

test('the median of an even number of values is the mean of the middle two', () => {
  assert.equal(median([4, 1, 100]), 4);
  assert.equal(median([4, 1, 100, 6]), 5);
});
