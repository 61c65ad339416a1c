import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomCrop } from '../augment/random-crop.ts';
import { randomFlip } from '../augment/random-flip.ts';
import type { BatchRequest, ImageShape } from './dataset.ts';
import { finishBatch } from './produce.ts';

const shape: ImageShape = [4, 4, 3];
const indices = Int32Array.from([5, 2, 9]);
const images = Uint8Array.from({ length: 3 * 48 }, (_, i) => (i * 37) % 256);
const request: BatchRequest = {
  indices,
  seed: 3,
  epoch: 2,
  transforms: [],
  normalize: { mean: [0.5, 0.25, 0], std: [0.5, 0.25, 2] },
  corrupt: 'replace',
};

test('bytes become (x / 255 - mean) / std per channel, rounded once', () => {
  const batch = finishBatch({ images, indices, requested: indices }, shape, request);
  const { mean, std } = request.normalize;
  assert.deepEqual(
    batch.images,
    Float32Array.from(images, (v, i) => (v / 255 - mean[i % 3]) / std[i % 3]),
  );
});

test("a sample's change does not depend on its batch, but on seed, epoch and index", () => {
  const transforms = [randomCrop({ padding: 2 }), randomFlip()];
  const make = (at: number[], change: Partial<BatchRequest> = {}) => {
    const some = Int32Array.from(at, (i) => indices[i]);
    const bytes = Uint8Array.from(at.flatMap((i) => [...images.subarray(i * 48, (i + 1) * 48)]));
    return finishBatch({ images: bytes, indices: some, requested: some }, shape, { ...request, transforms, ...change })
      .images;
  };
  const all = make([0, 1, 2]);
  for (const i of [0, 1, 2]) assert.deepEqual(make([i]), all.slice(i * 48, (i + 1) * 48));
  assert.deepEqual(make([2, 0]), Float32Array.from([...all.slice(96), ...all.slice(0, 48)]));
  assert.notDeepEqual(make([0, 1, 2], { epoch: 3 }), all);
  assert.notDeepEqual(make([0, 1, 2], { seed: 4 }), all);
});

test('an impossible normalisation is refused', () => {
  const run = (mean: number[], std: number[]) => () =>
    finishBatch({ images, indices, requested: indices }, shape, { ...request, normalize: { mean, std } });
  assert.throws(run([0], [1]), { name: 'DataError', message: /each of 3 channel\(s\), received 1 and 1/ });
  assert.throws(run([0, 0, 0], [1, 0, 1]), { name: 'DataError', message: /positive stds/ });
  assert.throws(run([0, Number.NaN, 0], [1, 1, 1]), { name: 'DataError', message: /finite means/ });
});
