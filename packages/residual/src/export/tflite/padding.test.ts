import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Padding } from '../graph/graph.ts';
import { paddingKind, samePadding } from './padding.ts';

test('SAME pads as TensorFlow does: by the size, the odd pixel after', () => {
  assert.deepEqual(samePadding({ input: [224, 224], size: [7, 7], strides: [2, 2] }), [2, 3, 2, 3]);
  assert.deepEqual(samePadding({ input: [225, 112], size: [3, 3], strides: [2, 2] }), [1, 1, 0, 1]);
  assert.deepEqual(samePadding({ input: [9, 9], size: [3, 3], strides: [1, 1], dilation: [2, 1] }), [2, 2, 1, 1]);
  assert.deepEqual(samePadding({ input: [8, 8], size: [1, 1], strides: [2, 2] }), [0, 0, 0, 0]);
});

test("torchvision's padding is SAME at odd sizes only, at stride 2", () => {
  const kind = (size: number, padding: Padding) =>
    paddingKind(padding, { input: [size, size], size: [3, 3], strides: [2, 2] });
  assert.equal(kind(57, [1, 1, 1, 1]), 'SAME');
  assert.equal(kind(56, [1, 1, 1, 1]), 'explicit');
  assert.equal(kind(56, [0, 1, 0, 1]), 'SAME');
  assert.equal(kind(56, [0, 0, 0, 0]), 'VALID');
});
