/** `residual augment` as a user runs it: a sheet of the expected size, and mistakes in one line. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import sharp from 'sharp';
import { textPixels } from './letters.ts';
import { makePhotos, residual, temporaryFolder } from './testing.ts';

let folder = '';

before(async () => {
  folder = await temporaryFolder();
  await makePhotos(join(folder, 'photos'), 2);
});

after(() => rm(folder, { recursive: true }));

test('a row for each image and a column for each epoch; the same seed gives the same sheet', async () => {
  const args = ['augment', 'photos', '--size', '32x40', '--images', '3', '--variants', '2'];
  const list = 'randomResizedCrop,randomFlip,cutout(size=10),mixup';
  const run = await residual([...args, '--transforms', list, '--out', 'a.png'], { cwd: folder });
  assert.deepEqual(run, { code: 0, stdout: 'a.png: 3 images of photos/train, each in 2 epochs\n', stderr: '' });
  const { info, data } = await sharp(join(folder, 'a.png')).raw().toBuffer({ resolveWithObject: true });
  // Cells of 4 times the size, gaps of 8, and a line of text of 12 pixels below each.
  assert.deepEqual([info.height, info.width], [8 + 3 * (128 + 12 + 8), 8 + 3 * (160 + 8)]);
  const cell = (row: number, column: number) => {
    const [top, left] = [8 + row * 148, 8 + column * 168];
    return Array.from({ length: 128 }, (_, y) => [
      ...data.subarray(((top + y) * info.width + left) * 3, ((top + y) * info.width + left + 160) * 3),
    ]);
  };
  for (const row of [0, 1]) {
    assert.notDeepEqual(cell(row, 1), cell(row, 0));
    assert.notDeepEqual(cell(row, 2), cell(row, 1));
  }
  await residual([...args, '--transforms', list, '--out', 'b.png'], { cwd: folder });
  assert.deepEqual(await readFile(join(folder, 'b.png')), await readFile(join(folder, 'a.png')));
});

test('mistakes are one line, and write nothing', async () => {
  const refused = async (list: string, message: string) => {
    const run = await residual(['augment', 'photos', '--transforms', list], { cwd: folder });
    assert.equal(run.code, 1);
    assert.match(run.stderr.split('\n')[0] ?? '', new RegExp(`^error: ${message}`));
    assert.doesNotMatch(run.stderr, /^\s+at /m);
  };
  await refused('randomCrob', "no augmentation is called 'randomCrob'; there are randomCrop, ");
  await refused('randomCrop(padding=-1)', 'randomCrop: padding must be a whole number from 0 up');
  await refused('mixup,randomFlip', 'randomFlip changes single pictures: it must stand before mixup and cutMix');
  assert.ok(!existsSync(join(folder, 'augmented.png')));
});

test('letters', () => {
  const shown = (text: string) => {
    const rows = Array.from({ length: 7 }, () => Array(5).fill('.'));
    for (const [y, x] of textPixels(text)) rows[y][x] = '#';
    return rows.map((row) => row.join(''));
  };
  assert.deepEqual(shown('F'), ['#####', '#....', '#....', '####.', '#....', '#....', '#....']);
  assert.deepEqual(shown('é'), shown('?'));
});
