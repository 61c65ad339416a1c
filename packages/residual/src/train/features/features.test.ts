/** Features that are computed once: the same result as without, kept on disk, gone on with, and never mistaken. */

import assert from 'node:assert/strict';
import { appendFile, mkdtemp, open, readdir, readFile, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import 'tfjs-backend-jit';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { mixup, randomCrop, randomFlip } from '../../augment/index.ts';
import type { Splits } from '../../data/dataset.ts';
import { resnet18 } from '../../models/resnet.ts';
import { loadModel } from '../../models/saved-model.ts';
import { freeze } from '../../models/transfer/freeze.ts';
import { features } from '../../models/transfer/head.ts';
import { bestModel } from '../callbacks/best-model.ts';
import { earlyStopping } from '../callbacks/early-stopping.ts';
import { type HistoryRecord, readHistory } from '../history.ts';
import type { TrainOptions } from '../options.ts';
import { sgd } from '../sgd.ts';
import { halvesSplits, weightsOf } from '../testing.ts';
import { train } from '../train.ts';
import { extractFeatures } from './extract.ts';

const temporary = () => mkdtemp(join(tmpdir(), 'residual-features-'));
const network = (width = 4) => {
  const model = resnet18({ inputShape: [8, 8, 1], classes: 3, width, seed: 4 });
  freeze(model, 'backbone');
  return model;
};
const data = (): Splits => halvesSplits(44, 13);
const options = (): TrainOptions => ({
  epochs: 3,
  batchSize: 8,
  seed: 2,
  optimizer: sgd({ learningRate: 0.05, momentum: 0.9, weightDecay: 1e-3 }),
  ema: 0.9,
});
const steady = (record: HistoryRecord) => ({ ...record, seconds: 0, imagesPerSecond: 0 });

async function historyIn(directory: string) {
  return (await readHistory(join(directory, 'history.jsonl'))).map(steady);
}

for (const backend of ['cpu', 'jit']) {
  for (const transforms of [[], [randomCrop({ padding: 1 }), randomFlip()]]) {
    const what = transforms.length === 0 ? 'without augmentation' : 'with a view for each epoch';
    test(`a head trained on cached features has the bits of one trained on pictures, ${what} (${backend})`, async () => {
      await tf.setBackend(backend);
      const folder = await temporary();
      const run = async (name: string, more: Partial<TrainOptions>) => {
        const model = network();
        const directory = join(folder, name);
        const before = await weightsOf(model);
        await train(model, data(), { ...options(), transforms, directory, ...more });
        const after = await weightsOf(model);
        assert.deepEqual(
          Object.keys(before).filter((key) => `${before[key]}` !== `${after[key]}`),
          ['fc/kernel', 'fc/bias'],
        );
        assert.deepEqual(await weightsOf((await loadModel(directory)).model), after);
        return { after, history: await historyIn(directory) };
      };
      const plain = await run('plain', {});
      const cached = await run('cached', { cacheFeatures: { views: 3 } });
      assert.deepEqual(cached.after, plain.after);
      assert.deepEqual(cached.history, plain.history);
      const stored = await run('stored', { cacheFeatures: { views: 3, directory: join(folder, 'cache') } });
      const again = await run('again', { cacheFeatures: { views: 3, directory: join(folder, 'cache') } });
      assert.deepEqual([stored.after, again.after], [plain.after, plain.after]);
    });
  }
}

test('the cache is computed once, gone on with after an interruption, and verified when it is loaded', async () => {
  await tf.setBackend('cpu');
  const directory = join(await temporary(), 'cache');
  const { train: pictures } = data();
  const model = network();
  let read = 0;
  const counted = {
    ...pictures,
    produce: async (request: Parameters<NonNullable<typeof pictures.produce>>[0]) => {
      read += request.indices.length;
      return (await pictures.produce?.(request)) ?? assert.fail();
    },
  };
  const preprocessing = { mean: [0.5], std: [0.25] };
  const extract = async (more: object = {}, from = counted) => {
    read = 0;
    return extractFeatures(model, from, { preprocessing, batchSize: 8, directory, ...more });
  };
  const stop = new AbortController();
  const progress: number[] = [];
  await assert.rejects(
    extract({
      signal: stop.signal,
      onProgress: (done: number) => {
        progress.push(done);
        if (done === 24) stop.abort();
      },
    }),
    { name: 'AbortError' },
  );
  assert.deepEqual(progress, [0, 8, 16, 24]);
  assert.match((await readdir(directory)).join(), /^[0-9a-f]{32}\.features\.part$/);
  const whole = await extract();
  assert.ok(read <= 20, `${read} pictures were read again`);
  const [name = ''] = await readdir(directory);
  assert.match(name, /^[0-9a-f]{32}\.features$/);
  assert.equal(whole.dims, 32);
  assert.deepEqual([...whole.labels], [...pictures.labels]);
  const memory = await extract({ directory: undefined });
  assert.deepEqual(memory, whole);
  // What prediction says, whatever the batch.
  const trunk = features(model);
  const { images } = await pictures.read(Int32Array.of(5));
  const one = (
    trunk.predict(
      tf.tensor4d(
        Float32Array.from(images, (v) => (v / 255 - 0.5) / 0.25),
        [1, 8, 8, 1],
      ),
    ) as tf.Tensor
  ).dataSync();
  for (const [i, value] of one.entries()) assert.ok(Math.abs(value - (whole.values[5 * 32 + i] ?? 9)) < 1e-5);

  assert.deepEqual(await extract(), whole);
  assert.equal(read, 0);
  // A flipped bit in the third chunk: all from there on is computed again.
  const file = join(directory, name);
  const { size } = await stat(file);
  const handle = await open(file, 'r+');
  await handle.write(Uint8Array.of(77), 0, 1, Math.floor(size / 2));
  await handle.close();
  assert.deepEqual(await extract(), whole);
  assert.ok(read > 0 && read < 44, `${read}`);
  await truncate(file, 100);
  assert.deepEqual(await extract(), whole);
  await appendFile(file, 'rest');
  assert.deepEqual(await extract(), whole);

  // Another normalisation, other weights or other pictures are other features.
  await extract({ preprocessing: { mean: [0.4], std: [0.25] } });
  const [bias] = model.getLayer('layer1.0.bn1').getWeights();
  const weights = model.getLayer('layer1.0.bn1').getWeights();
  model.getLayer('layer1.0.bn1').setWeights([tf.add(bias as tf.Tensor, 1), ...weights.slice(1)]);
  assert.notDeepEqual((await extract()).values, whole.values);
  await extract(
    {},
    {
      ...counted,
      read: async (indices: ArrayLike<number>) => {
        const found = await pictures.read(indices);
        return { ...found, images: found.images.map((v) => 255 - v) };
      },
    },
  );
  assert.equal((await readdir(directory)).length, 4);
});

test('an interrupted run on cached features goes on; callbacks see the whole model', async () => {
  await tf.setBackend('cpu');
  const folder = await temporary();
  const callbacks = () => [bestModel({ monitor: 'loss' }), earlyStopping({ patience: 2, monitor: 'validationLoss' })];
  const run = async (directory: string, stops: readonly number[]) => {
    let model = network();
    for (const [i, after] of [...stops, 99].entries()) {
      model = network();
      const stop = new AbortController();
      await train(model, data(), {
        ...options(),
        directory,
        cacheFeatures: { directory: join(folder, 'cache') },
        callbacks: callbacks(),
        resume: i > 0,
        signal: stop.signal,
        onStep: ({ step }) => void (step === after && stop.abort()),
      });
    }
    return weightsOf(model);
  };
  const whole = await run(join(folder, 'whole'), []);
  assert.deepEqual(await run(join(folder, 'parts'), [3, 8]), whole);
  const best = await loadModel(join(folder, 'whole', 'best'));
  assert.equal(best.model.layers.length, network().layers.length);
  const fingerprint = (await readFile(join(folder, 'whole', 'checkpoint', 'state.bin'), 'latin1')).slice(0, 20_000);
  assert.match(fingerprint, /"features":"cached, 1 view, [0-9a-f]{32}"/);

  const stop = new AbortController();
  stop.abort();
  const early = await train(network(), data(), { ...options(), cacheFeatures: true, signal: stop.signal });
  assert.equal(early.interrupted, true);
});

test('features that change are not cached', async () => {
  const run = (model: tfl.LayersModel, more: Partial<TrainOptions>) =>
    train(model, data(), { ...options(), cacheFeatures: true, ...more });
  await assert.rejects(
    run(resnet18({ inputShape: [8, 8, 1], classes: 3, width: 2 }), {}),
    /cannot be computed once, for conv1 learns/,
  );
  await assert.rejects(run(network(), { transforms: [mixup()] }), /for mixup mixes pictures of a batch/);
  await assert.rejects(
    run(network(), { unfreeze: [{ epoch: 2, blocks: 1 }] }),
    /for parts of the backbone are unfrozen later/,
  );
  await assert.rejects(
    run(network(), { cacheFeatures: { views: 0 } }),
    /views must be a whole number from 1 up, received 0/,
  );
});

test('the head of a model with a penalty, a softmax layer and stock layers', async () => {
  await tf.setBackend('cpu');
  const make = () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.conv2d({
          filters: 3,
          kernelSize: 3,
          inputShape: [8, 8, 1],
          kernelInitializer: tfl.initializers.heNormal({ seed: 1 }),
        }),
        tfl.layers.batchNormalization(),
        tfl.layers.flatten(),
        tfl.layers.dense({
          units: 3,
          name: 'fc',
          kernelRegularizer: tfl.regularizers.l2({ l2: 0.1 }),
          kernelInitializer: tfl.initializers.glorotUniform({ seed: 2 }),
        }),
        tfl.layers.softmax(),
      ],
    });
    freeze(model, 'backbone');
    return model;
  };
  const [plain, cached] = [make(), make()];
  await train(plain, data(), options());
  await train(cached, data(), { ...options(), cacheFeatures: true });
  const [a, b] = [plain, cached].map((model) => model.getWeights().map((w) => Array.from(w.dataSync())));
  assert.deepEqual(a, b);
});
