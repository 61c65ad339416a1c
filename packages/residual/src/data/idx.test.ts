import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeIdx, parseIdx } from './idx.ts';

test('an idx file as the format is described', () => {
  const bytes = Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]);
  const { dims, data } = parseIdx(bytes, 'x');
  assert.deepEqual(dims, [2, 1, 3]);
  assert.deepEqual([...data], [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(encodeIdx(dims, data), bytes);
});

test('a view into a larger buffer is read from its own start', () => {
  const bytes = encodeIdx([2], Uint8Array.from([7, 9]));
  const padded = new Uint8Array(bytes.length + 5);
  padded.set(bytes, 5);
  assert.deepEqual([...parseIdx(padded.subarray(5), 'x').data], [7, 9]);
});

test('what is wrong is said with expected and found bytes', () => {
  const bytes = encodeIdx([10, 4, 4], new Uint8Array(160));
  const cases: [Uint8Array, RegExp][] = [
    [bytes.subarray(0, 100), /^f is truncated: expected 176 bytes for 10 x 4 x 4 values, found 100$/],
    [bytes.subarray(0, 10), /^f is truncated: its header takes 16 bytes, found 10$/],
    [Uint8Array.from([...bytes, 0]), /^f is too long: expected 176 .* found 177$/],
    [new Uint8Array(), /^f is not an idx file/],
    [new TextEncoder().encode('<html>'), /^f is not an idx file/],
    [Uint8Array.from([0, 0, 13, 1, 0, 0, 0, 0]), /^f is not an idx file of images or labels: .* type 13 and 1$/],
  ];
  for (const [input, message] of cases) assert.throws(() => parseIdx(input, 'f'), { name: 'DataError', message });
});
