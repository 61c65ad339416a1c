import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dataset } from './dataset.ts';
import { meanAndStd } from './statistics.ts';

function arrayDataset(images: Uint8Array, channels: number): Dataset {
  const size = images.length / (4 * channels);
  return {
    name: 'array',
    classes: ['a', 'b'],
    size,
    imageShape: [2, 2, channels],
    labels: new Int32Array(size),
    skipped: [],
    async read(indices) {
      const length = 4 * channels;
      const bytes = Array.from(indices, (i) => [...images.subarray(i * length, (i + 1) * length)]).flat();
      return { images: Uint8Array.from(bytes), indices: Int32Array.from(indices) };
    },
    close: async () => {},
  };
}

test('mean and deviation of all pixels, per channel', async () => {
  const images = Uint8Array.from({ length: 3 * 4 * 50 }, (_, i) => (i * i * 31) % 256);
  const { mean, std } = await meanAndStd(arrayDataset(images, 3));
  for (const c of [0, 1, 2]) {
    const values = [...images].filter((_, i) => i % 3 === c).map((v) => v / 255);
    const expected = values.reduce((a, b) => a + b) / values.length;
    const spread = Math.sqrt(values.reduce((a, b) => a + (b - expected) ** 2, 0) / values.length);
    assert.ok(Math.abs(mean[c] - expected) < 1e-12);
    assert.ok(Math.abs(std[c] - spread) < 1e-12);
  }
});

test('a sample is seeded and close to the whole', async () => {
  const images = Uint8Array.from({ length: 4 * 4000 }, (_, i) => (i * 7919) % 256);
  const dataset = arrayDataset(images, 1);
  const whole = await meanAndStd(dataset);
  const some = await meanAndStd(dataset, { sample: 500, seed: 1 });
  assert.deepEqual(some, await meanAndStd(dataset, { sample: 500, seed: 1 }));
  assert.notDeepEqual(some, await meanAndStd(dataset, { sample: 500, seed: 2 }));
  assert.ok(Math.abs(some.mean[0] - whole.mean[0]) < 0.03);
});

test('a channel that never varies gets a std that is harmless to divide by', async () => {
  const { mean, std } = await meanAndStd(arrayDataset(new Uint8Array(8).fill(51), 1));
  assert.deepEqual([mean, std], [[0.2], [1]]);
});
