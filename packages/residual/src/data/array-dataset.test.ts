import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrayDataset } from './array-dataset.ts';
import { batches } from './batches.ts';
import { DataError } from './errors.ts';

const options = {
  images: Uint8Array.from({ length: 3 * 4 }, (_, i) => i),
  labels: [1, 0, 1],
  classes: ['a', 'b'],
  imageShape: [2, 2, 1],
} as const;

test('arrays are read sample by sample, and make batches', async () => {
  const data = arrayDataset(options);
  assert.deepEqual((await data.read([2, 0])).images, Uint8Array.of(8, 9, 10, 11, 0, 1, 2, 3));
  assert.deepEqual([...data.labels], [1, 0, 1]);
  const seen: number[] = [];
  for await (const { labels, images } of batches(data, { batchSize: 2 })) {
    seen.push(...labels);
    assert.equal(images.length, labels.length * 4);
  }
  assert.deepEqual(seen, [1, 0, 1]);
});

test('what does not fit is refused', async () => {
  const wrong = (change: object, message: RegExp) =>
    assert.throws(
      () => arrayDataset({ ...options, ...change }),
      (error) => error instanceof DataError && message.test(error.message),
    );
  wrong({ labels: [1, 0] }, /2 labels and images of 2×2×1 make 8 bytes, received 12/);
  wrong({ labels: [1, 2, 0] }, /labels must be from 0 to 1 \(2 classes\), received 2/);
  wrong({ labels: [1, -1, 0] }, /received -1/);
  await assert.rejects(arrayDataset(options).read([3]), /has samples 0 to 2, asked for 3/);
});
