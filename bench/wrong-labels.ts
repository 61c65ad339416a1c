/**
 * `node bench/wrong-labels.ts`: 5 % wrong labels are planted in the embedded set, and the doctor looks for them.
 * Prints how many it finds among its first suspects; ends with 1 below 80 % within the top 8 %.
 */
import 'tfjs-backend-jit';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { closeSplits } from '../packages/residual/src/data/dataset.ts';
import { fashionMnist } from '../packages/residual/src/data/node/embedded.ts';
import { subset } from '../packages/residual/src/data/subset.ts';
import { rankings, reviewLabels } from '../packages/residual/src/doctor/confident-learning.ts';
import { quickTraining } from '../packages/residual/src/doctor/fold-training.ts';
import { outOfFold } from '../packages/residual/src/doctor/out-of-fold.ts';
import { plantNoise, recallAt } from '../packages/residual/src/doctor/planted-noise.ts';

const { values } = parseArgs({
  options: {
    folds: { type: 'string', default: '4' },
    repeats: { type: 'string', default: '1' },
    epochs: { type: 'string', default: '4' },
    width: { type: 'string', default: '16' },
    lr: { type: 'string', default: '0.05' },
    batch: { type: 'string', default: '64' },
    smoothing: { type: 'string', default: '0.1' },
    snapshots: { type: 'string', default: '1' },
    noise: { type: 'string', default: '0.05' },
    seed: { type: 'string', default: '1' },
    images: { type: 'string', default: '12000' },
  },
});
const number = (name: keyof typeof values) => Number(values[name]);

await tf.setBackend('jit');
const splits = await fashionMnist({ validation: 0 });
const whole = splits.train;
const rows = Int32Array.from({ length: Math.min(whole.size, number('images')) }, (_, i) => i);
const noise = plantNoise(
  rows.map((row) => whole.labels[row]),
  whole.classes.length,
  number('noise'),
  number('seed'),
);
const dataset = subset(whole, rows, { labels: noise.labels });
const began = performance.now();
let shown = -1;
const { probabilities } = await outOfFold(dataset, {
  folds: number('folds'),
  repeats: number('repeats'),
  snapshots: number('snapshots'),
  seed: number('seed'),
  training: quickTraining(dataset, {
    width: number('width'),
    epochs: number('epochs'),
    batchSize: number('batch'),
    learningRate: number('lr'),
    labelSmoothing: number('smoothing'),
  }),
  onProgress: ({ done, step }) => {
    if (Math.floor(done * 20) === shown) return;
    shown = Math.floor(done * 20);
    process.stderr.write(`${(100 * done).toFixed(0)} %  loss ${step?.loss.toFixed(3) ?? ''}\n`);
  },
});
const seconds = (performance.now() - began) / 1000;
const classes = whole.classes.length;
const { size } = dataset;
let right = 0;
for (let i = 0; i < size; i++) {
  const row = probabilities.subarray(i * classes, (i + 1) * classes);
  if (row.indexOf(Math.max(...row)) === whole.labels[i]) right++;
}
const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
console.log(`${size} images, ${noise.planted.length} wrong labels planted, ${seconds.toFixed(0)} s`);
console.log(`out-of-fold accuracy on the true labels ${percent(right / size)}`);
let worst = 1;
for (const ranking of rankings) {
  const review = reviewLabels({ labels: dataset.labels, probabilities, classes }, { ranking });
  const at = [0.05, 0.08, 0.1].map(
    (share) => `${percent(recallAt(share, review.ranked, noise.planted))} within the top ${share * 100} %`,
  );
  console.log(`${ranking}: found ${at.join(', ')}`);
  if (ranking === rankings[0]) {
    worst = recallAt(0.08, review.ranked, noise.planted);
    const planted = new Set(noise.planted);
    const hits = review.ranked.filter((one) => one.suspect && planted.has(one.index)).length;
    console.log(
      `suspects ${review.suspects}: ${percent(hits / noise.planted.length)} of the planted, estimated noise ${percent(review.noise)}`,
    );
  }
}
await closeSplits(splits);
process.exitCode = worst >= 0.8 ? 0 : 1;
