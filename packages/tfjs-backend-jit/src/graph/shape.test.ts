import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../kernels/testing.ts';
import { denseStrides, isDense, mergeAxes, reshapeStrides, sizeOf } from './shape.ts';

/** The element offsets that a strided walk visits, in row-major order. */
function walk(shape: readonly number[], strides: readonly number[]): number[] {
  let offsets = [0];
  shape.forEach((d, axis) => {
    offsets = offsets.flatMap((o) => Array.from({ length: d }, (_, i) => o + i * strides[axis]));
  });
  return offsets;
}

test('reshaped strides visit the same elements in the same order', () => {
  const shapes = [[2, 3, 4], [6, 4], [24], [2, 12], [1, 2, 1, 3, 4], [4, 6], [3, 8], [2, 3, 2, 2], [24, 1]];
  const strideSets = (shape: number[]) => [
    denseStrides(shape),
    shape.map(() => 0),
    shape.map((_, i) => (i === shape.length - 1 ? 1 : 0)),
    denseStrides(shape.map((d) => d + 1)),
    denseStrides(shape).map((s) => -s),
  ];
  let possible = 0;
  for (const from of shapes) {
    for (const to of shapes) {
      for (const strides of strideSets(from)) {
        const moved = reshapeStrides(from, strides, to);
        if (moved === null) {
          assert.ok(!isDense(from, strides), `dense strides of [${from}] always fit [${to}]`);
          continue;
        }
        possible++;
        assert.deepEqual(walk(to, moved), walk(from, strides), `[${from}] (${strides}) -> [${to}]`);
      }
    }
  }
  assert.ok(possible > 200);
});

test('merging axes keeps every walk', () => {
  const random = seeded(5);
  for (let round = 0; round < 200; round++) {
    const shape = Array.from({ length: 1 + Math.floor(random() * 4) }, () => 1 + Math.floor(random() * 3));
    const inputs = [denseStrides(shape), shape.map((_, i) => (i % 2 ? 1 : 0)), shape.map(() => 0)];
    const merged = mergeAxes(shape, inputs);
    assert.equal(sizeOf(merged.shape), sizeOf(shape));
    inputs.forEach((strides, i) => {
      assert.deepEqual(walk(merged.shape, merged.inputs[i]), walk(shape, strides));
    });
  }
  assert.deepEqual(mergeAxes([2, 3, 4], [[12, 4, 1]]).shape, [24]);
  assert.deepEqual(
    mergeAxes(
      [2, 3, 4],
      [
        [12, 4, 1],
        [0, 0, 1],
      ],
    ).shape,
    [6, 4],
  );
});
