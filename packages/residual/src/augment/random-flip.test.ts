import assert from 'node:assert/strict';
import { test } from 'node:test';
import { augment } from './augment.ts';
import { randomFlip } from './random-flip.ts';

const picture = { data: Uint8Array.from({ length: 12 }, (_, i) => i), height: 2, width: 3, channels: 2 };

test('a flip mirrors each row and keeps the channels in order', () => {
  const flipped = augment(picture, [randomFlip({ probability: 1 })]);
  assert.deepEqual([...flipped.data], [4, 5, 2, 3, 0, 1, 10, 11, 8, 9, 6, 7]);
  assert.deepEqual([...picture.data.keys()], [...picture.data], 'the argument is left alone');
});

test('floats are flipped as floats', () => {
  const data = Float32Array.from([0.25, -1, 300]);
  const flipped = augment({ data, height: 1, width: 3, channels: 1 }, [randomFlip({ probability: 1 })]);
  assert.deepEqual(flipped.data, Float32Array.from([300, -1, 0.25]));
});

test('probability 0 never flips, and a half flips about half', () => {
  const never = [randomFlip({ probability: 0 })];
  const half = [randomFlip()];
  let flips = 0;
  for (let i = 0; i < 1000; i++) {
    assert.equal(augment(picture, never, { index: i }), picture);
    if (augment(picture, half, { index: i }) !== picture) flips++;
  }
  assert.ok(flips > 430 && flips < 570, `${flips} of 1000`);
});

test('an impossible probability is refused', () => {
  for (const probability of [-0.1, 1.1, Number.NaN]) {
    assert.throws(() => randomFlip({ probability }), {
      name: 'DataError',
      message: /randomFlip: probability .* from 0 to 1/,
    });
  }
});

test('a vertical flip turns the rows round', () => {
  const flipped = augment(picture, [randomFlip({ probability: 1, direction: 'vertical' })]);
  assert.deepEqual([...flipped.data], [6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5]);
  assert.throws(() => randomFlip({ direction: 'up' as 'vertical' }), {
    name: 'DataError',
    message: "randomFlip: direction must be one of 'horizontal', 'vertical', received 'up'",
  });
});
