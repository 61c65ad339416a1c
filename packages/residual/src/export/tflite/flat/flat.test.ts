import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../data/random.ts';
import { WeightsError } from '../../../weights/errors.ts';
import { bool, bytes, many, numbers, one, scalar, type Table, text, union } from './fields.ts';
import { readFlat } from './read.ts';
import { writeFlat } from './write.ts';

const Leaf = { name: text(0), weight: scalar(1, 'float32', 1.5) } satisfies Table;
const Root = {
  small: scalar(0, 'int8', 7),
  wide: scalar(2, 'uint32'),
  signed: scalar(3, 'int32'),
  flag: bool(4),
  title: text(5),
  sizes: numbers(6, 'int32'),
  scales: numbers(7, 'float32'),
  zeros: numbers(8, 'int64'),
  data: bytes(9, 16),
  leaf: one(10, Leaf),
  leaves: many(11, Leaf),
  either: union(13, { Leaf: { tag: 1, table: Leaf }, Other: { tag: 9, table: { depth: scalar(0, 'uint8') } } }),
} satisfies Table;

const value = {
  small: -3,
  wide: 4_000_000_000,
  signed: -70_000,
  flag: true,
  title: 'été 🌍',
  sizes: [1, -2, 3],
  scales: [0.5, -0.25],
  zeros: [0, -5, 2 ** 40],
  data: Uint8Array.of(9, 8, 7, 6, 5),
  leaf: { name: 'a', weight: 2 },
  leaves: [
    { name: 'b', weight: 1.5 },
    { name: '', weight: -1 },
  ],
  either: { type: 'Other', value: { depth: 200 } },
} as const;

test('what is written is read again', () => {
  assert.deepEqual(readFlat(writeFlat(Root, value, 'TEST'), Root, 'TEST', 'x'), value);
  const nothing = readFlat(writeFlat(Root, {}, 'TEST'), Root, 'TEST', 'x');
  assert.deepEqual(nothing, { small: 7, wide: 0, signed: 0, flag: false });
});

test('equal lists of numbers are stored once', () => {
  const Lists = { first: numbers(0, 'int64'), second: numbers(1, 'int64') } satisfies Table;
  const list = Array<number>(100).fill(0);
  const shared = writeFlat(Lists, { first: list, second: list }, 'TEST');
  const apart = writeFlat(Lists, { first: list, second: [...list.slice(1), 1] }, 'TEST');
  assert.ok(apart.length - shared.length >= 800);
});

test('damaged files are refused, never followed out of bounds', () => {
  const file = writeFlat(Root, value, 'TEST');
  assert.throws(() => readFlat(file, Root, 'ELSE', 'x.bin'), /^WeightsError: x.bin: is no ELSE file/);
  const random = Random.at(3);
  let refused = 0;
  for (let i = 0; i < 3000; i++) {
    const damaged = file.slice(0, i % 3 === 0 ? random.integer(file.length) : file.length);
    for (let n = 0; n < 3 && damaged.length > 0; n++) damaged[random.integer(damaged.length)] = random.integer(256);
    try {
      readFlat(damaged, Root, 'TEST', 'x');
    } catch (error) {
      assert.ok(error instanceof WeightsError, String(error));
      refused++;
    }
  }
  assert.ok(refused > 1000, `${refused} of 3000 were refused`);
});
