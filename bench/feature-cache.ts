/** How much faster an epoch of a frozen backbone is on cached features than on pictures, and that the result is the same:
 *  `npx node bench/feature-cache.ts [--width 64] [--images 512] [--epochs 3]`. Prints one ratio. */

import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import { arrayDataset, type Dataset, fashionMnist, freeze, resnet18, sgd, train } from 'residual';

const { values } = parseArgs({
  options: {
    width: { type: 'string', default: '64' },
    images: { type: 'string', default: '512' },
    batch: { type: 'string', default: '64' },
    epochs: { type: 'string', default: '3' },
  },
});
const [width, images, batchSize, epochs] = [values.width, values.images, values.batch, values.epochs].map(Number);
await tf.setBackend('jit');

const whole = await fashionMnist({ validation: 0.1 });
const first = async ({ classes, imageShape, labels, read }: Dataset, size: number) =>
  arrayDataset({
    images: (
      await read.call(
        whole.train,
        Int32Array.from({ length: size }, (_, i) => i),
      )
    ).images,
    labels: labels.slice(0, size),
    classes,
    imageShape,
  });
const data = { classes: whole.classes, imageShape: whole.imageShape, train: await first(whole.train, images) };

/** Seconds of each epoch after the first, which compiles (and computes the features), and the classifier that came out. */
async function run(cacheFeatures: boolean) {
  const model = resnet18({ inputShape: whole.imageShape, classes: whole.classes.length, width, seed: 1 });
  freeze(model);
  const optimizer = sgd({ learningRate: 0.01, momentum: 0.9 });
  const ends: number[] = [];
  await train(model, data, {
    epochs: epochs + 1,
    batchSize,
    optimizer,
    cacheFeatures,
    onEpoch: () => void ends.push(performance.now() / 1000),
  });
  const seconds = ends.slice(1).map((end, i) => end - (ends[i] ?? 0));
  return {
    seconds: Math.min(...seconds),
    head: model
      .getLayer('fc')
      .getWeights()
      .map((weight) => weight.dataSync()),
  };
}

const plain = await run(false);
const cached = await run(true);
assert.deepEqual(cached.head, plain.head, 'the classifiers must be the same, bit for bit');
const rate = ({ seconds }: typeof plain) => `${Math.round(images / seconds)} images/s`;
console.log(`ResNet18, width ${width}, backbone frozen, ${images} images of 28×28, batch ${batchSize}`);
console.log(
  `on pictures ${rate(plain)}, on cached features ${rate(cached)}: ${(plain.seconds / cached.seconds).toFixed(0)}×`,
);
process.exit(0);
