/** The promise in small: labels planted wrongly in the embedded set come to the front of the ranking.
 *  `bench/wrong-labels.ts` does the same with all 12,000 images. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import { closeSplits } from '../data/dataset.ts';
import { fashionMnist } from '../data/node/embedded.ts';
import { subset } from '../data/subset.ts';
import { quickTraining } from './fold-training.ts';
import { labelsPage } from './labels-page.ts';
import { outOfFold } from './out-of-fold.ts';
import { plantNoise, recallAt } from './planted-noise.ts';
import { reviewParts, suspectsCsv } from './suspects.ts';

test('of 5 % wrong labels in 1,500 images, 70 % are within the top 8 %', async (t) => {
  await tf.setBackend('jit');
  const splits = await fashionMnist({ validation: 0 });
  t.after(() => closeSplits(splits));
  const rows = Int32Array.from({ length: 1500 }, (_, i) => i);
  const noise = plantNoise(splits.train.labels.subarray(0, 1500), 10, 0.05, 1);
  const dataset = subset(splits.train, rows, { labels: noise.labels });
  const others = [subset(splits.test ?? splits.train, [0, 1, 2])];
  const before = tf.memory().numTensors;
  const { probabilities, others: held } = await outOfFold(dataset, {
    ...{ folds: 2, seed: 1, others },
    training: quickTraining(dataset, { width: 8, epochs: 4, batchSize: 32 }),
  });
  assert.equal(tf.memory().numTensors, before);
  const sums = (values: Float64Array) =>
    Array.from({ length: values.length / 10 }, (_, i) => values.subarray(10 * i, 10 * i + 10).reduce((a, b) => a + b));
  for (const sum of [...sums(probabilities), ...sums(held[0])]) assert.ok(Math.abs(sum - 1) < 1e-9);

  const reviewed = reviewParts([{ part: 'train', dataset, probabilities }]);
  const recall = recallAt(0.08, reviewed.ranked, noise.planted);
  t.diagnostic(`${(100 * recall).toFixed(1)} % within the top 8 %, noise estimated at ${reviewed.review.noise}`);
  assert.ok(recall >= 0.7, String(recall));

  const [head, first] = suspectsCsv(reviewed).split('\n');
  assert.equal(head, 'sample,given,suggested,score,confidence,part');
  assert.match(first, /^train#\d+,[^,]+,[^,]+,0\.\d+,0\.\d+,train$/);
  const page = await labelsPage(reviewed, { title: '<run>', how: 'So.', pictures: 5, date: new Date(0) });
  assert.equal((page.match(/<img/g) ?? []).length, 5);
  assert.doesNotMatch(page, /<run>|undefined|NaN/);
});
