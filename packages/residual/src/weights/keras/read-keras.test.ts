import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { resnet18 } from '../../models/resnet.ts';
import { WeightsError } from '../errors.ts';
import { noSiblings } from '../reader.ts';
import { blobSource, bytesSource } from '../source.ts';
import type { KerasFile } from './keras-file.ts';
import { readKeras } from './read-keras.ts';
import { difference, expected, fixture, picture, readFixture } from './testing.ts';
import { kerasH5 } from './write-keras.ts';

async function values(file: KerasFile): Promise<Float32Array[]> {
  const all: Float32Array[] = [];
  for (const tensor of file.tensors) all.push(await tensor.read());
  return all;
}

describe('the layouts', () => {
  const reference = readFixture('keras3.h5').then(async (file) => ({ file, values: await values(file) }));

  for (const name of ['keras2.h5', 'keras2.weights-only.h5', 'keras2.keras', 'keras3.keras', 'odd.h5']) {
    test(`${name} has the same layers in the same order, with the same values`, async () => {
      const file = await readFixture(name);
      const { file: other, values: wanted } = await reference;
      assert.equal(file.format, 'keras');
      assert.equal(file.order, 'model');
      assert.equal(file.layers.length, 41);
      assert.deepEqual(
        file.layers.map((layer) => [layer.className, layer.tensors.map(({ variable, shape }) => [variable, shape])]),
        other.layers.map((layer) => [layer.className, layer.tensors.map(({ variable, shape }) => [variable, shape])]),
      );
      assert.deepEqual(await values(file), wanted);
      await file.close();
    });
  }

  test('names are the paths in the file, and the layer is beside them', async () => {
    const named = async (name: string) => {
      const file = await readFixture(name);
      const { layers, metadata } = file;
      const [, norm] = layers;
      await file.close();
      return [norm?.name, norm?.className, norm?.tensors.map(({ name, variable }) => [name, variable])[2], metadata];
    };
    const bn = 'batch_normalization';
    const versions = { backend: 'tensorflow', keras_version: '2.21.0' };
    assert.deepEqual(await named('keras2.h5'), [
      bn,
      'BatchNormalization',
      [`${bn}/${bn}/moving_mean:0`, 'moving_mean'],
      versions,
    ]);
    const [name, className, third, metadata] = await named('keras3.keras');
    assert.deepEqual([name, className, third], [bn, 'BatchNormalization', [`layers/${bn}/vars/2`, 'moving_mean']]);
    assert.equal((metadata as Record<string, string>).keras_version, '3.15.1');
  });

  test('.weights.h5 keeps the order within each class', async () => {
    const file = await readFixture('keras3.weights.h5');
    assert.equal(file.order, 'class');
    assert.equal(file.modelConfig, undefined);
    const { file: other } = await reference;
    for (const className of ['Conv2D', 'BatchNormalization', 'Dense']) {
      const tensorsOf = ({ layers }: KerasFile) =>
        layers.filter((layer) => layer.className === className).flatMap(({ tensors }) => tensors);
      const read = (source: KerasFile) => Promise.all(tensorsOf(source).map((tensor) => tensor.read()));
      assert.deepEqual(await read(file), await read(other), className);
    }
    assert.equal(file.layers.at(-1)?.name, 'dense');
    await file.close();
  });

  test('the layout of TensorFlow 2.12', async () => {
    const [old, now] = [await readFixture('tiny-old.weights.h5'), await readFixture('tiny.weights.h5')];
    assert.match(old.tensors[0]?.name ?? '', /^_layer_checkpoint_dependencies\/batch_normalization\/vars\/0$/);
    assert.deepEqual(await values(old), await values(now));
  });

  test('number formats are told as stored', async () => {
    const file = await readFixture('odd.h5');
    const types = new Set(file.tensors.map(({ type }) => type));
    assert.deepEqual(types, new Set(['float32', 'float16', 'float64']));
    await file.close();
  });
});

test('layers of the guide’s network stand in the order of our own in the keras convention, and load in order', async () => {
  const { inputShape, classes, filters } = expected;
  const model = resnet18({ inputShape, classes, width: filters[0] ?? 0, stem: 'imagenet', convention: 'keras' });
  const file = await readFixture('keras2.weights-only.h5');
  const layers = model.layers.filter(({ weights }) => weights.length > 0);
  assert.equal(layers.length, file.layers.length);
  for (const [i, { tensors }] of file.layers.entries()) {
    const stored = [];
    for (const { read, shape } of tensors) stored.push(tf.tensor(await read(), [...shape]));
    layers[i]?.setWeights(stored);
  }
  await file.close();
  const x = tf.tensor(picture(2 * 32 * 32 * 3), [2, ...inputShape]);
  const found = (model.predict(x) as tf.Tensor).dataSync();
  assert.ok(difference(found, expected.probabilities.flat()) < 1e-4);
  model.dispose();
});

test('opening reads what describes the tensors, not the tensors', async () => {
  const model = tfl.sequential();
  for (let i = 0; i < 4; i++) model.add(tfl.layers.dense({ units: 1000, inputShape: [1000], name: `dense_${i}` }));
  const bytes = await kerasH5(model);
  let fetched = 0;
  const blob = blobSource(new Blob([bytes]), 'large.h5');
  const source = {
    ...blob,
    read: (at: number, length: number) => blob.read(at, length).finally(() => (fetched += length)),
  };
  const file = await readKeras(source, noSiblings);
  assert.ok(bytes.length > 16e6 && fetched < bytes.length / 8, `${fetched} of ${bytes.length} bytes`);
  const before = fetched;
  const third = await file.tensors[4]?.read();
  assert.deepEqual(third, model.getLayer('dense_2').getWeights()[0]?.dataSync());
  assert.ok(fetched - before < 7e6, `${fetched - before} bytes for 4,000,000`);
  await file.close();
  await assert.rejects(file.tensors[0]?.read() ?? Promise.resolve(), /large\.h5: is closed/);
  model.dispose();
});

test('several files at once', async () => {
  const names = ['tiny2.h5', 'tiny3.h5', 'tiny2.keras', 'tiny3.keras'];
  const files = await Promise.all(names.map(readFixture));
  const [first, ...others] = await Promise.all(files.map(values));
  for (const other of others) assert.deepEqual(other, first);
  await Promise.all(files.map((file) => file.close()));
});

describe('what cannot be read is answered in one line', () => {
  for (const [name, message] of [
    [
      'hostile-lzf.h5',
      /"\/dense\/dense\/kernel:0" is compressed with "lzf" \(HDF5 filter 32000\), which cannot be read; gzip can$/,
    ],
    ['hostile-huge.h5', /kernel:0" says it holds 2147483648 bytes, in a file of \d+$/],
    ['hostile-chunk.h5', /a chunk of .*kernel:0" says it holds 2147483648 bytes, in a file of \d+$/],
    ['hostile-outside.h5', /the values of .* cannot be read/],
    ['hostile-link.h5', /says it holds "dense\/dense\/kernel:0", and does not$/],
    ['hostile-loop.h5', /says it holds "dense\/dense\/kernel:0", and does not$/],
    ['hostile-text.h5', /holds no numbers of a known type \(HDF5 class 3/],
    ['hostile-virtual.h5', /is a view of other files, which are not read$/],
    ['hostile-cycle.weights.h5', /has more than 10000 groups, or deeper than 24/],
  ] as const) {
    test(name, async () => {
      const start = process.cpuUsage();
      await assert.rejects(
        readFixture(name).then((file) => values(file)),
        (error) => error instanceof WeightsError && message.test(error.message),
      );
      const { user, system } = process.cpuUsage(start);
      assert.ok(user + system < 2e6, `${user + system} µs of processor time`);
    });
  }

  const reading = (bytes: Uint8Array) => readKeras(bytesSource(bytes, 'x.h5'), noSiblings);
  test('other files', async () => {
    await assert.rejects(reading(new Uint8Array()), /x\.h5: is no HDF5 file, or is damaged/);
    await assert.rejects(reading(new Uint8Array(5000)), /x\.h5: is no HDF5 file, or is damaged/);
    await assert.rejects(reading(fixture('tiny3.h5').subarray(0, 9000)), /x\.h5: is no HDF5 file, or is damaged/);
    await assert.rejects(reading(fixture('tiny3.keras').subarray(0, 9000)), /x\.h5: no readable zip file/);
  });
});
