import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import type { Features, Recipe } from './kernel.ts';
import { concat, gather, mirrorPad, pad, transposeCopy, unsortedSegmentSum } from './move.ts';
import { ALL_FEATURES, normal, runRecipe, seeded } from './testing.ts';

type Data = Float32Array | Int32Array;
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Distinct numbers, so that no element can stand for another. */
const ramp = (size: number, from = 1) => Float32Array.from({ length: size }, (_, i) => from + i);
const ints = (size: number, below: number, seed = 1) => {
  const random = seeded(seed);
  return Int32Array.from({ length: size }, () => Math.floor(random() * below));
};

/** Every feature set gives exactly `expected`. */
function moves(build: (f: Features) => Recipe, inputs: Data[], expected: tf.Tensor, lane: 'f32' | 'i32' = 'f32'): void {
  const want = expected.dataSync();
  for (const features of ALL_FEATURES) {
    const [got] = runRecipe(build(features), inputs, [{ size: want.length, lane }]);
    assert.deepEqual(Array.from(got), Array.from(want));
  }
}

suite('kernels that move', () => {
  before(() => tf.setBackend('cpu'));

  test('pad agrees with the cpu backend', () => {
    const cases: [number[], [number, number][]][] = [
      [[5], [[2, 3]]],
      [
        [2, 5, 6, 3],
        [
          [0, 0],
          [3, 3],
          [3, 3],
          [0, 0],
        ],
      ],
      [
        [2, 5, 6, 16],
        [
          [0, 0],
          [1, 1],
          [1, 1],
          [0, 0],
        ],
      ],
      [
        [2, 3, 4],
        [
          [1, 0],
          [0, 0],
          [0, 2],
        ],
      ],
      [
        [2, 3, 4],
        [
          [1, 2],
          [0, 0],
          [0, 0],
        ],
      ],
      [
        [3, 2, 2, 4, 5],
        [
          [0, 0],
          [1, 0],
          [0, 0],
          [0, 1],
          [0, 0],
        ],
      ],
      [
        [3, 4],
        [
          [0, 0],
          [0, 0],
        ],
      ],
      [
        [1, 1],
        [
          [4, 4],
          [9, 9],
        ],
      ],
      [
        [9, 61, 60, 8],
        [
          [0, 0],
          [1, 1],
          [1, 1],
          [0, 0],
        ],
      ],
    ];
    for (const [shape, paddings] of cases) {
      const x = ramp(sizeOf(shape));
      for (const value of [0, -1.5]) {
        const expected = tf.pad(tf.tensor(x, shape), paddings, value);
        moves((f) => pad(shape, paddings, value, 'f32', f), [x], expected);
      }
      const whole = Int32Array.from(x);
      const expected = tf.pad(tf.tensor(whole, shape, 'int32'), paddings, 7);
      moves((f) => pad(shape, paddings, 7, 'i32', f), [whole], expected, 'i32');
    }
  });

  test('mirrorPad agrees with the cpu backend', () => {
    const cases: [number[], [number, number][]][] = [
      [[5], [[2, 3]]],
      [
        [2, 5, 6, 3],
        [
          [0, 0],
          [3, 3],
          [3, 2],
          [0, 0],
        ],
      ],
      [
        [4, 3, 4],
        [
          [1, 2],
          [0, 0],
          [0, 2],
        ],
      ],
      [
        [3, 2, 3],
        [
          [2, 1],
          [1, 1],
          [0, 0],
        ],
      ],
    ];
    for (const [shape, paddings] of cases) {
      const x = ramp(sizeOf(shape));
      for (const mode of ['reflect', 'symmetric'] as const) {
        moves((f) => mirrorPad(shape, paddings, mode, f), [x], tf.mirrorPad(tf.tensor(x, shape), paddings, mode));
      }
    }
  });

  test('concat agrees with the cpu backend', () => {
    const cases: [number[][], number][] = [
      [[[3], [5], [1]], 0],
      [
        [
          [4, 3],
          [4, 9],
        ],
        1,
      ],
      [
        [
          [2, 3, 4],
          [2, 1, 4],
          [2, 7, 4],
        ],
        1,
      ],
      [[[70000], [5], [9001]], 0],
      [
        [
          [300, 200],
          [300, 100],
        ],
        1,
      ],
      [
        [
          [3, 30001],
          [3, 7],
        ],
        1,
      ],
    ];
    for (const [shapes, axis] of cases) {
      const xs = shapes.map((shape, i) => ramp(sizeOf(shape), 1e5 * i));
      const expected = tf.concat(
        shapes.map((shape, i) => tf.tensor(xs[i], shape)),
        axis,
      );
      const outer = sizeOf(shapes[0].slice(0, axis));
      moves(
        (f) =>
          concat(
            outer,
            shapes.map((s) => sizeOf(s.slice(axis))),
            f,
          ),
        xs,
        expected,
      );
    }
  });

  test('gather agrees with the cpu backend, batches included', () => {
    const cases: [number[], number[], number, number][] = [
      [[7, 5], [4], 0, 0],
      [[3, 7, 5], [4], 1, 0],
      [[3, 7], [6], 1, 0],
      [[2, 3, 7, 8], [2, 5], 2, 1],
      [[50, 9000], [3], 0, 0],
      [[400, 16], [3000], 0, 0],
    ];
    for (const [shape, indexShape, axis, batchDims] of cases) {
      const x = ramp(sizeOf(shape));
      const indices = ints(sizeOf(indexShape), shape[axis]);
      const expected = tf.gather(tf.tensor(x, shape), tf.tensor(indices, indexShape, 'int32'), axis, batchDims);
      const batch = sizeOf(shape.slice(0, batchDims));
      const dims = {
        batch,
        outer: sizeOf(shape.slice(batchDims, axis)),
        axis: shape[axis],
        inner: sizeOf(shape.slice(axis + 1)),
        indices: sizeOf(indexShape) / batch,
      };
      moves((f) => gather(dims, f), [x, indices], expected);
    }
  });

  test('gather reads the nearest row for an index out of range', () => {
    const dims = { batch: 1, outer: 1, axis: 3, inner: 2, indices: 3 };
    const [y] = runRecipe(
      gather(dims, ALL_FEATURES[0]),
      [ramp(6), Int32Array.of(-9, 1, 77)],
      [{ size: 6, lane: 'f32' }],
    );
    assert.deepEqual([...y], [1, 2, 3, 4, 5, 6]);
  });

  test('unsortedSegmentSum agrees with the cpu backend', () => {
    for (const [n, inner, segments] of [
      [9, 5, 4],
      [40, 1, 7],
      [300, 33, 50],
      [5000, 24, 100],
    ]) {
      const x = ramp(n * inner).map((v) => v % 128); // whole numbers: sums are exact in any order
      const ids = ints(n, segments + 2).map((v) => v - 1); // some below 0, some beyond
      const expected = tf.unsortedSegmentSum(tf.tensor(x, [n, inner]), tf.tensor1d(ids, 'int32'), segments);
      moves((f) => unsortedSegmentSum(n, inner, segments, f), [x, ids], expected);
    }
  });

  test('transposeCopy agrees with the cpu backend', () => {
    const cases: [number[], number[]][] = [
      [
        [8, 12],
        [1, 0],
      ],
      [
        [7, 5],
        [1, 0],
      ],
      [
        [3, 70],
        [1, 0],
      ],
      [
        [65, 2],
        [1, 0],
      ],
      [
        [2, 3, 5],
        [0, 2, 1],
      ],
      [
        [2, 3, 5],
        [1, 0, 2],
      ],
      [
        [2, 3, 5],
        [2, 1, 0],
      ],
      [
        [2, 3, 5],
        [2, 0, 1],
      ],
      [
        [2, 6, 7, 3],
        [0, 3, 1, 2],
      ],
      [
        [2, 3, 6, 7],
        [0, 2, 3, 1],
      ],
      [
        [2, 4, 3, 9],
        [3, 1, 2, 0],
      ],
      [
        [3, 4, 5, 6],
        [2, 0, 3, 1],
      ],
      [
        [1, 9, 1, 4],
        [3, 2, 1, 0],
      ],
      [
        [4, 5],
        [0, 1],
      ],
      [[6], [0]],
      [
        [300, 301],
        [1, 0],
      ],
      [
        [64, 96],
        [1, 0],
      ],
      [
        [3, 70, 37],
        [2, 0, 1],
      ],
      [
        [5, 40, 33, 16],
        [0, 2, 1, 3],
      ],
      [
        [2, 3, 2, 4, 2],
        [4, 1, 3, 0, 2],
      ],
    ];
    for (const [shape, perm] of cases) {
      const x = ramp(sizeOf(shape));
      moves((f) => transposeCopy(shape, perm, f), [x], tf.transpose(tf.tensor(x, shape), perm));
    }
  });

  test('bits are moved as they are, NaN payloads and negative zeros included', () => {
    const x = normal(64, 1);
    new Int32Array(x.buffer).set([0x7fc12345, -0x80000000, 0x7f800001], 5);
    const [y] = runRecipe(transposeCopy([8, 8], [1, 0], ALL_FEATURES[0]), [x], [{ size: 64, lane: 'i32' }]);
    const bits = new Int32Array(x.buffer);
    assert.deepEqual(
      [...y],
      Array.from({ length: 64 }, (_, i) => bits[(i % 8) * 8 + (i >> 3)]),
    );
  });
});
