import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { type Affine, aboutCentre, compose, rotate } from './affine.ts';
import { augment } from './augment.ts';
import { randomResizedCrop } from './random-resized-crop.ts';
import { warpSmooth } from './resample.ts';
import { scene } from './testing.ts';
import type { Edge, Picture } from './transform.ts';
import { warp } from './warp.ts';

const edge: Edge = { fillMode: 'nearest', cval: [0, 0, 0] };

/** Pixel edges of both sizes coincide. */
function scaling(from: Picture, height: number, width: number): Affine {
  const [rows, columns] = [from.height / height, from.width / width];
  return [rows, 0, rows / 2 - 0.5, 0, columns, columns / 2 - 0.5];
}

test('scaling down is the triangle filter of libvips, away from the edges', async () => {
  const picture = scene(96, 132);
  const [height, width] = [40, 55];
  const ours = warpSmooth(picture, { height, width }, scaling(picture, height, width), edge);
  const raw = { height: 96, width: 132, channels: 3 } as const;
  const theirs = await sharp(picture.data, { raw })
    .resize(width, height, { fit: 'fill', kernel: 'linear' })
    .raw()
    .toBuffer();
  let most = 0;
  for (let y = 2; y < height - 2; y++) {
    for (let i = (y * width + 2) * 3; i < (y * width + width - 2) * 3; i++) {
      most = Math.max(most, Math.abs(ours.data[i] - theirs[i]));
    }
  }
  // Libvips works in whole steps of its own between the two passes.
  assert.ok(most <= 3, `${most}`);
});

test('a chequerboard of single pixels becomes grey, not a pattern, turned or not', () => {
  const [height, width] = [64, 90];
  const data = Uint8Array.from({ length: height * width * 3 }, (_, i) =>
    ((Math.floor(i / 3) % width) + Math.floor(i / 3 / width)) % 2 === 0 ? 255 : 0,
  );
  const picture = { data, height, width, channels: 3 };
  const size = { height: 17, width: 19 };
  for (const turn of [0, 30]) {
    const map = compose(scaling(picture, 17, 19), aboutCentre(rotate(turn), size));
    const smooth = warpSmooth(picture, size, map, edge).data;
    assert.ok(
      smooth.every((value) => value > 90 && value < 165),
      `turned by ${turn}`,
    );
    assert.ok(warp(picture, size, map, edge).data.some((value) => value < 60 || value > 195));
  }
});

test('where a picture gets larger, it is plain bilinear', () => {
  const picture = scene(7, 9);
  const map = scaling(picture, 20, 21);
  assert.deepEqual(
    warpSmooth(picture, { height: 20, width: 21 }, map, edge),
    warp(picture, { height: 20, width: 21 }, map, edge),
  );
});

test('a random resized crop keeps to its scale and ratio, and shows the whole picture at scale 1 and its own ratio', () => {
  const [height, width] = [40, 60];
  // Each pixel says where it is.
  const data = Float32Array.from({ length: height * width * 2 }, (_, i) =>
    i % 2 === 0 ? Math.floor(i / 2 / width) : Math.floor(i / 2) % width,
  );
  const picture = { data, height, width, channels: 2 };
  const target = { height: 64, width: 64 };
  for (let index = 0; index < 200; index++) {
    const made = augment(picture, [randomResizedCrop({ scale: [0.2, 0.5], ratio: [0.5, 2] })], { target, index });
    assert.deepEqual([made.height, made.width], [64, 64]);
    // Between the middle pixels the places differ by the window's height and width over 64.
    const at = (y: number, x: number, c: number) => made.data[(y * 64 + x) * 2 + c];
    const [h, w] = [(at(40, 32, 0) - at(24, 32, 0)) * 4, (at(32, 40, 1) - at(32, 24, 1)) * 4];
    const area = (h * w) / (height * width);
    assert.ok(area > 0.17 && area < 0.54, `area ${area}`);
    assert.ok(w / h > 0.46 && w / h < 2.15, `ratio ${w / h}`);
  }
  const whole = augment(picture, [randomResizedCrop({ scale: [1, 1], ratio: [1.5, 1.5] })], { target: picture });
  assert.deepEqual(whole.data, data);
  const tall = augment(picture, [randomResizedCrop({ scale: [1, 1], ratio: [0.5, 0.5] })], {
    target: { height: 40, width: 20 },
  });
  assert.deepEqual([tall.data[0], tall.data[1]], [0, 20], 'what never fits gives the largest window, in the middle');
});
