import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testTimeViews } from './test-time.ts';

const shape = [3, 3, 1] as const;
const images = Float32Array.from({ length: 18 }, (_, i) => i + 1);

test('flip and translation are airbench’s views, with weights that sum to 1', () => {
  const views = [...testTimeViews(images, shape, { flip: true, translate: 1 })];
  assert.deepEqual(
    views.map(({ weight }) => weight),
    [0.25, 0.25, 0.125, 0.125, 0.125, 0.125],
  );
  assert.equal(views[0].images, images);
  assert.deepEqual([...views[1].images.subarray(0, 9)], [3, 2, 1, 6, 5, 4, 9, 8, 7]);
  // Moved down and right by one, the edge mirrored without repeating it; then its mirror image.
  assert.deepEqual([...views[2].images.subarray(0, 9)], [5, 4, 5, 2, 1, 2, 5, 4, 5]);
  assert.deepEqual([...views[4].images.subarray(9)], [14, 15, 14, 17, 18, 17, 14, 15, 14]);
  assert.deepEqual(
    [...views[5].images.subarray(9)],
    [14, 15, 14, 17, 18, 17, 14, 15, 14].map((_, i, all) => all[3 * Math.floor(i / 3) + 2 - (i % 3)]),
  );
});

test('without options there is one view', () => {
  assert.deepEqual([...testTimeViews(images, shape, {})], [{ images, weight: 1 }]);
  assert.throws(() => [...testTimeViews(images, shape, { translate: 3 })], {
    name: 'DataError',
    message: /translate must be a whole number of pixels from 0 to 2, received 3/,
  });
});
