import assert from 'node:assert/strict';
import { test } from 'node:test';
import { augment } from './augment.ts';
import { cutout } from './cutout.ts';
import { blur, gaussianBlur } from './gaussian-blur.ts';
import { randomErasing } from './random-erasing.ts';
import type { Picture } from './transform.ts';

const white = (height: number, width: number): Picture => ({
  data: new Uint8Array(height * width).fill(255),
  height,
  width,
  channels: 1,
});

/** Rows and columns of what is not white. */
function hole({ data, height, width }: Picture) {
  const rows = new Set<number>();
  const columns = new Set<number>();
  let count = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[y * width + x] === 255) continue;
      rows.add(y);
      columns.add(x);
      count++;
    }
  }
  return { height: rows.size, width: columns.size, count, columns };
}

test('cutout paints one square of the mean colour, cut off at the edges, with its middle anywhere', () => {
  const seen = new Set<number>();
  for (let index = 0; index < 300; index++) {
    const made = augment(white(9, 12), [cutout({ size: 4 })], { index, mean: [99.7] });
    const { height, width, count, columns } = hole(made);
    assert.equal(count, height * width);
    assert.ok(height >= 1 && height <= 4 && width >= 1 && width <= 4);
    assert.ok(made.data.every((value) => value === 255 || value === 100));
    for (const x of columns) seen.add(x);
  }
  assert.equal(seen.size, 12);
});

test('random erasing keeps to its scale and ratio, and inside', () => {
  for (let index = 0; index < 200; index++) {
    const erase = randomErasing({ probability: 1, scale: [0.1, 0.2], ratio: [0.5, 2], fill: 0 });
    const { height, width, count } = hole(augment(white(40, 50), [erase], { index }));
    assert.equal(count, height * width);
    assert.ok(count / 2000 > 0.085 && count / 2000 < 0.22, `${count}`);
    assert.ok(height / width > 0.44 && height / width < 2.3);
  }
  const noise = augment(white(40, 50), [randomErasing({ probability: 1, fill: 'noise' })], { index: 1 });
  assert.ok(new Set(noise.data).size > 40);
});

test('a blur keeps the mean and spreads a point as a Gaussian', () => {
  const data = new Float32Array(31 * 31);
  data[15 * 31 + 15] = 1000;
  const spread = Array.from(blur({ data, height: 31, width: 31, channels: 1 }, 2).data);
  const sum = spread.reduce((a, b) => a + b, 0);
  assert.ok(Math.abs(sum - 1000) < 0.5);
  const variance = spread.reduce((total, value, i) => total + value * (Math.floor(i / 31) - 15) ** 2, 0) / sum;
  assert.ok(Math.abs(variance - 4) < 0.1, `${variance}`);
  assert.ok(Math.abs(spread[15 * 31 + 15] / spread[15 * 31 + 17] - Math.exp(0.5)) < 1e-3);
  const flat = augment(white(5, 7), [gaussianBlur({ probability: 1 })]);
  assert.deepEqual(flat.data, white(5, 7).data);
});
