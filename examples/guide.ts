/** A well-known guide to ResNet18 in TensorFlow, its parts two to four, snippet by snippet in TypeScript.
 *  It trains on a small folder of real images that it writes itself, checks its own result, and says what it found. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  closeSplits,
  cosineDecay,
  fashionMnist,
  imageDataGenerator,
  loadWeights,
  openWeights,
  parameterCounts,
  resnet18,
  sgd,
  writeKerasH5,
} from 'residual';
import sharp from 'sharp';

// The guide's size is 224 (`npx node examples/guide.ts --size 224`); 64 shows the same in seconds.
const { values } = parseArgs({ options: { size: { type: 'string', default: '64' } } });
const size = Number(values.size);

await tf.setBackend('jit');

// ---------------------------------------------------------------------------------------------------------------------
// Part two, 1: the model

/** Keras writes `layer(x)`. */
const apply = (layer: tfl.layers.Layer, x: tfl.SymbolicTensor | tfl.SymbolicTensor[]) =>
  layer.apply(x) as tfl.SymbolicTensor;

function residualBlock(x: tfl.SymbolicTensor, filters: number, stride = 1): tfl.SymbolicTensor {
  // The main path
  let shortcut = x;
  x = apply(tfl.layers.conv2d({ filters, kernelSize: 3, strides: stride, padding: 'same' }), x);
  x = apply(tfl.layers.batchNormalization(), x);
  x = apply(tfl.layers.reLU(), x);
  x = apply(tfl.layers.conv2d({ filters, kernelSize: 3, strides: 1, padding: 'same' }), x);
  x = apply(tfl.layers.batchNormalization(), x);
  // Bring the shortcut to the same shape, where it has another
  if (stride !== 1 || shortcut.shape.at(-1) !== filters) {
    shortcut = apply(tfl.layers.conv2d({ filters, kernelSize: 1, strides: stride }), shortcut);
    shortcut = apply(tfl.layers.batchNormalization(), shortcut);
  }
  // The residual connection
  x = apply(tfl.layers.add(), [x, shortcut]);
  return apply(tfl.layers.reLU(), x);
}

function buildResnet18(inputShape: [number, number, number] = [224, 224, 3], numClasses = 1000): tfl.LayersModel {
  const inputs = tfl.input({ shape: inputShape });
  // The first convolution
  let x = apply(tfl.layers.conv2d({ filters: 64, kernelSize: 7, strides: 2, padding: 'same' }), inputs);
  x = apply(tfl.layers.batchNormalization(), x);
  x = apply(tfl.layers.reLU(), x);
  x = apply(tfl.layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }), x);
  // Group 1 (64 channels)
  x = residualBlock(x, 64);
  x = residualBlock(x, 64);
  // Group 2 (128 channels)
  x = residualBlock(x, 128, 2);
  x = residualBlock(x, 128);
  // Group 3 (256 channels)
  x = residualBlock(x, 256, 2);
  x = residualBlock(x, 256);
  // Group 4 (512 channels)
  x = residualBlock(x, 512, 2);
  x = residualBlock(x, 512);
  // Global average pooling, and the layer that classifies
  x = apply(tfl.layers.globalAveragePooling2d({}), x);
  const outputs = apply(tfl.layers.dense({ units: numClasses, activation: 'softmax' }), x);
  return tfl.model({ inputs, outputs });
}

const whole = buildResnet18();
whole.summary();

// The same network from the library: `keras` copies what the guide writes, biases and SAME padding included.
const ours = resnet18({ inputShape: [224, 224, 3], classes: 1000, convention: 'keras' });
assert.equal(ours.countParams(), whole.countParams());
assert.equal(ours.weights.length, whole.weights.length);
console.log(`parameters: ${whole.countParams().toLocaleString('en')}, the guide's and resnet18's alike`);
whole.dispose();
ours.dispose();

// ---------------------------------------------------------------------------------------------------------------------
// Part three, 1: preparing and augmenting the data

const data = await mkdtemp(join(tmpdir(), 'residual-guide-'));
process.once('exit', () => rmSync(data, { recursive: true, force: true }));
const directory = join(data, 'train');
const names = await writeImages(directory, ['ankle boot', 'bag', 'dress', 'trouser'], 80);

const trainDatagen = imageDataGenerator({
  rescale: 1 / 255,
  rotationRange: 20,
  widthShiftRange: 0.2,
  heightShiftRange: 0.2,
  shearRange: 0.2,
  zoomRange: 0.2,
  horizontalFlip: true,
  fillMode: 'nearest',
});
const trainGenerator = await trainDatagen.flowFromDirectory(directory, {
  targetSize: [size, size],
  batchSize: 32,
  classMode: 'categorical',
});
console.log(`found ${trainGenerator.samples} images of ${trainGenerator.classes.length} classes`);

assert.deepEqual(trainGenerator.classIndices, Object.fromEntries(names.map((name, index) => [name, index])));
assert.equal(trainGenerator.samples, 320);
assert.equal(trainGenerator.stepsPerEpoch, 10);
for await (const { xs, ys } of trainGenerator.batches(0)) {
  assert.deepEqual(xs.shape, [32, size, size, 3]);
  assert.deepEqual(ys.shape, [32, names.length]);
  const [lowest, highest] = [tf.min(xs), tf.max(xs)].map((value) => value.dataSync()[0]);
  assert.ok(lowest >= 0 && highest > 0.9 && highest <= 1, `pixels from ${lowest} to ${highest}`);
  tf.dispose([xs, ys]);
}

// ---------------------------------------------------------------------------------------------------------------------
// Part three, 2: loss and optimizer

const model = buildResnet18([size, size, 3], names.length);

// TF.js starts weights differently in every run; the library's network has a seed, and its weights fit the guide's.
const twin = resnet18({
  inputShape: [size, size, 3],
  classes: names.length,
  convention: 'keras',
  stem: 'imagenet',
  seed: 3,
});
const start = twin.getWeights().map((weight) => weight.clone());
model.setWeights(start);
tf.tidy(() => {
  const picture = tf.randomUniform([1, size, size, 3], 0, 1, 'float32', 1);
  const [a, b] = [model, twin].map((network) => (network.predict(picture) as tf.Tensor).dataSync());
  assert.ok(
    a.every((value, i) => Math.abs(value - b[i]) < 1e-5),
    `the same weights must predict the same: ${a} and ${b}`,
  );
});
twin.dispose();

model.compile({
  optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }),
  loss: 'categoricalCrossentropy',
  metrics: ['accuracy'],
});

// Part three, 3: the learning rate's schedule

const lrSchedule = cosineDecay(0.1, 10_000, { alpha: 0 });
const optimizer = sgd({ learningRate: lrSchedule, momentum: 0.9 });
model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });

// Keras's `model.fit(train_generator)`
const epochs = 4;
const losses: number[] = [];
await model.fitDataset(trainGenerator, {
  epochs,
  verbose: 0,
  callbacks: {
    onBatchEnd: async (_batch, logs) => void losses.push(Number(logs?.loss)),
    onEpochEnd: async (epoch, logs) => {
      console.log(`epoch ${epoch + 1}/${epochs}  loss ${logs?.loss?.toFixed(3)}  accuracy ${logs?.acc?.toFixed(3)}`);
    },
  },
});

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const [first, last] = [mean(losses.slice(0, 10)), mean(losses.slice(-10))];
assert.equal(losses.length, epochs * trainGenerator.stepsPerEpoch);
assert.ok(last < 0.8 * first, `the loss must fall: ${first} in the first epoch, ${last} in the last`);
assert.equal(optimizer.iterations, losses.length);
assert.ok(optimizer.learningRate < 0.1, 'the schedule must have begun to fall');

// Part four needs a network that has learned something. At 0.1 so few steps leave this one little better than it began: part
// five's advice is a rate of 0.01, from the start. Moving averages of 0.99 want hundreds of steps; faster ones follow.
model.setWeights(start);
tf.dispose(start);
for (const layer of model.layers) {
  if (layer.getClassName() === 'BatchNormalization') Object.assign(layer, { momentum: 0.8 });
}
model.compile({ optimizer: sgd({ learningRate: 0.01, momentum: 0.9 }), loss: 'categoricalCrossentropy' });
await model.fitDataset(trainGenerator, { epochs: 5, verbose: 0 });

await trainGenerator.close();

// ---------------------------------------------------------------------------------------------------------------------
// Part four, 2: transfer learning

// "Suppose that it exists": the network that was just trained, in Keras's own format.
const pretrained = join(data, 'resnet18_pretrained.h5');
await writeKerasH5(model, pretrained, { weightsOnly: true });

// Load the pretrained model
const baseModel = buildResnet18([size, size, 3], names.length);
const weights = await openWeights(pretrained);
const { loaded, missing, leftOver } = await loadWeights(baseModel, weights);
await weights.close();
console.log(`loaded ${loaded.length} weights, ${missing.length} missing, ${leftOver.length} left over`);
assert.deepEqual([loaded.length, missing.length, leftOver.length], [model.weights.length, 0, 0]);
const trained = bitsOf(baseModel);
assert.deepEqual(trained, bitsOf(model));

// Freeze all layers (only the classifier learns)
for (const layer of baseModel.layers) layer.trainable = false;

// Replace the classifier, for 10 classes
const x = baseModel.layers.at(-2)?.output as tfl.SymbolicTensor; // the output of the global average pooling
const outputs = apply(tfl.layers.dense({ units: 10, activation: 'softmax' }), x);
const transferred = tfl.model({ inputs: baseModel.inputs, outputs });
const { trainable, total } = parameterCounts(transferred);
console.log(`${trainable.toLocaleString('en')} of ${total.toLocaleString('en')} parameters learn`);
assert.equal(trainable, 512 * 10 + 10);

// All ten classes of clothes, 16 pictures of each
const all = join(data, 'all');
const clothes = [
  'ankle boot',
  'bag',
  'coat',
  'dress',
  'pullover',
  'sandal',
  'shirt',
  'sneaker',
  't-shirt/top',
  'trouser',
];
await writeImages(all, clothes, 16);
const transferGenerator = await imageDataGenerator({ rescale: 1 / 255 }).flowFromDirectory(all, {
  targetSize: [size, size],
  batchSize: 32,
  classMode: 'categorical',
});
transferred.compile({
  optimizer: sgd({ learningRate: 0.01, momentum: 0.9 }),
  loss: 'categoricalCrossentropy',
  metrics: ['accuracy'],
});
const { history } = await transferred.fitDataset(transferGenerator, { epochs: 5, verbose: 0 });
const [before, after] = [history.loss?.at(0), history.loss?.at(-1)].map(Number);
console.log(`transfer  loss ${before.toFixed(3)} in the first epoch, ${after.toFixed(3)} in the last`);
assert.ok(after < 0.9 * before, `the loss must fall: ${before} and ${after}`);
assert.deepEqual(bitsOf(baseModel), trained, 'frozen weights and moving averages must stay as they are, bit for bit');

await transferGenerator.close();
console.log('the guide works');

/** All weights of a model, moving averages included. */
function bitsOf(network: tfl.LayersModel): readonly ArrayLike<number>[] {
  return network.layers.flatMap((layer) => layer.getWeights().map((weight) => weight.dataSync()));
}

/** PNG files of some classes of Fashion-MNIST, a sub-folder each, which is what `flowFromDirectory` reads. */
async function writeImages(folder: string, wanted: readonly string[], count: number): Promise<readonly string[]> {
  const fashion = await fashionMnist({ validation: 0 });
  const { classes, labels, imageShape } = fashion.train;
  for (const name of wanted) {
    const label = classes.findIndex((other) => other.toLowerCase() === name);
    const indices = Array.from(labels.keys()).filter((index) => labels[index] === label);
    const { images } = await fashion.train.read(indices.slice(0, count));
    const [height, width] = imageShape;
    const own = join(folder, name.replace('/', ' or '));
    await mkdir(own, { recursive: true });
    for (let i = 0; i < count; i++) {
      const pixels = images.subarray(i * height * width, (i + 1) * height * width);
      await sharp(pixels, { raw: { width, height, channels: 1 } }).toFile(join(own, `${i}.png`));
    }
  }
  await closeSplits(fashion);
  return wanted;
}
