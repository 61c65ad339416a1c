import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { DataError } from '../data/errors.ts';
import type { FlowOptions, ImageDataGeneratorOptions, ImageFlow, Images } from './index.ts';
import { ImageDataGenerator, imageDataGenerator } from './index.ts';

await tf.setBackend('cpu');

/** Ten pictures of 2 × 3 × 1; picture i holds 10·i … 10·i + 5. */
const PICTURES = {
  data: Uint8Array.from({ length: 60 }, (_, i) => Math.floor(i / 6) * 10 + (i % 6)),
  shape: [10, 2, 3, 1],
} as const;
const LABELS = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1];

async function flowOf(options: ImageDataGeneratorOptions, flowOptions: FlowOptions = {}, x: Images = PICTURES) {
  return imageDataGenerator(options).flow(x, undefined, { shuffle: false, ...flowOptions });
}

/** All values of one epoch, and the samples in their order. */
async function epochOf<Y extends tf.Tensor | undefined>(flow: ImageFlow<Y>, epoch?: number) {
  const values: number[] = [];
  const indices: number[] = [];
  const targets: number[] = [];
  const sizes: number[] = [];
  for await (const batch of flow.batches(epoch)) {
    values.push(...batch.xs.dataSync());
    if (batch.ys !== undefined) targets.push(...batch.ys.dataSync());
    indices.push(...batch.indices);
    sizes.push(batch.xs.shape[0]);
    tf.dispose([batch.xs, batch.ys ?? []]);
  }
  return { values, indices, targets, sizes };
}

const all = [...PICTURES.data];
const close = (found: readonly number[], wanted: readonly number[], error = 1e-5) => {
  assert.equal(found.length, wanted.length);
  found.forEach((value, i) => {
    assert.ok(
      Math.abs(value - wanted[i]) <= error * Math.max(1, Math.abs(wanted[i])),
      `${i}: ${value} for ${wanted[i]}`,
    );
  });
};
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const std = (values: readonly number[]) => Math.sqrt(mean(values.map((v) => (v - mean(values)) ** 2)));

test('without arguments pictures come as they are, with their targets, in batches that end with the rest', async () => {
  const flow = await new ImageDataGenerator().flow(PICTURES, LABELS, { batchSize: 4, shuffle: false });
  assert.deepEqual([flow.samples, flow.stepsPerEpoch, flow.size, flow.imageShape], [10, 3, 3, [2, 3, 1]]);
  const { values, targets, sizes, indices } = await epochOf(flow);
  assert.deepEqual(values, all);
  assert.deepEqual(targets, LABELS);
  assert.deepEqual(sizes, [4, 4, 2]);
  assert.deepEqual(indices, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await flow.close();
});

test('tensors and rows of numbers are taken as well, floats stay what they are', async () => {
  const x = tf.tensor4d(
    all.map((v) => v / 7 - 3),
    [10, 2, 3, 1],
  );
  const y = LABELS.map((label) => [label, 1 - label]);
  const flow = await imageDataGenerator().flow(x, y, { batchSize: 10, shuffle: false });
  for await (const { xs, ys } of flow) {
    assert.deepEqual(xs.dataSync(), x.dataSync());
    assert.deepEqual(ys.shape, [10, 2]);
    assert.deepEqual(ys.arraySync(), y);
    tf.dispose([xs, ys]);
  }
  const boxes = tf.ones([10, 2, 2]);
  const second = await imageDataGenerator().flow(x, boxes, { batchSize: 4 });
  for await (const { xs, ys } of second) {
    assert.deepEqual(ys.shape, [xs.shape[0], 2, 2]);
    tf.dispose([xs, ys]);
  }
  assert.equal(x.isDisposed, false);
  tf.dispose([x, boxes]);
  await Promise.all([flow.close(), second.close()]);
});

test('rescale', async () => {
  close(
    (await epochOf(await flowOf({ rescale: 1 / 255 }))).values,
    all.map((v) => v / 255),
  );
});

test('preprocessingFunction runs on the calling thread, before rescale and the sample-wise steps', async () => {
  const shapes: unknown[] = [];
  const offset = 1000; // a closure, which no thread could be given
  const flow = await flowOf({
    rescale: 0.5,
    preprocessingFunction: (image, shape) => {
      shapes.push(shape);
      return image.map((value) => value + offset);
    },
  });
  close(
    (await epochOf(flow)).values,
    all.map((v) => (v + 1000) / 2),
  );
  assert.equal(shapes.length, 10);
  assert.deepEqual(shapes[0], [2, 3, 1]);
  const centred = await flowOf({ preprocessingFunction: (image) => image.fill(7), samplewiseCenter: true });
  assert.ok((await epochOf(centred)).values.every((value) => value === 0));
});

test('a preprocessingFunction that changes the length is refused', async () => {
  const flow = await flowOf({ preprocessingFunction: () => new Float32Array(5) });
  await assert.rejects(epochOf(flow), /must return a Float32Array of 6 values \(2 x 3 x 1\), received 5 of them$/);
  const nothing = await flowOf({ preprocessingFunction: (() => undefined) as never });
  await assert.rejects(epochOf(nothing), /received undefined$/);
});

test('samplewise: each picture by its own mean and standard deviation', async () => {
  const { values } = await epochOf(await flowOf({ samplewiseStdNormalization: true, rescale: 2 }));
  for (let i = 0; i < 10; i++) {
    const picture = values.slice(6 * i, 6 * i + 6);
    close([mean(picture), std(picture)], [0, 1], 1e-4);
  }
  const centred = await epochOf(await flowOf({ samplewiseCenter: true }));
  close(centred.values.slice(6, 12), [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]);
});

test('featurewise: every picture by what fit saw, channel by channel', async () => {
  const colour = { data: Float32Array.from(all), shape: [10, 2, 1, 3] } as const;
  const datagen = imageDataGenerator({ featurewiseStdNormalization: true, rescale: 1 / 255 });
  await datagen.fit(colour);
  const flow = await datagen.flow(colour, undefined, { shuffle: false });
  const { values } = await epochOf(flow);
  for (let c = 0; c < 3; c++) {
    const channel = values.filter((_, i) => i % 3 === c);
    close([mean(channel), std(channel)], [0, 1], 1e-4);
  }
  const wanted = all.filter((_, i) => i % 3 === 1);
  close([values[1]], [(wanted[0] - mean(wanted)) / (std(wanted) + 255e-6)], 1e-4);
  await flow.close();
});

test('fit sees what the feature-wise step sees: after the own function, and changed pictures if asked', async () => {
  const datagen = imageDataGenerator({
    featurewiseCenter: true,
    preprocessingFunction: (image) => image.map((v) => v + 50),
  });
  await datagen.fit(PICTURES);
  close([mean((await epochOf(await datagen.flow(PICTURES))).values)], [0], 1e-4);

  const bright = imageDataGenerator({ featurewiseCenter: true, brightnessRange: [2, 2] });
  await bright.fit(PICTURES, { augment: true, rounds: 2 });
  close([mean((await epochOf(await bright.flow(PICTURES))).values)], [0], 1e-4);
  await bright.fit(PICTURES);
  close([mean((await epochOf(await bright.flow(PICTURES))).values)], [mean(all)], 1e-4);
});

test('what needs fit says so, and that it was fitted to something else', async () => {
  await assert.rejects(
    epochOf(await flowOf({ featurewiseCenter: true })),
    (error) => error instanceof DataError && /featurewiseCenter needs statistics: call fit\(x\)/.test(error.message),
  );
  await assert.rejects(epochOf(await flowOf({ zcaWhitening: true })), /zcaWhitening needs statistics: call fit\(x\)/);
  const datagen = imageDataGenerator({ featurewiseCenter: true });
  await datagen.fit({ data: Float32Array.from(all), shape: [10, 2, 1, 3] });
  await assert.rejects(epochOf(await datagen.flow(PICTURES)), /fitted to pictures of 3 channel\(s\), these have 1$/);
  const white = imageDataGenerator({ zcaWhitening: true });
  await white.fit({ data: Uint8Array.from(all), shape: [15, 2, 2, 1] });
  await assert.rejects(
    epochOf(await white.flow(PICTURES)),
    /fitted to pictures of 4 values, these have 6 \(2 x 3 x 1\)$/,
  );
});

test('the same seed and epoch give the same bits for any number of workers, another epoch other pictures', async () => {
  const options = { rotationRange: 40, zoomRange: 0.3, horizontalFlip: true, samplewiseCenter: true };
  const run = async (seed: number, workers: number, epoch: number) => {
    const flow = await flowOf(options, { shuffle: true, seed, workers, batchSize: 3 });
    const result = await epochOf(flow, epoch);
    await flow.close();
    return result;
  };
  const one = await run(7, 1, 4);
  assert.deepEqual(await run(7, 3, 4), one);
  assert.notDeepEqual(await run(7, 1, 5), one);
  assert.notDeepEqual(await run(8, 1, 4), one);
  assert.deepEqual([...one.indices].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.notDeepEqual(one.indices, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('a picture’s change belongs to the picture, not to its place in the epoch', async () => {
  const options = { rotationRange: 90 };
  const shuffled = await epochOf(await flowOf(options, { shuffle: true, batchSize: 3 }), 2);
  const ordered = await epochOf(await flowOf(options, { batchSize: 10 }), 2);
  shuffled.indices.forEach((index, i) => {
    assert.deepEqual(shuffled.values.slice(6 * i, 6 * i + 6), ordered.values.slice(6 * index, 6 * index + 6));
  });
});

test('each loop is the next epoch; epoch can be set to go on', async () => {
  const flow = await flowOf({ rotationRange: 90 });
  const [first, second] = [await epochOf(flow), await epochOf(flow)];
  assert.equal(flow.epoch, 2);
  assert.notDeepEqual(first, second);
  flow.epoch = 0;
  assert.deepEqual(await epochOf(flow), first);
  assert.deepEqual(await epochOf(flow, 1), second);
  assert.equal(flow.epoch, 1);
});

test('an epoch counts from an iterator’s first next(), and ends', async () => {
  const flow = await flowOf({}, { batchSize: 5 });
  await flow.iterator(); // as fitDataset does before its first epoch
  const iterator = await flow.iterator();
  for (let i = 0; i < 2; i++) {
    const { done, value } = await iterator.next();
    assert.equal(done, false);
    tf.dispose(value.xs);
  }
  assert.deepEqual(await iterator.next(), { done: true, value: undefined });
  assert.equal(flow.epoch, 1);
});

function linearModel(): tfl.LayersModel {
  const model = tfl.sequential();
  model.add(tfl.layers.flatten({ inputShape: [2, 3, 1] }));
  model.add(tfl.layers.dense({ units: 1, activation: 'sigmoid', kernelInitializer: 'zeros' }));
  model.compile({ optimizer: 'adam', loss: 'binaryCrossentropy' });
  return model;
}

test('fitDataset: epochs, validationData, and no tensor left behind', async () => {
  const datagen = imageDataGenerator({ rescale: 1 / 255, horizontalFlip: true, validationSplit: 0.2 });
  const y = LABELS.map((label) => [label]);
  const train = await datagen.flow(PICTURES, y, { batchSize: 4, subset: 'training' });
  const held = await datagen.flow(PICTURES, y, { subset: 'validation', shuffle: false });
  const model = linearModel();
  await model.fitDataset(train, { epochs: 1, verbose: 0 }); // makes the optimizer's own tensors
  const before = tf.memory().numTensors;
  const history = await model.fitDataset(train, { epochs: 3, validationData: held, verbose: 0 });
  assert.deepEqual([history.history.loss.length, history.history.val_loss.length], [3, 3]);
  assert.equal(train.epoch, 4);
  assert.equal(tf.memory().numTensors, before);
  await Promise.all([train.close(), held.close()]);
});

test('fitDataset with batchesPerEpoch goes on through a repeated flow', async () => {
  const flow = await imageDataGenerator().flow(
    PICTURES,
    LABELS.map((label) => [label]),
    { batchSize: 4 },
  );
  const batches: number[] = [];
  const model = linearModel();
  const seen = { onBatchEnd: async (batch: number) => void batches.push(batch) };
  await model.fitDataset(flow.repeat(), { epochs: 2, batchesPerEpoch: 5, verbose: 0, callbacks: seen });
  assert.deepEqual(batches, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
  assert.equal(flow.epoch, 4); // ten batches of three an epoch: three epochs and the fourth begun
  await flow.close();
});

test('subsets of a flow share nothing, miss nothing, and take each class alike, whatever their seeds', async () => {
  const datagen = imageDataGenerator({ validationSplit: 0.4 });
  const y = LABELS.map((label) => [label, 1 - label]);
  const first = async (flow: ImageFlow) => {
    const { values, targets } = await epochOf(flow);
    return {
      pictures: values.filter((_, i) => i % 6 === 0).sort((a, b) => a - b),
      ones: targets.filter((_, i) => i % 2 === 0).reduce((a, b) => a + b, 0),
    };
  };
  const train = await first(await datagen.flow(PICTURES, y, { subset: 'training', seed: 1 }));
  const held = await first(await datagen.flow(PICTURES, y, { subset: 'validation', seed: 2 }));
  assert.deepEqual([train.pictures.length, held.pictures.length, train.ones, held.ones], [6, 4, 3, 2]);
  assert.deepEqual(
    [...train.pictures, ...held.pictures].sort((a, b) => a - b),
    [0, 10, 20, 30, 40, 50, 60, 70, 80, 90],
  );
  const other = imageDataGenerator({ validationSplit: 0.4, splitSeed: 9 });
  assert.notDeepEqual((await first(await other.flow(PICTURES, y, { subset: 'validation' }))).pictures, held.pictures);
});

test('forTrain: the same augmentation, and a normalization that gives the same values', async () => {
  const colour = { data: Uint8Array.from(all), shape: [10, 2, 1, 3] } as const;
  const datagen = imageDataGenerator({ rescale: 1 / 255, featurewiseStdNormalization: true, horizontalFlip: true });
  assert.throws(() => datagen.forTrain(), /featurewiseCenter needs statistics/);
  await datagen.fit(colour);
  const { transforms, normalize } = datagen.forTrain();
  assert.deepEqual(
    transforms.map(({ name }) => name),
    ['randomTransform'],
  );
  const plain = imageDataGenerator({ rescale: 1 / 255, featurewiseStdNormalization: true });
  await plain.fit(colour);
  const { values } = await epochOf(await plain.flow(colour, undefined, { shuffle: false }));
  close(
    all.map((byte, i) => (byte / 255 - normalize.mean[i % 3]) / normalize.std[i % 3]),
    values,
    1e-4,
  );
  assert.deepEqual(imageDataGenerator({ rescale: 1 / 127.5 }).forTrain(1), {
    transforms: [],
    normalize: { mean: [0], std: [0.5] },
  });
  assert.throws(
    () => imageDataGenerator({ samplewiseCenter: true }).forTrain(),
    /samplewiseCenter cannot travel with a model/,
  );
  assert.throws(() => datagen.forTrain(1), /fitted to pictures of 3 channel\(s\), asked for 1$/);
});

test('impossible values are named', async () => {
  const generators: readonly [options: object, message: RegExp][] = [
    [{ rotation_range: 20 }, /^ImageDataGenerator has no argument 'rotation_range'; write rotationRange$/],
    [{ cutout: 1 }, /^ImageDataGenerator has no argument 'cutout'; there are rotationRange, /],
    [{ rotationRange: 361 }, /^ImageDataGenerator: rotationRange must be/],
    [{ rescale: Number.NaN }, /rescale must be a number other than 0, received NaN$/],
    [{ rescale: 0 }, /rescale/],
    [{ featurewiseCenter: 'yes' }, /featurewiseCenter must be true or false, received yes$/],
    [{ zcaEpsilon: -1 }, /zcaEpsilon must be a number from 0 up, received -1$/],
    [{ validationSplit: 1 }, /validationSplit must be at least 0 and less than 1, received 1$/],
    [{ splitSeed: -1 }, /splitSeed/],
    [{ preprocessingFunction: 'x' }, /preprocessingFunction must be a function, received x$/],
  ];
  for (const [options, message] of generators) {
    assert.throws(
      () => imageDataGenerator(options),
      (error) => error instanceof DataError && message.test(error.message),
    );
  }
  const datagen = imageDataGenerator();
  const flow = (options: object) => datagen.flow(PICTURES, LABELS, options);
  await assert.rejects(flow({ batchSize: 0 }), /batchSize must be a whole number from 1 up, received 0$/);
  await assert.rejects(flow({ workers: 1.5 }), /workers/);
  await assert.rejects(flow({ seed: -1 }), /seed must be an integer/);
  await assert.rejects(
    flow({ subset: 'validation' }),
    /subset 'validation' needs an ImageDataGenerator with a validationSplit/,
  );
  const split = imageDataGenerator({ validationSplit: 0.2 });
  await assert.rejects(
    split.flow(PICTURES, LABELS, { subset: 'test' as never }),
    /subset must be 'training' or 'validation'/,
  );
  await assert.rejects(datagen.flow(PICTURES, [1, 2]), /received 10 pictures and 2 targets$/);
  await assert.rejects(datagen.flow(PICTURES, [[1], [1, 2]]), /rows of one length, received some of 1 and of 2$/);
  await assert.rejects(datagen.flow({ data: new Uint8Array(6), shape: [6] } as never), /must be pictures of shape/);
  await assert.rejects(datagen.flow({ data: new Uint8Array(5), shape: [1, 2, 3, 1] }), /received \[1,2,3,1\] and 5$/);
  const fitted = imageDataGenerator({ featurewiseCenter: true });
  await assert.rejects(fitted.fit(PICTURES, { augment: true, rounds: 0 }), /rounds must be a whole number from 1 up/);
});
