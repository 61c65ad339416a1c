import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { encode as encodeBmp } from 'fast-bmp';
import sharp from 'sharp';
import { randomFlip } from '../../augment/random-flip.ts';
import { batches } from '../batches.ts';
import type { Dataset } from '../dataset.ts';
import { closeSplits } from '../dataset.ts';
import { decodeImage } from './decode.ts';
import type { ImageFolderOptions } from './image-folder.ts';
import { imageFolder } from './image-folder.ts';

type Format = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif' | 'bmp';

/** A small picture that differs for each `shade`, 0 to 255. */
async function picture(shade: number, format: Format = 'png'): Promise<Uint8Array> {
  const data = Uint8Array.from({ length: 12 * 10 * 3 }, (_, i) => (shade + (i % 3) * 20) % 256);
  if (format === 'bmp') return encodeBmp({ width: 12, height: 10, data, bitsPerPixel: 24, components: 3, channels: 3 });
  return sharp(data, { raw: { width: 12, height: 10, channels: 3 } })
    .toFormat(format)
    .toBuffer();
}

type Tree = { readonly [name: string]: Uint8Array | string | Tree };

async function write(folder: string, tree: Tree): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, entry] of Object.entries(tree)) {
    if (typeof entry === 'string' || entry instanceof Uint8Array) await writeFile(join(folder, name), entry);
    else await write(join(folder, name), entry);
  }
}

async function makeFolder(t: TestContext, tree: Tree): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'residual-folder-'));
  t.after(() => rm(root, { recursive: true }));
  await write(root, tree);
  return root;
}

async function makeClass(count: number, first: number): Promise<Tree> {
  const files = Array.from({ length: count }, async (_, i) => [
    `${String(i).padStart(3, '0')}.png`,
    await picture(first + i),
  ]);
  return Object.fromEntries(await Promise.all(files));
}

async function openFolder(t: TestContext, path: string, options: ImageFolderOptions = {}) {
  const splits = await imageFolder(path, { size: 8, ...options });
  t.after(() => closeSplits(splits));
  return splits;
}

const filesOf = (dataset: Dataset | undefined) =>
  Array.from({ length: dataset?.size ?? 0 }, (_, i) => {
    const path = dataset?.fileOf?.(i) ?? '';
    return `${basename(dirname(path))}/${basename(path)}`;
  });

test('sub-folders are classes, sorted; files of every format and depth are read as decodeImage reads them', async (t) => {
  const formats: Format[] = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif', 'bmp'];
  const images = Object.fromEntries(
    await Promise.all(formats.map(async (f) => [`x.${f}`, await picture(90, f)] as const)),
  );
  const root = await makeFolder(t, {
    zebra: { deep: { deeper: { 'a.PNG': await picture(1) } }, 'b.jpg': await picture(2, 'jpeg') },
    Ant: images,
    '.git': { 'x.png': 'hidden' },
  });
  const splits = await openFolder(t, root, { validation: 0 });
  assert.deepEqual(splits.classes, ['Ant', 'zebra']);
  assert.deepEqual([splits.imageShape, splits.validation, splits.test], [[8, 8, 3], undefined, undefined]);
  const { train } = splits;
  assert.equal(train.size, 9);
  assert.deepEqual([...train.labels], [0, 0, 0, 0, 0, 0, 0, 1, 1]);
  const { images: pixels, indices } = await train.read([...Array(9).keys()].reverse());
  assert.deepEqual([...indices], [8, 7, 6, 5, 4, 3, 2, 1, 0]);
  for (const [place, index] of indices.entries()) {
    const expected = await decodeImage(train.fileOf?.(index) ?? '', { size: 8 });
    assert.deepEqual(pixels.slice(place * 192, (place + 1) * 192), expected);
  }
  assert.deepEqual(train.skipped, []);
});

test('hidden files and other files are passed over; unreadable formats and empty files are counted', async (t) => {
  const root = await makeFolder(t, {
    a: {
      ...(await makeClass(2, 0)),
      '._000.png': 'mac',
      'notes.txt': 'x',
      'Thumbs.db': 'x',
      'phone.HEIC': 'x',
      'none.jpg': '',
    },
    b: await makeClass(2, 50),
    'stray.png': await picture(3),
  });
  await symlink(join(root, 'nowhere.png'), join(root, 'a', 'link.png'));
  const { train } = await openFolder(t, root, { validation: 0 });
  assert.equal(train.size, 4);
  assert.deepEqual(
    train.skipped.map(({ path, reason }) => `${basename(path)}: ${reason}`),
    [
      'link.png: broken link',
      'none.jpg: empty file',
      'phone.HEIC: .HEIC images cannot be read: convert them to JPEG or PNG',
      'stray.png: not in a class folder',
    ],
  );
});

test('links are followed, and a link in a circle is no trap', async (t) => {
  const root = await makeFolder(t, { a: await makeClass(2, 0), b: {}, store: { '1.png': await picture(9) } });
  await symlink(join(root, 'store'), join(root, 'b', 'linked'));
  await symlink(root, join(root, 'store', 'circle'));
  const { train } = await openFolder(t, root, { validation: 0 });
  assert.deepEqual(new Set(filesOf(train)).has('linked/1.png'), true);
});

test('splits are stratified and seeded, and copies of a file stay together', async (t) => {
  const a = await makeClass(40, 0);
  const copies = Object.fromEntries(Object.entries(a).map(([name, bytes]) => [`copy-${name}`, bytes]));
  const root = await makeFolder(t, { a: { ...a, ...copies }, b: await makeClass(20, 100) });
  const options = { validation: 0.2, test: 0.1, seed: 3 };
  const splits = await openFolder(t, root, options);
  const counts = [splits.train, splits.validation, splits.test].map((d) => [
    d?.labels.filter((l) => l === 0).length,
    d?.labels.filter((l) => l === 1).length,
  ]);
  assert.deepEqual(counts, [
    [56, 14],
    [16, 4],
    [8, 2],
  ]);
  const all = [splits.train, splits.validation, splits.test].map(filesOf);
  assert.equal(new Set(all.flat()).size, 100);
  for (const files of all) {
    const names = new Set(files);
    for (const file of names) {
      if (file.startsWith('a/copy-')) assert.ok(names.has(file.replace('copy-', '')), file);
    }
  }
  const again = await openFolder(t, root, options);
  assert.deepEqual([again.train, again.validation, again.test].map(filesOf), all);
  const other = await openFolder(t, root, { ...options, seed: 4 });
  assert.notDeepEqual(filesOf(other.validation), all[1]);
});

test('train, val and test folders are the splits', async (t) => {
  const root = await makeFolder(t, {
    train: { a: await makeClass(10, 0), b: await makeClass(10, 50) },
    val: { b: await makeClass(3, 100) },
    test: { a: await makeClass(2, 150), b: await makeClass(1, 170) },
  });
  const { classes, train, validation, test: held } = await openFolder(t, root);
  assert.deepEqual(classes, ['a', 'b']);
  assert.deepEqual([train.size, validation?.size, held?.size], [20, 3, 3]);
  assert.deepEqual([...(validation?.labels ?? [])], [1, 1, 1]);
  await rm(join(root, 'val'), { recursive: true });
  const withoutVal = await openFolder(t, root);
  assert.deepEqual([withoutVal.train.size, withoutVal.validation?.size, withoutVal.test?.size], [16, 4, 3]);
  await write(root, { validation: { c: await makeClass(1, 0) } });
  await assert.rejects(imageFolder(root), {
    name: 'DataError',
    message: /validation.c is a class that train\/ lacks; it has a, b$/,
  });
});

test('a class may be called train', async (t) => {
  const root = await makeFolder(t, { train: await makeClass(2, 0), plane: await makeClass(2, 50) });
  assert.deepEqual((await openFolder(t, root)).classes, ['plane', 'train']);
});

/** Class a has 6 files, of which three are corrupt in different ways; class b is sound. */
async function makeCorrupt(t: TestContext): Promise<string> {
  const noise = Uint8Array.from({ length: 60 * 60 * 3 }, (_, i) => (i * 7919) % 256);
  const jpeg = await sharp(noise, { raw: { width: 60, height: 60, channels: 3 } })
    .jpeg()
    .toBuffer();
  return makeFolder(t, {
    a: {
      ...(await makeClass(3, 10)),
      '001.jpg': jpeg.subarray(0, jpeg.length / 2),
      '003.jpg': 'plain text',
      '004.png': 'GIF8',
    },
    b: await makeClass(4, 100),
  });
}

test('a corrupt file is replaced by the next of its class, recorded once, and never fatal', async (t) => {
  const { train } = await openFolder(t, await makeCorrupt(t), { validation: 0 });
  assert.deepEqual(filesOf(train).slice(0, 6), [
    'a/000.png',
    'a/001.jpg',
    'a/001.png',
    'a/002.png',
    'a/003.jpg',
    'a/004.png',
  ]);
  for (let round = 0; round < 2; round++) {
    const { images, indices } = await train.read([0, 1, 2, 3, 4, 5, 6]);
    assert.deepEqual([...indices], [0, 2, 2, 3, 0, 0, 6]);
    assert.deepEqual(images.slice(192, 384), images.slice(2 * 192, 3 * 192));
  }
  const reasons = train.skipped.map(({ path, reason }) => [basename(path), reason]).sort();
  assert.deepEqual(
    reasons.map(([name]) => name),
    ['001.jpg', '003.jpg', '004.png'],
  );
  assert.match(reasons[0][1], /^damaged: /);
  assert.match(reasons[1][1], /^not a JPEG, .*"plain te"$/);
});

test('batches keep their size, or drop what is corrupt', async (t) => {
  const { train } = await openFolder(t, await makeCorrupt(t), { validation: 0 });
  const replaced: number[][] = [];
  for await (const { indices, labels } of batches(train, { batchSize: 5, workers: 2 })) {
    replaced.push([...indices]);
    assert.deepEqual(
      [...labels],
      [...indices].map((i) => train.labels[i]),
    );
  }
  assert.deepEqual(replaced, [
    [0, 2, 2, 3, 0],
    [0, 6, 7, 8, 9],
  ]);
  const kept: number[][] = [];
  for await (const { indices, size, images } of batches(train, { batchSize: 5, corrupt: 'drop' })) {
    kept.push([...indices]);
    assert.equal(images.length, size * 192);
  }
  assert.deepEqual(kept, [
    [0, 2, 3],
    [6, 7, 8, 9],
  ]);
  assert.equal(train.skipped.length, 3);
});

test('batches of a folder are the same for any number of workers, and after a restart', async (t) => {
  const root = await makeCorrupt(t);
  const run = async (workers: number, startBatch = 0) => {
    const { train } = await openFolder(t, root, { validation: 0 });
    const all = [];
    const options = { batchSize: 3, seed: 2, epoch: 1, shuffle: true, transforms: [randomFlip()], workers, startBatch };
    for await (const batch of batches(train, options)) all.push(batch);
    return all;
  };
  const expected = await run(1);
  assert.deepEqual(await run(3), expected);
  assert.deepEqual(await run(1, 2), expected.slice(2));
});

test('a class of which nothing can be read ends in one line', async (t) => {
  const root = await makeFolder(t, { cat: { '1.jpg': 'no', '2.jpg': 'no' }, dog: await makeClass(2, 0) });
  const { train } = await openFolder(t, root, { validation: 0 });
  await assert.rejects(train.read([0]), {
    name: 'DataError',
    message: "none of the images of class 'cat' can be read",
  });
});

test('every mistake in a folder is one clear line', async (t) => {
  const image = await picture(1);
  const root = await makeFolder(t, {
    'no-classes': { 'a.png': image, 'b.png': image },
    nothing: {},
    one: { cat: { 'a.png': image } },
    empty: { cat: { 'a.png': image }, dog: {} },
    unusable: { cat: { 'a.png': image }, dog: { 'a.jpg': '', 'b.heic': 'x' } },
    good: { cat: { 'a.png': image }, dog: { 'a.png': image } },
    'file.txt': 'x',
  });
  const cases: [string, ImageFolderOptions, RegExp][] = [
    ['wrong', {}, /^there is no folder .*wrong$/],
    ['file.txt', {}, /file\.txt is a file; a folder with a sub-folder for each class is expected$/],
    ['no-classes', {}, /no-classes has no class folders \(found 2 image\(s\) directly in it\): put each class's/],
    ['nothing', {}, /nothing has no class folders \(found no images either\)/],
    ['one', {}, /one has only one class, 'cat': at least two sub-folders are needed$/],
    ['empty', {}, /^the class folder .*dog holds no images: fill it or remove it$/],
    ['unusable', {}, /^the class folder .*dog holds no images \(2 unusable file\(s\): empty file\): fill it/],
    ['good', { validation: 1 }, /validation and test are the parts to hold out, .* received 1 and 0$/],
    ['good', { validation: 0.6, test: 0.5 }, /together less than 1, received 0.6 and 0.5$/],
    ['good', { size: 0 }, /^size must be whole numbers/],
    ['good', { seed: 0.5 }, /^seed must be an integer/],
  ];
  for (const [name, options, message] of cases) {
    await assert.rejects(imageFolder(join(root, name), options), { name: 'DataError', message });
  }
});
