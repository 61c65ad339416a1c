import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cifarCount, unpackCifar } from './cifar.ts';

test('planes become pixels, and the fine label is taken', () => {
  const record = new Uint8Array(2 + 3072);
  record.set([7, 42]);
  record
    .fill(1, 2, 2 + 1024)
    .fill(2, 2 + 1024, 2 + 2048)
    .fill(3, 2 + 2048);
  record[2 + 33] = 100; // red of row 1, column 1
  const pixels = new Uint8Array(2 * 3072);
  const labels = new Int32Array(2);
  unpackCifar(record, 2, 1, pixels, labels);
  assert.deepEqual([...labels], [0, 42]);
  assert.ok(pixels.subarray(0, 3072).every((v) => v === 0));
  assert.deepEqual([...pixels.subarray(3072, 3078)], [1, 2, 3, 1, 2, 3]);
  assert.deepEqual([...pixels.subarray(3072 + 33 * 3, 3072 + 33 * 3 + 3)], [100, 2, 3]);
});

test('a truncated batch is refused with expected and found bytes', () => {
  assert.equal(cifarCount(new Uint8Array(3073 * 2), 1, 'f'), 2);
  assert.throws(() => cifarCount(new Uint8Array(5000), 1, 'f'), {
    name: 'DataError',
    message: /^f is truncated: .* expected 6146 bytes for 2, found 5000$/,
  });
  assert.throws(() => cifarCount(new Uint8Array(), 2, 'f'), { message: /expected 3074 bytes for 1, found 0/ });
});
