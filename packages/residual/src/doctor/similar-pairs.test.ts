import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../data/random.ts';
import { hammingDistance } from './perceptual-hash.ts';
import { similarPairs } from './similar-pairs.ts';

/** Random hashes, and neighbours of theirs with some bits flipped. */
function hashes(size: number, seed: number): Uint32Array {
  const random = Random.at(seed);
  const words = new Uint32Array(2 * size);
  for (let i = 0; i < size; i++) {
    const from = i > 4 && random.boolean(0.4) ? random.integer(i) : -1;
    for (const w of [0, 1]) words[2 * i + w] = from < 0 ? random.uint32() : words[2 * from + w];
    if (from >= 0)
      for (let flips = random.integer(12); flips > 0; flips--)
        words[2 * i + random.integer(2)] ^= 1 << random.integer(32);
  }
  return words;
}

test('the distance is the number of different bits', () => {
  assert.equal(hammingDistance(0, 0, 0, 0), 0);
  assert.equal(hammingDistance(0xffffffff, 0, 0, 1), 33);
});

test('finds exactly the pairs that comparing all with all finds, each once', () => {
  const words = hashes(400, 1);
  for (const radius of [0, 3, 7]) {
    const expected: string[] = [];
    for (let j = 0; j < 400; j++) {
      for (let i = 0; i < j; i++) {
        const d = hammingDistance(words[2 * i], words[2 * i + 1], words[2 * j], words[2 * j + 1]);
        if (d <= radius) expected.push(`${i} ${j} ${d}`);
      }
    }
    const found: string[] = [];
    similarPairs(words, radius, (i, j, d) => found.push(`${i} ${j} ${d}`));
    assert.ok(expected.length > 0);
    assert.deepEqual(found.sort(), expected.sort());
  }
});

test('a hundred thousand random hashes are compared in a small part of all pairs', () => {
  const size = 100_000;
  const random = Random.at(3);
  const words = Uint32Array.from({ length: 2 * size }, () => random.uint32());
  const compared = similarPairs(words, 7, () => {});
  const all = (size * (size - 1)) / 2;
  assert.ok(compared < all / 500, `${compared} of ${all}`);
});
