import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random, threefry } from './random.ts';

test('threefry gives the known answers of its authors (Random123, kat_vectors, threefry2x32 with 20 rounds)', () => {
  assert.deepEqual(threefry(0, 0, 0, 0), [0x6b200159, 0x99ba4efe]);
  assert.deepEqual(threefry(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff), [0x1cb996fc, 0xbb002be7]);
  assert.deepEqual(threefry(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3), [0xc4923a9c, 0x483df7a0]);
});

test('an address gives the same numbers every time, and another address others', () => {
  const draw = (random: Random) => Array.from({ length: 8 }, () => random.uint32());
  assert.deepEqual(draw(Random.at(42, 1, 2)), draw(Random.at(42, 1, 2)));
  const streams = [
    Random.at(42),
    Random.at(43),
    Random.at(42, 0),
    Random.at(42, 0, 0),
    Random.at(42, 1),
    Random.at(42 + 2 ** 32),
  ];
  const firsts = new Set(streams.map((random) => draw(random).join()));
  assert.equal(firsts.size, streams.length);
});

test('drawing does not move a fork, nor forking the draws', () => {
  const a = Random.at(1);
  const before = a.fork(3).uint32();
  a.uint32();
  assert.equal(a.fork(3).uint32(), before);
  assert.equal(a.uint32(), (() => [Random.at(1)].map((r) => [r.uint32(), r.uint32()][1])[0])());
});

test('integers are spread evenly over their range', () => {
  const counts = new Array(7).fill(0);
  const random = Random.at(9);
  for (let i = 0; i < 70_000; i++) counts[random.integer(7)]++;
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 400, counts.join());
  assert.equal(random.integer(1), 0);
});

test('uniform numbers keep to their range and have the right mean and spread', () => {
  const random = Random.at(5);
  const values = Array.from({ length: 50_000 }, () => random.uniform(-1, 3));
  assert.ok(values.every((v) => v >= -1 && v < 3));
  const mean = values.reduce((a, b) => a + b) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  assert.ok(Math.abs(mean - 1) < 0.03, `${mean}`);
  assert.ok(Math.abs(variance - 16 / 12) < 0.03, `${variance}`);
});

test('a shuffle is a permutation, and every place is as likely', () => {
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 8000; i++) {
    const order = Random.at(2, i).shuffle([0, 1, 2, 3]);
    assert.deepEqual([...order].sort(), [0, 1, 2, 3]);
    counts[order.indexOf(0)]++;
  }
  for (const count of counts) assert.ok(Math.abs(count - 2000) < 200, counts.join());
});

test('seeds that are no whole numbers are refused', () => {
  for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) {
    assert.throws(() => Random.at(seed), {
      name: 'DataError',
      message: `seed must be an integer from 0 to 2^53 - 1, received ${seed}`,
    });
  }
});
