import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../data/random.ts';
import {
  applyMatrix,
  brightness,
  type ColorMatrix,
  chain,
  contrast,
  grey,
  hue,
  LUMA,
  meanGrey,
  saturation,
} from './color.ts';
import { sharpen } from './sharpness.ts';
import { autoContrast, equalize, posterize, solarize } from './tables.ts';
import type { Picture } from './transform.ts';

const pixel = (...data: number[]): Picture => ({
  data: Float32Array.from(data),
  height: 1,
  width: 1,
  channels: data.length,
});

function through(matrix: ColorMatrix, picture: Picture): number[] {
  const out = new Float32Array(picture.data.length);
  applyMatrix(picture, out, matrix);
  return [...out].map((value) => Math.round(value * 100) / 100);
}

test('brightness, contrast, saturation and grey', () => {
  const p = pixel(100, 60, 20);
  const luma = 0.299 * 100 + 0.587 * 60 + 0.114 * 20;
  assert.deepEqual(through(brightness(3, 1.5), p), [150, 90, 30]);
  assert.deepEqual(through(contrast(3, 2, 50), p), [150, 70, 0], 'clamped below');
  assert.deepEqual(through(saturation(3, 0), p), Array(3).fill(Math.round(luma * 100) / 100));
  assert.deepEqual(through(grey(1), pixel(77)), [77]);
  assert.deepEqual(
    through(saturation(3, 2), p).map(Math.round),
    [100, 60, 20].map((v) => Math.max(0, Math.round(luma + 2 * (v - luma)))),
  );
  assert.ok(
    Math.abs(meanGrey({ data: Uint8Array.from([100, 60, 20, 0, 0, 0]), height: 1, width: 2, channels: 3 }) - luma / 2) <
      1e-9,
  );
});

test('a turn of the hue keeps luma and greys, adds up, and comes back', () => {
  const p = pixel(140, 110, 90);
  const luma = (values: readonly number[]) => values.reduce((sum, value, c) => sum + value * LUMA[c], 0);
  for (const turn of [0.1, -0.3, 0.5]) {
    assert.ok(Math.abs(luma(through(hue(3, turn), p)) - luma([140, 110, 90])) < 0.01);
    assert.deepEqual(through(hue(3, turn), pixel(80, 80, 80)).map(Math.round), [80, 80, 80]);
    assert.deepEqual(through(chain(3, hue(3, turn), hue(3, -turn)), p).map(Math.round), [140, 110, 90]);
  }
  assert.deepEqual(through(chain(3, hue(3, 0.1), hue(3, 0.15)), p), through(hue(3, 0.25), p));
  const red = through(hue(3, 1 / 3), pixel(150, 50, 50));
  assert.ok(red[1] > red[0] || red[2] > red[0], 'red does not stay red');
  assert.throws(() => hue(2, 0.1), { name: 'DataError', message: /1 or 3 channels, received 2/ });
});

test('a chain is its members one after the other', () => {
  const random = Random.at(8);
  for (let i = 0; i < 20; i++) {
    const matrices = [1, 2, 3].map(() =>
      Array.from({ length: 12 }, () => random.uniform(-0.3, 0.5)).map((v, j) => v + (j % 5 === 0 ? 0.5 : 0)),
    );
    const p = pixel(90, 120, 100);
    const oneByOne = matrices.reduce(
      (seen, m) => {
        // Without the clamping, which a chain does once.
        const at = (r: number) => m[4 * r] * seen[0] + m[4 * r + 1] * seen[1] + m[4 * r + 2] * seen[2] + m[4 * r + 3];
        return [at(0), at(1), at(2)];
      },
      [90, 120, 100],
    );
    through(chain(3, ...matrices), p).forEach((value, c) => {
      assert.ok(Math.abs(value - Math.max(0, Math.min(255, oneByOne[c]))) < 0.01);
    });
  }
});

test('posterize, solarize, autoContrast and equalize are Pillow’s', () => {
  const [four] = posterize(1, 2);
  assert.deepEqual([four[0], four[63], four[64], four[255]], [0, 0, 64, 192]);
  const [zero] = posterize(1, 0);
  assert.equal(zero[255], 0);
  const [inverted] = solarize(1, 128);
  assert.deepEqual([inverted[127], inverted[128], inverted[255]], [127, 127, 0]);
  const grey = (...data: number[]) => ({ data: Uint8Array.from(data), height: 1, width: data.length, channels: 1 });
  const [stretched] = autoContrast(grey(50, 75, 100));
  assert.deepEqual([stretched[50], stretched[75], stretched[100]], [0, 128, 255]);
  assert.equal(autoContrast(grey(50, 50))[0][50], 50, 'one value alone stays');
  // 1020 pixels, 4 for each level: half of them 10, a quarter 20, the rest 30, as PIL.ImageOps.equalize counts.
  const [levels] = equalize(grey(...Array(510).fill(10), ...Array(255).fill(20), ...Array(255).fill(30)));
  const step = Math.floor((1020 - 255) / 255);
  const half = Math.floor(step / 2);
  assert.deepEqual(
    [levels[10], levels[20], levels[30]],
    [half, half + 510, half + 765].map((n) => Math.min(255, Math.floor(n / step))),
  );
  assert.equal(equalize(grey(9, 9, 9))[0][9], 9);
});

test('sharpness 0 smooths the inside, 1 changes nothing, 2 goes as far the other way', () => {
  const data = Uint8Array.from([0, 0, 0, 0, 130, 0, 0, 0, 0]);
  const at = (factor: number) => sharpen({ data, height: 3, width: 3, channels: 1 }, factor).data;
  assert.equal(at(0)[4], 50);
  assert.deepEqual(at(1), data);
  assert.equal(at(1.5)[4], 170);
  assert.equal(at(0)[0], 0, 'the border stays');
});
