/**
 * `node bench/quantize-aware.ts`: a case that is built to lose by quantization, and how much of the loss training with
 * rounding recovers, on the 2,000 test images of the embedded set. Weights and values have 6 bits, one scale for all of a
 * layer's weights, ranges from the smallest to the largest number. ResNet18 shrugs at that, so the channels inside its
 * blocks are made as unequal as those of networks with depthwise filters are: the same function in floats.
 * `--run RUN` takes a run of ResNet18; without, one is trained first. Ends with 1 where less than half is recovered.
 */
import 'tfjs-backend-jit';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { randomFlip } from '../packages/residual/src/augment/index.ts';
import { batches } from '../packages/residual/src/data/batches.ts';
import { closeSplits } from '../packages/residual/src/data/dataset.ts';
import { fashionMnist } from '../packages/residual/src/data/node/embedded.ts';
import { Random } from '../packages/residual/src/data/random.ts';
import { meanAndStd } from '../packages/residual/src/data/statistics.ts';
import { subset } from '../packages/residual/src/data/subset.ts';
import { evaluate } from '../packages/residual/src/evaluate/metrics.ts';
import { resnet18 } from '../packages/residual/src/models/resnet.ts';
import { loadModel } from '../packages/residual/src/models/saved-model.ts';
import { freezeStatistics, quantizeAware } from '../packages/residual/src/quantize/aware/index.ts';
import type { EpochEvent } from '../packages/residual/src/train/options.ts';
import { cosineDecay } from '../packages/residual/src/train/schedules.ts';
import { sgd } from '../packages/residual/src/train/sgd.ts';
import { train } from '../packages/residual/src/train/train.ts';

const { values } = parseArgs({
  options: {
    run: { type: 'string' },
    bits: { type: 'string', default: '6' },
    unequal: { type: 'string', default: '3' },
    images: { type: 'string', default: '3200' },
    epochs: { type: 'string', default: '1' },
    freeze: { type: 'string', default: '0' },
    lr: { type: 'string', default: '0.003' },
    batch: { type: 'string', default: '64' },
    width: { type: 'string', default: '16' },
    'float-epochs': { type: 'string', default: '3' },
  },
});
const number = (name: Exclude<keyof typeof values, 'run'>) => Number(values[name]);
const percent = (part: number) => `${(100 * part).toFixed(2)} %`;
const say = (text: string) => {
  process.stdout.write(`${text}\n`);
};

await tf.setBackend('jit');
const whole = await fashionMnist();
const rows = Int32Array.from({ length: Math.min(number('images'), whole.train.size) }, (_, i) => i);
const splits = { ...whole, train: subset(whole.train, rows) };
const test = splits.test ?? splits.train;
const batchSize = number('batch');
const stepsIn = (epochs: number) => epochs * Math.floor(splits.train.size / batchSize);
const shared = { batchSize, seed: 1, labelSmoothing: 0.1, transforms: [randomFlip()] };
const momentum = { momentum: 0.9, nesterov: true, weightDecay: 5e-4, decay: 'kernels' } as const;
const onEpoch = ({ epoch, validationAccuracy = Number.NaN, seconds }: EpochEvent) =>
  say(`  epoch ${epoch}: validation ${percent(validationAccuracy)}, ${Math.round(seconds)} s`);

const { model, info } = values.run === undefined ? await trained() : await loadModel(values.run);
const { preprocessing } = info;
const accuracy = async (of: typeof model) => (await evaluate(of, test, { preprocessing })).accuracy;

makeUnequal(model, number('unequal'));
const original = await accuracy(model);
say(`float32: ${percent(original)}`);
const bits = number('bits');
const aware = await quantizeAware(model, info, { bits, granularity: 'per-tensor', calibration: someImages(4) });
const before = await accuracy(aware.model);
say(`${bits} bits after training: ${percent(before)}, a loss of ${percent(original - before)}`);
const epochs = number('epochs');
await train(aware.model, splits, {
  ...shared,
  epochs,
  normalize: preprocessing,
  optimizer: sgd({ learningRate: cosineDecay(number('lr'), stepsIn(epochs)), ...momentum }),
  callbacks: [freezeStatistics(aware, { after: number('freeze') })],
  onEpoch,
});
const after = await accuracy(aware.model);
const recovered = (after - before) / (original - before);
say(`${bits} bits in training:    ${percent(after)}: ${percent(recovered)} of the loss is recovered`);
await closeSplits(whole);
process.exit(recovered >= 0.5 && original > before ? 0 : 1);

async function* someImages(count: number) {
  for await (const { images } of batches(splits.train, { batchSize: 64, normalize: preprocessing, shuffle: true })) {
    yield images;
    if (--count === 0) return;
  }
}

async function trained() {
  const epochs = number('float-epochs');
  const network = resnet18({ inputShape: splits.imageShape, classes: splits.classes.length, width: number('width') });
  say(`training in floats for ${epochs} epochs`);
  const result = await train(network, splits, {
    ...shared,
    epochs,
    normalize: await meanAndStd(splits.train),
    optimizer: sgd({ learningRate: cosineDecay(0.05, stepsIn(epochs)), ...momentum }),
    onEpoch,
  });
  return { model: network, info: result.info };
}

/**
 * Between the two convolutions of each block: channel c times 2^u with u from −spread to spread, and the weights that
 * read it divided by the same, which a ReLU lets pass.
 */
function makeUnequal(network: typeof model, spread: number): void {
  const random = Random.at(7);
  for (const { name } of network.layers) {
    if (!/^layer\d\.\d\.bn1$/.test(name)) continue;
    const norm = network.getLayer(name);
    const next = network.getLayer(name.replace('bn1', 'conv2'));
    tf.tidy(() => {
      const [gamma, beta, ...averages] = norm.getWeights() as [tf.Tensor1D, tf.Tensor1D, ...tf.Tensor[]];
      const [kernel, ...bias] = next.getWeights() as [tf.Tensor4D, ...tf.Tensor[]];
      const factors = tf.tensor1d(Array.from({ length: gamma.size }, () => 2 ** random.uniform(-spread, spread)));
      norm.setWeights([tf.mul(gamma, factors), tf.mul(beta, factors), ...averages]);
      next.setWeights([tf.div(kernel, tf.reshape(factors, [-1, 1])), ...bias]);
    });
  }
}
