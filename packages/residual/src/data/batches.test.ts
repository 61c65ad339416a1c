import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { alternatingFlip } from '../augment/alternating-flip.ts';
import { cutMix } from '../augment/cut-mix.ts';
import { mixup } from '../augment/mixup.ts';
import { randomCrop } from '../augment/random-crop.ts';
import { randomFlip } from '../augment/random-flip.ts';
import type { Transform } from '../augment/transform.ts';
import type { Batch, BatchOptions } from './batches.ts';
import { batches, batchesPerEpoch, shuffledOrder } from './batches.ts';
import type { Dataset, Splits } from './dataset.ts';
import { closeSplits } from './dataset.ts';
import { memorySplits } from './node/memory-splits.ts';

const SIZE = 53;
const CLASSES = ['a', 'b', 'c'];

/** Images of 6×5×1 whose pixels say which they are. */
function makeSplits(): Promise<Splits> {
  const pixels = new Uint8Array(new SharedArrayBuffer(SIZE * 30));
  pixels.forEach((_, i) => {
    pixels[i] = (i * 7 + Math.floor(i / 30)) % 256;
  });
  const labels = Int32Array.from({ length: SIZE }, (_, i) => i % 3);
  return memorySplits('made', CLASSES, [6, 5, 1], { train: { pixels, labels } }, { validation: 0 });
}

/** The same behind the least that a data set must offer. */
function plain(dataset: Dataset): Dataset {
  const { name, classes, size, imageShape, labels, skipped } = dataset;
  return { name, classes, size, imageShape, labels, skipped, read: (i) => dataset.read(i), close: async () => {} };
}

async function collect(dataset: Dataset, options: Partial<BatchOptions> = {}): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const batch of batches(dataset, { batchSize: 8, seed: 5, ...options })) all.push(batch);
  return all;
}

const augmented = {
  shuffle: true,
  transforms: [randomCrop({ padding: 1 }), randomFlip()],
  normalize: { mean: [0.3], std: [0.2] },
};

test('an epoch has every sample once, with its label and its own pixels', async () => {
  const splits = await makeSplits();
  const all = await collect(splits.train, { shuffle: true });
  assert.deepEqual(
    all.map(({ batch, size }) => [batch, size]),
    [...Array.from({ length: 6 }, (_, i) => [i, 8]), [6, 5]],
  );
  const order = all.flatMap(({ indices }) => [...indices]);
  assert.deepEqual(order, [...shuffledOrder(SIZE, 5, 0)]);
  assert.deepEqual(
    order.toSorted((a, b) => a - b),
    [...Array(SIZE).keys()],
  );
  for (const { images, labels, indices, size } of all) {
    assert.equal(images.length, size * 30);
    assert.deepEqual(
      [...labels],
      [...indices].map((i) => i % 3),
    );
    const { images: bytes } = await splits.train.read(indices);
    assert.deepEqual(
      images,
      Float32Array.from(bytes, (v) => v / 255),
    );
  }
  await closeSplits(splits);
});

test('without shuffling the order is the set’s own; the remainder can be dropped', async () => {
  const splits = await makeSplits();
  const all = await collect(splits.train, { dropRemainder: true });
  assert.deepEqual(
    all.flatMap(({ indices }) => [...indices]),
    [...Array(48).keys()],
  );
  assert.equal(batchesPerEpoch(SIZE, 8, true), 6);
  assert.equal(batchesPerEpoch(SIZE, 8), 7);
  await closeSplits(splits);
});

test('the same bits for any number of workers and any prefetch, and for a set without threads of its own', async () => {
  const splits = await makeSplits();
  const expected = await collect(splits.train, augmented);
  assert.deepEqual(await collect(splits.train, { ...augmented, workers: 3, prefetch: 7 }), expected);
  assert.deepEqual(await collect(splits.train, { ...augmented, prefetch: 1 }), expected);
  assert.deepEqual(await collect(plain(splits.train), augmented), expected);
  const again = await makeSplits();
  assert.deepEqual(await collect(again.train, augmented), expected);
  assert.notDeepEqual(await collect(again.train, { ...augmented, epoch: 1 }), expected);
  await closeSplits(splits);
  await closeSplits(again);
});

test('an epoch goes on in its middle as if it had never stopped', async () => {
  const splits = await makeSplits();
  const whole = await collect(splits.train, { ...augmented, epoch: 4 });
  assert.deepEqual(await collect(splits.train, { ...augmented, epoch: 4, startBatch: 3 }), whole.slice(3));
  assert.deepEqual(await collect(splits.train, { ...augmented, startBatch: 7 }), []);
  await closeSplits(splits);
});

test('leaving the loop early stops the work, and the set serves again', async () => {
  const splits = await makeSplits();
  for await (const { batch } of batches(splits.train, { batchSize: 2, prefetch: 10 })) if (batch === 1) break;
  assert.equal((await collect(splits.train)).length, 7);
  await closeSplits(splits);
});

test('mistakes come out as one clear error, and the thread survives them', async () => {
  const splits = await makeSplits();
  const unknown = [{ name: 'rotate' } as unknown as Transform];
  await assert.rejects(collect(splits.train, { transforms: unknown }), {
    name: 'DataError',
    message: /no augmentation is called 'rotate'/,
  });
  await assert.rejects(collect(splits.train, { batchSize: 0 }), {
    name: 'DataError',
    message: /batchSize .* received 0/,
  });
  await assert.rejects(collect(splits.train, { startBatch: -1 }), { name: 'DataError', message: /startBatch/ });
  await assert.rejects(splits.train.read([SIZE]), { name: 'DataError', message: /samples 0 to 52, asked for 53/ });
  assert.equal((await collect(splits.train)).length, 7);
  await closeSplits(splits);
  await assert.rejects(collect(splits.train), { name: 'DataError', message: 'the data set was closed' });
});

test("a data set's own error reaches the loop", async () => {
  const splits = await makeSplits();
  const broken: Dataset = { ...plain(splits.train), read: () => Promise.reject(new Error('disk on fire')) };
  await assert.rejects(collect(broken), /disk on fire/);
  await closeSplits(splits);
});

test('closing while batches are being made ends the loop', async () => {
  const splits = await makeSplits();
  await assert.rejects(
    async () => {
      for await (const _ of batches(splits.train, { batchSize: 1, prefetch: 2 })) await splits.train.close();
    },
    { name: 'DataError', message: 'the data set was closed' },
  );
});

for (const [what, body] of [
  ['a loop that ended', 'for await (const _ of batches(train, { batchSize: 500 }));'],
  ['a loop that was left', 'for await (const _ of batches(train, { batchSize: 10, prefetch: 50 })) break;'],
  ['an iterator that was forgotten', 'await batches(train, { batchSize: 100 }).next();'],
]) {
  test(`nothing keeps the process alive after ${what}, without close()`, async () => {
    const index = new URL('./index.ts', import.meta.url).href;
    const code = `import { batches, fashionMnist } from '${index}'; const { train } = await fashionMnist(); ${body} console.log('done');`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
      timeout: 60_000,
    });
    assert.equal(stdout, 'done\n');
  });
}

test('mixed batches are the same for any number of workers and from any batch on, and say what was mixed', async () => {
  const splits = await makeSplits();
  const mixed = {
    ...augmented,
    transforms: [randomCrop({ padding: 1 }), alternatingFlip(), mixup({ alpha: 1 }), cutMix()],
  };
  const all = await collect(splits.train, mixed);
  assert.deepEqual(await collect(splits.train, { ...mixed, workers: 3 }), all);
  assert.deepEqual(await collect(splits.train, { ...mixed, startBatch: 3 }), all.slice(3));
  assert.deepEqual(await collect(plain(splits.train), mixed), all);
  for (const { labels, partners, shares, size } of all) {
    assert.ok(partners !== undefined && shares !== undefined);
    assert.deepEqual([...partners], [...labels].reverse(), 'places are paired from both ends');
    assert.ok(shares.length === size && shares.every((share) => share >= 0 && share <= 1));
  }
  assert.notDeepEqual(all[0].shares, (await collect(splits.train, { ...mixed, epoch: 1 }))[0].shares);
  const [unmixed] = await collect(splits.train, augmented);
  assert.ok(!('partners' in unmixed) && !('shares' in unmixed));
  await closeSplits(splits);
});
