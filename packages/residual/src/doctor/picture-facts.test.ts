import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../data/random.ts';
import { hammingDistance, perceptualHash } from './perceptual-hash.ts';
import { likeness, pictureFacts } from './picture-facts.ts';
import { resampleSquare } from './resample.ts';

/** A smooth picture: a few soft blobs, in any size. */
function blobs(seed: number, side: number, gain = 1, offset = 0): Uint8Array {
  const random = Random.at(seed);
  const spots = Array.from({ length: 6 }, () => [
    random.uniform(),
    random.uniform(),
    random.uniform(0.05, 0.3),
    random.uniform(60, 200),
  ]);
  return Uint8Array.from({ length: side * side }, (_, i) => {
    const [y, x] = [Math.floor(i / side) / side, (i % side) / side];
    const value = spots.reduce(
      (sum, [cy, cx, r, a]) => sum + a * Math.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (r * r)),
      0,
    );
    return Math.min(255, offset + gain * 0.4 * value);
  });
}

const distance = (a: readonly [number, number], b: readonly [number, number]) => hammingDistance(...a, ...b);

test('the hash is the signs of the plain cosine transform against their median', () => {
  const grey = resampleSquare(blobs(1, 32), 32, 32, 32);
  const frequencies = Array.from({ length: 64 }, (_, bit) => {
    const [v, u] = [bit >> 3, bit & 7];
    let sum = 0;
    for (let y = 0; y < 32; y++) {
      for (let x = 0; x < 32; x++) {
        sum +=
          grey[32 * y + x] * Math.cos(((2 * x + 1) * u * Math.PI) / 64) * Math.cos(((2 * y + 1) * v * Math.PI) / 64);
      }
    }
    return sum;
  });
  const median = frequencies.slice(1).sort((a, b) => a - b)[31];
  const [high, low] = perceptualHash(grey);
  frequencies.forEach((value, bit) => {
    const set = ((bit < 32 ? high : low) >>> (bit & 31)) & 1;
    assert.equal(set, bit > 0 && value > median ? 1 : 0, `bit ${bit}`);
  });
});

test('size, brightness and contrast do not change what a picture is taken for; another picture does', () => {
  const one = pictureFacts(blobs(1, 64), 64, 64, 1);
  for (const copy of [blobs(1, 200), blobs(1, 48), blobs(1, 64, 0.8, 20)]) {
    const side = Math.sqrt(copy.length);
    const other = pictureFacts(copy, side, side, 1);
    assert.ok(distance(one.hash, other.hash) <= 7, String(distance(one.hash, other.hash)));
    assert.ok(likeness(one.tiny, other.tiny) > 0.995);
  }
  for (let seed = 2; seed < 12; seed++) {
    const other = pictureFacts(blobs(seed, 64), 64, 64, 1);
    assert.ok(likeness(one.tiny, other.tiny) < 0.95);
  }
});

test('brightness, contrast and chroma', () => {
  const { brightness, contrast, chroma } = pictureFacts([255, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0, 255], 2, 2, 3);
  assert.ok(Math.abs(brightness - (0.299 * 255 + 0.114 * 255) / 2) < 1e-9);
  assert.ok(Math.abs(contrast - (0.185 * 255) / 2) < 1e-9);
  assert.equal(chroma, 255);
  assert.equal(pictureFacts(new Uint8Array(27).fill(80), 3, 3, 3).contrast, 0);
});

test('resampling keeps the mean, halves by pairs and repeats pixels', () => {
  assert.deepEqual(
    [...resampleSquare([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30], 4, 4, 2)],
    [5, 9, 21, 25],
  );
  assert.deepEqual([...resampleSquare([1, 3, 5, 7], 2, 2, 4)].slice(0, 8), [1, 1, 3, 3, 1, 1, 3, 3]);
  const picture = blobs(5, 30);
  const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b) / values.length;
  for (const side of [7, 32]) assert.ok(Math.abs(mean(resampleSquare(picture, 30, 30, side)) - mean(picture)) < 1e-9);
});

test('pictures without contrast are alike among themselves only', () => {
  assert.equal(likeness([5, 5], [9, 9]), 1);
  assert.equal(likeness([5, 5], [1, 9]), 0);
});
