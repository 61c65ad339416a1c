import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomFlip } from '../augment/random-flip.ts';
import { batches } from './batches.ts';
import type { Dataset } from './dataset.ts';
import { finishBatch } from './produce.ts';
import { subset } from './subset.ts';

/** Ten pictures of 1 × 2 whose pixels are their index and 100; those in `corrupt` cannot be read. */
function numbered(corrupt: readonly number[] = []): Dataset {
  const labels = Int32Array.from({ length: 10 }, (_, i) => i % 2);
  const read = async (indices: ArrayLike<number>) => ({
    images: Uint8Array.from(Array.from(indices).flatMap((i) => [i, 100])),
    indices: Int32Array.from(indices),
  });
  return {
    ...{ name: 'numbered', classes: ['even', 'odd'], size: 10, imageShape: [1, 2, 1], labels, skipped: [], read },
    nameOf: (index) => `train#${index}`,
    async produce(request) {
      assert.equal(request.corrupt, 'drop', 'a view asks for no stand-ins, for they may lie outside');
      const there = request.indices.filter((index) => !corrupt.includes(index));
      const { images, indices } = await read(there);
      return finishBatch({ images, indices, requested: there }, [1, 2, 1], request);
    },
    close: async () => {},
  };
}

async function seen(dataset: Dataset, corrupt: 'replace' | 'drop' = 'replace') {
  const rows: [index: number, label: number, pixel: number][] = [];
  for await (const { images, indices, labels, size } of batches(dataset, { batchSize: 3, corrupt })) {
    for (let i = 0; i < size; i++) rows.push([indices[i], labels[i], Math.round(images[2 * i] * 255)]);
  }
  return rows;
}

test('a view has the samples, labels and names that it was given', async () => {
  const part = subset(numbered(), [7, 2, 5]);
  assert.deepEqual([part.size, ...part.labels], [3, 1, 0, 1]);
  assert.equal(part.nameOf?.(0), 'train#7');
  assert.deepEqual(await seen(part), [
    [0, 1, 7],
    [1, 0, 2],
    [2, 1, 5],
  ]);
  const { images, indices } = await part.read([2, 0]);
  assert.deepEqual([images[0], images[2], ...indices], [5, 7, 2, 0]);
});

test('labels of its own are the ones that training sees', async () => {
  const part = subset(numbered(), [0, 1], { labels: Int32Array.of(1, 0) });
  assert.deepEqual(
    (await seen(part)).map(([, label]) => label),
    [1, 0],
  );
});

test('a corrupt file is replaced by the next of its class inside the view, or dropped', async () => {
  // 3 is corrupt; the next odd sample inside is 7, for 5 is outside.
  const part = subset(numbered([3]), [1, 2, 3, 7]);
  assert.deepEqual(await seen(part), [
    [0, 1, 1],
    [1, 0, 2],
    [3, 1, 7],
    [3, 1, 7],
  ]);
  assert.equal((await seen(part, 'drop')).length, 3);
  await assert.rejects(seen(subset(numbered([3, 5]), [0, 3, 5])), /none of the images of class 'odd' can be read/);
});

test('a picture is augmented as it would be in the whole', async () => {
  const look = async (dataset: Dataset, index: number) => {
    for await (const { images } of batches(subset(dataset, [index]), {
      ...{ batchSize: 1, seed: 3, transforms: [randomFlip()] },
    })) {
      return [...images];
    }
  };
  const whole = numbered();
  for (let i = 0; i < 10; i++)
    assert.deepEqual(await look(subset(whole, [4, i === 4 ? 5 : i]), 1), await look(whole, i === 4 ? 5 : i));
});

test('impossible views are refused', () => {
  assert.throws(() => subset(numbered(), [10]), /has samples 0 to 9, asked for 10/);
  assert.throws(() => subset(numbered(), [1, 1]), /sample 1 is in the subset twice/);
  assert.throws(() => subset(numbered(), [1], { labels: Int32Array.of(2) }), /labels are whole numbers from 0 to 1/);
});
