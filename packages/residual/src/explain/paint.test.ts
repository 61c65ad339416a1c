// The heat map lies where the network looked, and shows the values that it has.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { decodeImage } from '../data/node/decode.ts';
import { paintHeat } from './paint.ts';
import { seenRegion } from './region.ts';

const alphaAt = (pixels: Uint8ClampedArray, width: number, x: number, y: number) => pixels[4 * (y * width + x) + 3];

test('the region is the part of a picture that decoding keeps', async () => {
  // A picture whose red grows to the right and green downwards tells by its pixels where each came from.
  const [width, height] = [240, 120];
  const ramps = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    return [Math.round((255 * x) / (width - 1)), Math.round((255 * y) / (height - 1)), 255][i % 3];
  });
  const file = new Uint8Array(
    await sharp(ramps, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );
  const inputShape = [30, 30, 3] as const;
  for (const resize of ['cover', 'stretch', 'contain'] as const) {
    for (const crop of [undefined, 0.75]) {
      const region = seenRegion({ width, height }, { inputShape, resize, crop });
      const seen = await decodeImage(file, { size: 30, resize, crop });
      // The left edge in the middle row, and the top edge in the middle column, unless they are padding.
      const middle = (x: number, y: number) => seen.subarray(3 * (y * 30 + x), 3 * (y * 30 + x) + 3);
      const expectedX = 255 * (region.x + region.width * (0.5 / 30));
      assert.ok(Math.abs(middle(0, 15)[0] - expectedX) < 6, `${resize} ${crop}: ${middle(0, 15)[0]}, ${expectedX}`);
      const expectedY = 255 * (region.y + region.height * (0.5 / 30));
      if (region.y >= 0) assert.ok(Math.abs(middle(15, 0)[1] - expectedY) < 6, `${resize} ${crop}: ${expectedY}`);
      else assert.equal(middle(15, 0)[2], 0, 'padding');
    }
  }
});

test('the colours follow the values, through each of them, and leave out what was not seen', () => {
  const heat = { width: 2, height: 1, values: [0, 1] };
  const region = { x: 0.25, y: 0, width: 0.5, height: 1 };
  const pixels = paintHeat(heat, 80, 4, region);
  const alphas = Array.from({ length: 80 }, (_, x) => alphaAt(pixels, 80, x, 2));
  assert.ok(alphas.slice(0, 20).every((alpha) => alpha === 0));
  assert.ok(alphas.slice(60).every((alpha) => alpha === 0));
  const seen = alphas.slice(20, 60);
  assert.ok(
    seen.every((alpha, i) => i === 0 || alpha >= seen[i - 1]),
    `${seen}`,
  );
  assert.ok(seen[0] < 5 && (seen.at(-1) ?? 0) > 200);
  const hottest = pixels.subarray(4 * (2 * 80 + 59), 4 * (2 * 80 + 59) + 3);
  assert.ok(hottest[0] > 240 && hottest[1] > 240 && hottest[2] > 140, `${hottest}`);
  // At the centre of a place stands its own value, however sharp its neighbours.
  const sharpMap = paintHeat({ width: 3, height: 3, values: [0, 0, 0, 0, 1, 0, 0, 0, 0] }, 9, 9);
  assert.equal(alphaAt(sharpMap, 9, 4, 4), 215);
  for (const [x, y] of [
    [1, 1],
    [7, 4],
    [4, 7],
  ])
    assert.equal(alphaAt(sharpMap, 9, x, y), 0);
});
