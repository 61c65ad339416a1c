import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import {
  type ResizeShape,
  resizeBilinear,
  resizeBilinearGrad,
  resizeNearestNeighbor,
  resizeNearestNeighborGrad,
} from './resize.ts';
import { ALL_FEATURES, normal, runRecipe } from './testing.ts';

type Sizes = [batch: number, height: number, width: number, toHeight: number, toWidth: number, channels: number];

const SIZES: Sizes[] = [
  [1, 4, 4, 8, 8, 3],
  [2, 7, 5, 3, 9, 8],
  [1, 10, 9, 10, 9, 1],
  [2, 1, 6, 4, 1, 5],
  [1, 25, 30, 7, 21, 4],
  [1, 3, 3, 25, 49, 2],
  [3, 40, 30, 61, 47, 13],
];
const MODES = [
  { alignCorners: false, halfPixelCenters: false },
  { alignCorners: true, halfPixelCenters: false },
  { alignCorners: false, halfPixelCenters: true },
];

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    assert.ok(error <= tolerance * (1 + Math.abs(expected[i])), `${what} at ${i}: ${actual[i]}, not ${expected[i]}`);
  }
}

suite('resizing', () => {
  before(() => tf.setBackend('cpu'));

  for (const [batch, inHeight, inWidth, outHeight, outWidth, channels] of SIZES) {
    for (const mode of MODES) {
      const { alignCorners, halfPixelCenters } = mode;
      const way = alignCorners ? 'corners' : halfPixelCenters ? 'half pixels' : 'plain';
      test(`agrees with the cpu backend: ${batch}x${inHeight}x${inWidth}x${channels} to ${outHeight}x${outWidth}, ${way}`, () => {
        const s: ResizeShape = { batch, inHeight, inWidth, outHeight, outWidth, channels, ...mode };
        const x = tf.tensor4d(normal(batch * inHeight * inWidth * channels, 1), [batch, inHeight, inWidth, channels]);
        const dy = tf.tensor4d(normal(batch * outHeight * outWidth * channels, 2), [
          batch,
          outHeight,
          outWidth,
          channels,
        ]);
        const size: [number, number] = [outHeight, outWidth];
        const bilinear = tf.image.resizeBilinear(x, size, alignCorners, halfPixelCenters).dataSync();
        const nearest = tf.image.resizeNearestNeighbor(x, size, alignCorners, halfPixelCenters).dataSync();
        /** The cpu backend's gradients image by image: its nearest neighbour strays between images of a batch. */
        const grad = (kernel: string) =>
          Array.from({ length: batch }, (_, b) => [
            ...tf
              .engine()
              .runKernel<tf.Tensor>(kernel, { images: one(x, b), dy: one(dy, b) }, mode)
              .dataSync(),
          ]).flat();
        // Each dx is the sum of the dy that took its value: an image of its own element numbers tells which.
        const numbers = tf.reshape(tf.range(0, x.size), x.shape) as tf.Tensor4D;
        const takers = new Float64Array(x.size);
        const from = tf.image.resizeNearestNeighbor(numbers, size, alignCorners).dataSync();
        for (const [i, v] of dy.dataSync().entries()) takers[from[i]] += v;
        // The cpu backend searches an infinite window where several pixels come from an axis of one.
        const endless = alignCorners && ((inHeight === 1 && outHeight > 1) || (inWidth === 1 && outWidth > 1));
        const one = (t: tf.Tensor4D, b: number) => tf.slice(t, [b, 0, 0, 0], [1, -1, -1, -1]);
        const run = (build: typeof resizeBilinear, data: tf.Tensor, elements: number, features = ALL_FEATURES[0]) =>
          runRecipe(build(s, features), [data.dataSync<'float32'>()], [{ size: elements, lane: 'f32' }])[0];
        for (const features of ALL_FEATURES) {
          close(run(resizeBilinear, x, dy.size, features), bilinear, 1e-6, 'bilinear');
          assert.deepEqual(run(resizeNearestNeighbor, x, dy.size, features), nearest);
          close(run(resizeBilinearGrad, dy, x.size, features), grad('ResizeBilinearGrad'), 3e-6, 'bilinear grad');
          const nearestGrad = run(resizeNearestNeighborGrad, dy, x.size, features);
          close(nearestGrad, takers, 3e-6, 'nearest grad');
          if (!endless) close(nearestGrad, grad('ResizeNearestNeighborGrad'), 3e-6, 'nearest grad, cpu');
        }
      });
    }
  }
});
