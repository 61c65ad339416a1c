import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { batches } from '../batches.ts';
import { closeSplits } from '../dataset.ts';
import { encodeIdx } from '../idx.ts';
import { decodeImage } from './decode.ts';
import { fashionMnist } from './embedded.ts';
import { idxFiles, mnist } from './idx-files.ts';

const pixels = (count: number) => Uint8Array.from({ length: count * 12 }, (_, i) => (i * 13) % 256);
const labels = (count: number) => Uint8Array.from({ length: count }, (_, i) => i % 4);

async function makeFolder(t: TestContext, files: Record<string, Uint8Array>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'residual-idx-'));
  t.after(() => rm(root, { recursive: true }));
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(root, name), bytes);
  return root;
}

const whole = {
  'train-images-idx3-ubyte.gz': gzipSync(encodeIdx([40, 4, 3], pixels(40))),
  'train-labels-idx1-ubyte': encodeIdx([40], labels(40)),
  't10k-images.idx3-ubyte': encodeIdx([8, 4, 3], pixels(8)),
  't10k-labels.idx1-ubyte': encodeIdx([8], labels(8)),
};

test('a folder of the MNIST family, gzipped or not, under either spelling', async (t) => {
  const splits = await mnist(await makeFolder(t, whole), { validation: 0.2, seed: 1 });
  t.after(() => closeSplits(splits));
  assert.deepEqual(splits.classes, ['0', '1', '2', '3']);
  assert.deepEqual(splits.imageShape, [4, 3, 1]);
  assert.deepEqual([splits.train.size, splits.validation?.size, splits.test?.size], [32, 8, 8]);
  assert.deepEqual(
    [0, 1, 2, 3].map((c) => splits.validation?.labels.filter((l) => l === c).length),
    [2, 2, 2, 2],
  );
  const test = await splits.test?.read([3, 0]);
  assert.deepEqual(test?.images, Uint8Array.from([...pixels(8).subarray(36, 48), ...pixels(8).subarray(0, 12)]));
});

test('without test files a part can be held out for it', async (t) => {
  const root = await makeFolder(t, whole);
  const paths = {
    trainImages: join(root, 'train-images-idx3-ubyte.gz'),
    trainLabels: join(root, 'train-labels-idx1-ubyte'),
  };
  const splits = await idxFiles(paths, { validation: 0.2, test: 0.1, classes: ['n', 'e', 's', 'w'], name: 'winds' });
  t.after(() => closeSplits(splits));
  assert.deepEqual([splits.train.size, splits.validation?.size, splits.test?.size], [28, 8, 4]);
  assert.equal(splits.train.name, 'winds/train');
  assert.deepEqual(splits.classes, ['n', 'e', 's', 'w']);
});

test('images are brought to another size and to colour exactly as decodeImage does it', async (t) => {
  const splits = await mnist(await makeFolder(t, whole), { size: [6, 5], channels: 3, resize: 'contain' });
  t.after(() => closeSplits(splits));
  assert.deepEqual(splits.imageShape, [6, 5, 3]);
  const { images } = (await splits.test?.read([2])) ?? {};
  const raw = { width: 3, height: 4, channels: 1 } as const;
  const png = await sharp(pixels(8).slice(24, 36), { raw }).png().toBuffer();
  assert.deepEqual(images, await decodeImage(png, { size: [6, 5], channels: 3, resize: 'contain' }));
  const twice = [];
  for (const workers of [1, 2]) {
    for await (const batch of batches(splits.train, { batchSize: 7, workers })) twice.push(batch.images);
  }
  assert.deepEqual(twice.slice(0, twice.length / 2), twice.slice(twice.length / 2));
});

test('what is wrong with the files is said, with expected and found bytes', async (t) => {
  const cut = (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 20);
  const cases: [Record<string, Uint8Array | undefined>, RegExp][] = [
    [
      { 'train-labels-idx1-ubyte': cut(whole['train-labels-idx1-ubyte']) },
      /train-labels-idx1-ubyte is truncated: expected 48 bytes .* found 28$/,
    ],
    [
      { 'train-images-idx3-ubyte.gz': cut(whole['train-images-idx3-ubyte.gz']) },
      /train-images-idx3-ubyte.gz is truncated: expected 496 bytes .* found \d+$/,
    ],
    [
      { 'train-images-idx3-ubyte.gz': Uint8Array.from([0x1f, 0x8b, 1, 2, 3]) },
      /train-images-idx3-ubyte.gz is a damaged gzip file: /,
    ],
    [{ 'train-labels-idx1-ubyte': undefined }, /has no train-labels-idx1-ubyte \(or train-labels-idx1-ubyte.gz\)$/],
    [{ 't10k-labels.idx1-ubyte': undefined }, /^test images and test labels must be given together$/],
    [{ 'train-labels-idx1-ubyte': encodeIdx([39], labels(39)) }, /holds 40 images, but .* 39 labels$/],
    [
      { 'train-labels-idx1-ubyte': whole['train-images-idx3-ubyte.gz'] },
      /does not hold labels: one dimension is expected, found 40 x 4 x 3$/,
    ],
    [{ 't10k-images.idx3-ubyte': encodeIdx([8, 3, 4], pixels(8)) }, /holds images of 3 x 4 x 1, .* of 4 x 3 x 1$/],
    [
      { 't10k-labels.idx1-ubyte': encodeIdx([8], labels(8).fill(9)) },
      /^idx\/test has the label 9, but there are only 4 classes$/,
    ],
  ];
  for (const [change, message] of cases) {
    const files: Record<string, Uint8Array> = { ...whole };
    for (const [name, bytes] of Object.entries(change)) {
      if (bytes === undefined) delete files[name];
      else files[name] = bytes;
    }
    const root = await makeFolder(t, files);
    await assert.rejects(mnist(root), { name: 'DataError', message });
  }
  await assert.rejects(mnist('/no/such/folder'), {
    name: 'DataError',
    message: 'there is no file or folder /no/such/folder',
  });
});

test('the embedded set: 12,000 and 2,000 images, as many of each of ten named classes', async (t) => {
  const splits = await fashionMnist({ validation: 0 });
  t.after(() => closeSplits(splits));
  assert.deepEqual([splits.train.size, splits.test?.size, splits.imageShape], [12000, 2000, [28, 28, 1]]);
  assert.equal(splits.train.name, 'fashion-mnist/train');
  assert.deepEqual([splits.classes.length, splits.classes[0], splits.classes[9]], [10, 'T-shirt/top', 'Ankle boot']);
  for (let c = 0; c < 10; c++) {
    assert.equal(splits.train.labels.filter((label) => label === c).length, 1200);
    assert.equal(splits.test?.labels.filter((label) => label === c).length, 200);
  }
  // Trousers are two bright legs: brighter in the middle of the upper edge than at the sides.
  const trousers = Array.from(splits.train.labels.keys())
    .filter((i) => splits.train.labels[i] === 1)
    .slice(0, 50);
  const { images } = await splits.train.read(trousers);
  const column = (x: number) => trousers.reduce((sum, _, i) => sum + images[i * 784 + 4 * 28 + x], 0) / trousers.length;
  assert.ok(column(14) > 100 && column(1) < 20 && column(26) < 20);
});

test('full Fashion-MNIST is known by its labels, MNIST by numbers', async (t) => {
  const fashion = [9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 0, 9, 5, 5, 7, 9, 1, 4, 6, 8];
  for (const [first, name] of [
    [fashion, 'T-shirt/top'],
    [fashion.toReversed(), '0'],
  ] as const) {
    const root = await makeFolder(t, {
      'train-images-idx3-ubyte': encodeIdx([20, 4, 3], pixels(20)),
      'train-labels-idx1-ubyte': encodeIdx([20], Uint8Array.from(first)),
    });
    const splits = await mnist(root);
    t.after(() => closeSplits(splits));
    assert.equal(splits.classes[0], name);
    assert.equal(splits.classes.length, 10);
  }
});
