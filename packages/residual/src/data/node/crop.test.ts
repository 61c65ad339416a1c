/** The cut of the centre and the choice of filter, with which ImageNet's networks were evaluated: as Pillow does it, and
 *  the same wherever pictures are read. */

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { batches } from '../batches.ts';
import type { Interpolation, Splits } from '../dataset.ts';
import { closeSplits } from '../dataset.ts';
import { DataError } from '../errors.ts';
import { decodeImage } from './decode.ts';
import { fashionMnist } from './embedded.ts';
import { imageFolder } from './image-folder.ts';

const fixtures = join(import.meta.dirname, 'fixtures');

function distance(a: ArrayLike<number>, b: ArrayLike<number>): { readonly mean: number; readonly most: number } {
  assert.equal(a.length, b.length);
  const all = Array.from(a, (value, i) => Math.abs(value - (b[i] ?? Number.NaN)));
  return { mean: all.reduce((sum, value) => sum + value, 0) / all.length, most: Math.max(...all) };
}

for (const [interpolation, crop, size] of [
  ['bilinear', 0.875, 28],
  ['bicubic', 0.95, 40],
  ['bilinear', 224 / 232, 56],
] as const satisfies readonly (readonly [Interpolation, number, number])[]) {
  test(`${interpolation}, crop ${crop.toFixed(3)}: the pixels are those of Pillow`, async () => {
    const expected = await decodeImage(join(fixtures, `cut-${interpolation}-${crop.toFixed(4)}-${size}.png`), { size });
    const picture = join(fixtures, 'picture.png');
    const { mean, most } = distance(await decodeImage(picture, { size, crop, interpolation }), expected);
    assert.ok(mean < 0.3 && most <= 6, `mean ${mean}, most ${most}`);
    // Without either, it is another picture.
    assert.ok(distance(await decodeImage(picture, { size, interpolation }), expected).mean > 5);
    assert.ok(distance(await decodeImage(picture, { size, crop }), expected).mean > 0.8);
  });
}

test('impossible values are refused before anything is read', async () => {
  const bad = (options: object, message: RegExp) =>
    assert.rejects(
      decodeImage('no such file', options),
      (error) => error instanceof DataError && message.test(error.message),
    );
  for (const crop of [0, -1, 1.01, Number.NaN])
    await bad({ crop }, /^crop must be greater than 0 and at most 1, received/);
  await bad(
    { interpolation: 'best' },
    /^interpolation must be one of nearest, bilinear, bicubic, lanczos; received 'best'$/,
  );
  await assert.rejects(imageFolder(fixtures, { crop: 2 }), /^DataError: crop must be/);
  await assert.rejects(fashionMnist({ crop: 0 }), /^DataError: crop must be/);
});

/** The first pictures of a set, and those of a finished batch that undoes its normalisation. */
async function firstOf(splits: Splits, count: number): Promise<Uint8Array> {
  const { images } = await splits.train.read(Array.from({ length: count }, (_, i) => i));
  const normalize = { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] };
  const channels = splits.imageShape[2];
  const norm = { mean: normalize.mean.slice(0, channels), std: normalize.std.slice(0, channels) };
  for await (const batch of batches(splits.train, { batchSize: count, shuffle: false, normalize: norm })) {
    assert.ok(distance(batch.images, images).most < 1e-3, 'training and reading see the same picture');
    break;
  }
  return images;
}

test('a folder of pictures is read with the cut, and says so', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'residual-crop-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const name of ['a', 'b']) {
    await mkdir(join(folder, name));
    await sharp(join(fixtures, 'picture.png')).toFile(join(folder, name, '0.png'));
  }
  const options = { size: 28, crop: 0.875, interpolation: 'bilinear', validation: 0 } as const;
  const splits = await imageFolder(folder, options);
  assert.deepEqual([splits.crop, splits.interpolation], [0.875, 'bilinear']);
  const one = await decodeImage(join(fixtures, 'picture.png'), options);
  assert.deepEqual((await firstOf(splits, 2)).subarray(0, one.length), one);
  await closeSplits(splits);
});

test('images in memory are cut too, even at the size in which they are stored', async () => {
  const plain = await fashionMnist({ validation: 0 });
  const cut = await fashionMnist({ validation: 0, crop: 0.875, interpolation: 'bilinear' });
  const [as, other] = [await firstOf(plain, 1), await firstOf(cut, 1)];
  const raw = { raw: { width: 28, height: 28, channels: 1 } } as const;
  const expected = await decodeImage(await sharp(as, raw).png().toBuffer(), {
    size: 28,
    channels: 1,
    crop: 0.875,
    interpolation: 'bilinear',
  });
  assert.deepEqual(other, expected);
  assert.notDeepEqual(other, as);
  await Promise.all([closeSplits(plain), closeSplits(cut)]);
});
