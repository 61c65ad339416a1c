import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alternatingFlip } from './alternating-flip.ts';
import { augment } from './augment.ts';

const picture = { data: Uint8Array.from([1, 2, 3]), height: 1, width: 3, channels: 1 };
const flipped = (index: number, epoch: number, seed = 1) =>
  augment(picture, [alternatingFlip()], { index, epoch, seed }).data[0] === 3;

test('any two epochs in a row show both sides of every picture; half of them begin mirrored', () => {
  let first = 0;
  for (let index = 0; index < 400; index++) {
    if (flipped(index, 0)) first++;
    for (let epoch = 0; epoch < 4; epoch++) assert.notEqual(flipped(index, epoch), flipped(index, epoch + 1));
  }
  assert.ok(first > 160 && first < 240, `${first} of 400`);
  const seeds = [1, 2].map((seed) => Array.from({ length: 64 }, (_, i) => flipped(i, 0, seed)));
  assert.notDeepEqual(seeds[0], seeds[1]);
});
