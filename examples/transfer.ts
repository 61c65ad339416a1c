/** From clothes to digits: weights that were learned on Fashion-MNIST, fine-tuned to MNIST with 100 pictures of each digit,
 *  beside the same network from scratch on the same budget. It prints both numbers and checks that the first is better. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import {
  arrayDataset,
  cosineDecay,
  type Dataset,
  evaluate,
  extractFeatures,
  layerRates,
  linearProbe,
  preprocessingOf,
  resnet18,
  scoresOf,
  sgd,
  train,
} from 'residual';

// Names, runs, files and URLs: what `residual finetune --weights` takes.
const { values } = parseArgs({
  options: { weights: { type: 'string', default: 'fashion-mnist' }, epochs: { type: 'string', default: '3' } },
});
const epochs = Number(values.epochs);
const perDigit = 100;
const batchSize = 32;
const inputShape = [28, 28, 1] as const;

await tf.setBackend('jit');

/** Of each digit so many pictures from the `first` on; the npm package has about 1,000 of each. */
function digits(name: string, first: number, count: number): Dataset {
  const mnist = createRequire(import.meta.url)('mnist') as Record<number, { get(index: number): number[] }>;
  const samples = Array.from({ length: 10 * count }, (_, i) => ({ label: i % 10, index: first + Math.floor(i / 10) }));
  const pixels = samples.map(({ label, index }) => mnist[label]?.get(index) ?? []);
  return arrayDataset({
    name,
    images: Uint8Array.from(pixels.flat(), (value) => Math.round(255 * value)),
    labels: samples.map(({ label }) => label),
    classes: Array.from({ length: 10 }, (_, digit) => `${digit}`),
    imageShape: inputShape,
  });
}
const known = digits('digits', 0, perDigit);
const test = digits('test digits', 300, 100);
const data = { classes: known.classes, imageShape: inputShape, train: known };
const steps = epochs * Math.floor(known.size / batchSize);

/** Trains for the same number of steps, and measures on digits that were not learned. */
async function run(
  model: LayersModel,
  learningRate: number,
  rates: { readonly decay?: number; readonly head?: number },
): Promise<number> {
  const warmupSteps = Math.floor(steps / 10);
  const optimizer = sgd({
    learningRate: cosineDecay(learningRate, steps - warmupSteps, { warmupSteps }),
    momentum: 0.9,
    nesterov: true,
    weightDecay: 5e-4,
    decay: 'kernels',
    learningRateFactors: layerRates(model, rates),
  });
  const normalize = preprocessingOf(model);
  const { info } = await train(model, data, { epochs, batchSize, seed: 1, optimizer, ...(normalize && { normalize }) });
  optimizer.dispose();
  return (await evaluate(model, test, { preprocessing: info.preprocessing })).accuracy;
}

const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

const pretrained = await resnet18({ weights: values.weights, inputShape, classes: 10, head: 'keep' }); // its ten classes are others
const width = pretrained.getLayer('conv1').getWeights()[0]?.shape.at(-1) ?? 64;

// What its features are worth as they are: a linear classifier, fitted in seconds.
const preprocessing = preprocessingOf(pretrained) ?? { mean: [0.5], std: [0.5] };
const probe = linearProbe(await extractFeatures(pretrained, known, { preprocessing }));
const probed = scoresOf(probe.predict(await extractFeatures(pretrained, test, { preprocessing }))).accuracy;
console.log(`a linear classifier on its features: ${percent(probed)} of ${test.size} other digits`);

const tuned = await run(pretrained, 0.02, { decay: 0.8, head: 5 });
console.log(`fine-tuned for ${steps} steps: ${percent(tuned)}`);

const scratch = await run(resnet18({ inputShape, classes: 10, width, seed: 1 }), 0.05, {});
console.log(`from scratch for ${steps} steps: ${percent(scratch)}`);

assert.ok(tuned > scratch, `fine-tuning must beat training from scratch: ${tuned} and ${scratch}`);
console.log('the transfer works');
