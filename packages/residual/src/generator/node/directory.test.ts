import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import { DataError } from '../../data/errors.ts';
import { imageFolder } from '../../data/node/image-folder.ts';
import type { DirectoryFlowOptions, ImageFlow } from '../index.ts';
import { imageDataGenerator } from '../index.ts';
import { folderOf, shade } from './testing.ts';

await tf.setBackend('cpu');

const SMALL = { targetSize: [4, 5], shuffle: false } as const;

/** Classes b, a and c with 4, 3 and 2 pictures; a shade says which picture it is. */
async function pets(t: TestContext): Promise<string> {
  const files: Record<string, Uint8Array> = {};
  for (const [name, count, first] of [
    ['b', 4, 100],
    ['a', 3, 50],
    ['c', 2, 200],
  ] as const) {
    for (let i = 0; i < count; i++) files[`${name}/${i}.png`] = await shade(first + i);
  }
  return folderOf(t, files);
}

async function only<T>(batches: AsyncIterable<T>): Promise<T> {
  const all: T[] = [];
  for await (const batch of batches) all.push(batch);
  assert.equal(all.length, 1);
  return all[0];
}

/** The first value of each picture. */
const firsts = (xs: tf.Tensor4D) => {
  const length = xs.size / xs.shape[0];
  return [...xs.dataSync()].filter((_, i) => i % length === 0);
};

test('sub-folders are classes in the order of their names; categorical targets by default', async (t) => {
  const folder = await pets(t);
  const flow = await imageDataGenerator().flowFromDirectory(folder, SMALL);
  t.after(() => flow.close());
  assert.deepEqual(flow.classIndices, { a: 0, b: 1, c: 2 });
  assert.deepEqual(flow.classes, ['a', 'b', 'c']);
  assert.deepEqual([...flow.labels], [0, 0, 0, 1, 1, 1, 1, 2, 2]);
  assert.deepEqual(flow.filenames.slice(0, 4), ['a/0.png', 'a/1.png', 'a/2.png', 'b/0.png']);
  assert.deepEqual([flow.samples, flow.batchSize, flow.stepsPerEpoch, flow.imageShape], [9, 32, 1, [4, 5, 3]]);
  const { xs, ys, indices } = await only(flow);
  assert.deepEqual(xs.shape, [9, 4, 5, 3]);
  assert.deepEqual(firsts(xs), [50, 51, 52, 100, 101, 102, 103, 200, 201]);
  assert.deepEqual(tf.argMax(ys, 1).arraySync(), [0, 0, 0, 1, 1, 1, 1, 2, 2]);
  assert.deepEqual(ys.shape, [9, 3]);
  assert.deepEqual([...indices], [0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test('classMode: sparse, binary, input and none', async (t) => {
  const folder = await pets(t);
  const datagen = imageDataGenerator({ rescale: 1 / 255 });
  const sparse = await only(await datagen.flowFromDirectory(folder, { ...SMALL, classMode: 'sparse' }));
  assert.deepEqual(sparse.ys.arraySync(), [0, 0, 0, 1, 1, 1, 1, 2, 2]);
  const two = { ...SMALL, classes: ['b', 'c'], classMode: 'binary' } as const;
  const binary = await only(await datagen.flowFromDirectory(folder, two));
  assert.deepEqual(binary.ys.arraySync(), [[0], [0], [0], [0], [1], [1]]);
  const input = await only(await datagen.flowFromDirectory(folder, { ...SMALL, classMode: 'input' }));
  assert.deepEqual(input.ys.dataSync(), input.xs.dataSync());
  const none: ImageFlow<undefined> = await datagen.flowFromDirectory(folder, { ...SMALL, classMode: null });
  assert.equal((await only(none)).ys, undefined);
});

test('classes chooses and orders', async (t) => {
  const folder = await pets(t);
  const flow = await imageDataGenerator().flowFromDirectory(folder, { ...SMALL, classes: ['c', 'a'] });
  assert.deepEqual(flow.classIndices, { c: 0, a: 1 });
  assert.deepEqual([...flow.labels], [0, 0, 1, 1, 1]);
});

test('colorMode gives 3, 1 or 4 channels', async (t) => {
  const half = await sharp({
    create: { width: 5, height: 4, channels: 4, background: { r: 200, g: 0, b: 0, alpha: 0.5 } },
  })
    .png()
    .toBuffer();
  const folder = await folderOf(t, { 'a/half.png': half });
  const values = async (colorMode: 'rgb' | 'grayscale' | 'rgba') => {
    const { xs } = await only(await imageDataGenerator().flowFromDirectory(folder, { ...SMALL, colorMode }));
    return [...xs.dataSync().slice(0, xs.shape[3])];
  };
  assert.deepEqual(await values('rgba'), [200, 0, 0, 128]);
  assert.deepEqual(await values('rgb'), [227, 127, 127]); // on white
  assert.equal((await values('grayscale')).length, 1);
});

/** Two halves, 0 and 240, of twice the target's width. */
async function edge(t: TestContext): Promise<string> {
  const data = Uint8Array.from({ length: 8 * 20 * 3 }, (_, i) => (Math.floor(i / 3) % 20 < 9 ? 0 : 240));
  return folderOf(t, {
    'a/edge.png': await sharp(data, { raw: { width: 20, height: 8, channels: 3 } })
      .png()
      .toBuffer(),
  });
}

test('interpolation: the nearest pixel, or a mean of them', async (t) => {
  const folder = await edge(t);
  const row = async (interpolation?: DirectoryFlowOptions['interpolation']) => {
    const options = { ...SMALL, targetSize: [4, 10], ...(interpolation && { interpolation }) } as const;
    const { xs } = await only(await imageDataGenerator().flowFromDirectory(folder, options));
    return [...xs.dataSync().slice(0, 30)].filter((_, i) => i % 3 === 0);
  };
  assert.ok((await row('nearest')).every((value) => value === 0 || value === 240));
  for (const interpolation of ['bilinear', 'bicubic', 'lanczos', undefined] as const) {
    assert.ok(
      (await row(interpolation)).some((value) => value > 20 && value < 220),
      String(interpolation),
    );
  }
});

test('a picture is stretched, or its centre cropped with keepAspectRatio', async (t) => {
  const folder = await edge(t);
  const brightShare = async (keepAspectRatio: boolean) => {
    const options = { targetSize: [8, 8], keepAspectRatio, interpolation: 'nearest' } as const;
    const { xs } = await only(await imageDataGenerator({ rescale: 1 / 240 }).flowFromDirectory(folder, options));
    return tf.mean(xs).dataSync()[0];
  };
  assert.ok(Math.abs((await brightShare(false)) - 11 / 20) < 0.1);
  assert.ok((await brightShare(true)) > 0.6); // columns 6 to 13: three dark, five bright
});

test('EXIF’s orientation is applied', async (t) => {
  const data = Uint8Array.from({ length: 4 * 8 * 3 }, (_, i) => (Math.floor(i / 3) % 8 < 4 ? 0 : 255));
  const jpeg = await sharp(data, { raw: { width: 8, height: 4, channels: 3 } })
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 100 })
    .toBuffer();
  const folder = await folderOf(t, { 'a/turned.jpg': jpeg });
  const { xs } = await only(await imageDataGenerator().flowFromDirectory(folder, { targetSize: [8, 4] }));
  const [top, bottom] = [tf.slice4d(xs, [0, 0, 0, 0], [1, 4, 4, 3]), tf.slice4d(xs, [0, 4, 0, 0], [1, 4, 4, 3])];
  assert.ok(tf.mean(top).dataSync()[0] < 20 && tf.mean(bottom).dataSync()[0] > 235);
});

test('a corrupt file is reported, and its place taken by another of its class', async (t) => {
  const good = await shade(10);
  const folder = await folderOf(t, {
    'a/0.png': good.subarray(0, 40),
    'a/1.png': await shade(11),
    'b/0.png': await shade(20),
    'b/notes.txt': 'no image',
    'b/1.heic': 'not read',
  });
  const flow = await imageDataGenerator().flowFromDirectory(folder, { ...SMALL, classMode: 'sparse' });
  assert.deepEqual(
    flow.skipped.map(({ path }) => path),
    [join(folder, 'b/1.heic')],
  );
  const { xs, ys, indices } = await only(flow);
  assert.deepEqual(firsts(xs), [11, 11, 20]);
  assert.deepEqual([...indices], [1, 1, 2]);
  assert.deepEqual(ys.arraySync(), [0, 0, 1]);
  assert.deepEqual(
    flow.skipped.map(({ path }) => path),
    [join(folder, 'b/1.heic'), join(folder, 'a/0.png')],
  );
});

test('linked folders inside a class are followed only if asked', async (t) => {
  const folder = await folderOf(t, {
    'a/0.png': await shade(1),
    'b/0.png': await shade(2),
    'a/deep/1.png': await shade(3),
  });
  const elsewhere = await folderOf(t, { '9.png': await shade(9) });
  await symlink(elsewhere, join(folder, 'a/more'));
  const datagen = imageDataGenerator();
  const off = await datagen.flowFromDirectory(folder, SMALL);
  assert.deepEqual(off.filenames, ['a/0.png', 'a/deep/1.png', 'b/0.png']);
  assert.match(off.skipped[0].reason, /linked folder, and followLinks is off/);
  const on = await datagen.flowFromDirectory(folder, { ...SMALL, followLinks: true });
  assert.deepEqual(on.filenames, ['a/0.png', 'a/deep/1.png', 'a/more/9.png', 'b/0.png']);
});

test('subsets: a share of every class, nothing twice, and copies of a file on one side', async (t) => {
  const files: Record<string, Uint8Array> = {};
  for (let i = 0; i < 10; i++) {
    files[`a/${i}.png`] = await shade(i < 4 ? 7 : 10 + i); // the first four are copies
    files[`b/${i}.png`] = await shade(100 + i);
  }
  const folder = await folderOf(t, files);
  const datagen = imageDataGenerator({ validationSplit: 0.2 });
  const train = await datagen.flowFromDirectory(folder, { ...SMALL, subset: 'training', seed: 1 });
  const held = await datagen.flowFromDirectory(folder, { ...SMALL, subset: 'validation', seed: 2 });
  assert.deepEqual([...train.filenames, ...held.filenames].sort(), Object.keys(files).sort());
  assert.equal(held.filenames.filter((name) => name.startsWith('b/')).length, 2);
  const copies = (names: readonly string[]) => names.filter((name) => /^a\/[0-3]\.png$/.test(name)).length;
  assert.ok([0, 4].includes(copies(held.filenames)));
  assert.equal((await datagen.flowFromDirectory(folder, SMALL)).samples, 20);
  const again = await imageDataGenerator({ validationSplit: 0.2, rotationRange: 5 }).flowFromDirectory(folder, {
    ...SMALL,
    subset: 'validation',
  });
  assert.deepEqual(again.filenames, held.filenames);
});

test('changed pictures are the same bits for any number of workers', async (t) => {
  const folder = await pets(t);
  const datagen = imageDataGenerator({ rotationRange: 20, brightnessRange: [0.5, 1], horizontalFlip: true });
  const run = async (workers: number) => {
    const flow = await datagen.flowFromDirectory(folder, { targetSize: [16, 16], batchSize: 2, seed: 3, workers });
    const all: number[] = [];
    for await (const { xs, indices } of flow) all.push(...indices, ...xs.dataSync());
    await flow.close();
    return all;
  };
  assert.deepEqual(await run(3), await run(1));
});

test('forTrain makes the pictures of the flow out of an image folder', async (t) => {
  const folder = await pets(t);
  const datagen = imageDataGenerator({ rescale: 1 / 255 });
  const { transforms, normalize } = datagen.forTrain();
  const splits = await imageFolder(folder, { size: [4, 5], resize: 'stretch', validation: 0 });
  const { batches } = await import('../../data/batches.ts');
  const ours = await only(batches(splits.train, { batchSize: 32, transforms, normalize }));
  const { xs } = await only(await datagen.flowFromDirectory(folder, SMALL));
  xs.dataSync().forEach((value, i) => {
    assert.ok(Math.abs(value - ours.images[i]) < 1e-6);
  });
  await splits.train.close();
});

test('impossible folders and options are named', async (t) => {
  const folder = await pets(t);
  const open = (options: object, path = folder) => imageDataGenerator().flowFromDirectory(path, options);
  const cases: readonly [options: object, message: RegExp][] = [
    [{ targetSize: 64 }, /targetSize must be \[height, width\], received 64$/],
    [{ targetSize: [0, 4] }, /whole numbers of pixels from 1/],
    [{ colorMode: 'cmyk' }, /colorMode must be one of rgb, grayscale, rgba, received 'cmyk'$/],
    [{ classMode: 'raw' }, /classMode must be one of categorical, binary, sparse, input, null, received 'raw'$/],
    [{ classMode: 'binary' }, /classMode 'binary' needs 2 classes, found 3: a, b, c$/],
    [
      { interpolation: 'hamming' },
      /interpolation must be one of nearest, bilinear, bicubic, lanczos, received 'hamming'$/,
    ],
    [{ classes: ['a', 'd'] }, /has no class folder 'd'; there are a, b, c$/],
    [{ classes: ['a', 'a'] }, /classes must differ, received 'a' twice$/],
    [{ subset: 'validation' }, /needs an ImageDataGenerator with a validationSplit above 0$/],
  ];
  for (const [options, message] of cases) {
    await assert.rejects(
      open(options),
      (error) => error instanceof DataError && message.test(error.message),
      JSON.stringify(options),
    );
  }
  await assert.rejects(open({}, join(folder, 'nothing')), /there is no folder/);
});
