/** A random resized crop sees more of a file than the network's size, so that a small window has its own detail. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import sharp from 'sharp';
import { randomFlip } from '../../augment/random-flip.ts';
import { randomResizedCrop } from '../../augment/random-resized-crop.ts';
import type { Transform } from '../../augment/transform.ts';
import { batches } from '../batches.ts';
import { closeSplits } from '../dataset.ts';
import { imageFolder } from './image-folder.ts';

let folder = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'residual-crops-'));
  for (const name of ['a', 'b']) {
    await mkdir(join(folder, name));
    for (let n = 0; n < 4; n++) {
      // Stripes of two pixels, which a picture of 32 × 32 cannot hold: it would be grey.
      const data = Uint8Array.from({ length: 128 * 192 * 3 }, (_, i) => (Math.floor(i / 6) % 2 === 0 ? 255 : 0));
      await sharp(data, { raw: { height: 128, width: 192, channels: 3 } })
        .png()
        .toFile(join(folder, name, `${n}.png`));
    }
  }
});

after(() => rm(folder, { recursive: true }));

/** The spread of the values of each image, 0–1. */
async function contrasts(transforms: readonly Transform[], workers = 1): Promise<number[]> {
  const splits = await imageFolder(folder, { size: 32, validation: 0 });
  const found: number[] = [];
  for await (const { images, size } of batches(splits.train, { batchSize: 3, seed: 2, transforms, workers })) {
    for (let i = 0; i < size; i++) {
      const image = images.subarray((i * images.length) / size, ((i + 1) * images.length) / size);
      found.push(Math.max(...image) - Math.min(...image));
    }
  }
  await closeSplits(splits);
  return found;
}

test('small windows keep the detail that the file has', async () => {
  // A window of a tenth of the area is about 40 pixels high.
  const scale = [0.04, 0.06] as const;
  const detailed = await contrasts([randomResizedCrop({ scale, decodeSize: 128 }), randomFlip()]);
  assert.equal(detailed.length, 8);
  assert.ok(
    detailed.every((contrast) => contrast > 0.8),
    `${detailed}`,
  );
  const small = await contrasts([randomResizedCrop({ scale, decodeSize: 32 })]);
  assert.ok(
    small.every((contrast) => contrast < 0.3),
    `${small}`,
  );
  // Later in the list it takes what the others leave: pictures of the network's size.
  const later = await contrasts([randomFlip(), randomResizedCrop({ scale })]);
  assert.ok(
    later.every((contrast) => contrast < 0.3),
    `${later}`,
  );
  assert.deepEqual(await contrasts([randomResizedCrop({ scale, decodeSize: 128 }), randomFlip()], 3), detailed);
});
