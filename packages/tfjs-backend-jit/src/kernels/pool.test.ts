import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import type { Conv2DShape } from './conv-shape.ts';
import { avgPool, avgPoolGrad, maxPool, maxPoolGrad } from './pool.ts';
import { ALL_FEATURES, normal, runRecipe } from './testing.ts';

const pair = (n: number | [number, number]): [number, number] => (typeof n === 'number' ? [n, n] : n);

function shapeOf(
  image: [number, number, number, number],
  filter: number | [number, number],
  stride: number | [number, number],
  pad: [number, number, number, number], // top, bottom, left, right
  dilation = 1,
): Conv2DShape {
  const [batch, inHeight, inWidth, inChannels] = image;
  const [filterHeight, filterWidth] = pair(filter);
  const [strideHeight, strideWidth] = pair(stride);
  const out = (size: number, before: number, after: number, taps: number, step: number) =>
    Math.floor((size + before + after - (taps - 1) * dilation - 1) / step) + 1;
  return {
    batch,
    inHeight,
    inWidth,
    inChannels,
    outHeight: out(inHeight, pad[0], pad[1], filterHeight, strideHeight),
    outWidth: out(inWidth, pad[2], pad[3], filterWidth, strideWidth),
    outChannels: inChannels,
    filterHeight,
    filterWidth,
    strideHeight,
    strideWidth,
    dilationHeight: dilation,
    dilationWidth: dilation,
    padTop: pad[0],
    padLeft: pad[2],
  };
}

/** The four kernels in plain float64, following tfjs's cpu backend. */
function reference(s: Conv2DShape, x: Float32Array, dy: Float32Array) {
  const sizeY = s.batch * s.outHeight * s.outWidth * s.inChannels;
  const [max, avg] = [new Float32Array(sizeY), new Float32Array(sizeY)];
  const [maxDx, avgDx] = [new Float64Array(x.length), new Float64Array(x.length)];
  let o = 0;
  for (let b = 0; b < s.batch; b++) {
    for (let r = 0; r < s.outHeight; r++) {
      for (let c = 0; c < s.outWidth; c++) {
        for (let d = 0; d < s.inChannels; d++, o++) {
          let [best, where, sum, count] = [-Infinity, -1, 0, 0];
          for (let i = 0; i < s.filterHeight; i++) {
            const row = r * s.strideHeight - s.padTop + i * s.dilationHeight;
            for (let j = 0; j < s.filterWidth; j++) {
              const column = c * s.strideWidth - s.padLeft + j * s.dilationWidth;
              if (row < 0 || row >= s.inHeight || column < 0 || column >= s.inWidth) continue;
              const at = ((b * s.inHeight + row) * s.inWidth + column) * s.inChannels + d;
              if (x[at] > best) [best, where] = [x[at], at];
              sum += x[at];
              count++;
              avgDx[at] += dy[o] / (s.filterHeight * s.filterWidth);
            }
          }
          max[o] = best;
          avg[o] = sum / count;
          if (where >= 0) maxDx[where] += dy[o];
        }
      }
    }
  }
  return { max, avg, maxDx, avgDx };
}

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string): void {
  assert.equal(actual.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i], expected[i]];
    if (Object.is(a, e) || a === e) continue;
    assert.ok(Math.abs(a - e) <= tolerance * (1 + Math.abs(e)), `${what} at ${i}: ${a}, expected ${e}`);
  }
}

const CASES: [string, Conv2DShape][] = [
  ['2x2/2, the usual', shapeOf([2, 8, 8, 16], 2, 2, [0, 0, 0, 0])],
  ['3x3/2 pad 1 (ResNet stem)', shapeOf([2, 12, 12, 24], 3, 2, [1, 1, 1, 1])],
  ['3x3/2 pad 1 over odd sizes', shapeOf([3, 11, 13, 9], 3, 2, [1, 1, 1, 1])],
  ['3x3/2 valid', shapeOf([2, 13, 14, 12], 3, 2, [0, 0, 0, 0])],
  ['3x3/1 same, 1 channel', shapeOf([2, 6, 7, 1], 3, 1, [1, 1, 1, 1])],
  ['3x3/1 same, 5 channels', shapeOf([1, 7, 5, 5], 3, 1, [1, 1, 1, 1])],
  ['stride larger than the window', shapeOf([2, 13, 17, 6], 2, 4, [0, 0, 1, 0])],
  ['rows and columns differ', shapeOf([2, 9, 8, 7], [2, 3], [3, 1], [1, 0, 0, 2])],
  ['dilated', shapeOf([2, 11, 10, 8], 3, 1, [2, 2, 2, 2], 2)],
  ['a whole small image, unrolled', shapeOf([3, 4, 4, 20], 4, 4, [0, 0, 0, 0])],
  ['a whole image, looped', shapeOf([3, 7, 7, 37], 7, 7, [0, 0, 0, 0])],
  ['a large window with padding', shapeOf([2, 12, 9, 10], 7, 2, [3, 3, 3, 3])],
  ['a large dilated window', shapeOf([1, 20, 17, 5], 6, 1, [4, 4, 3, 5], 2)],
  ['windows wholly in the padding', shapeOf([1, 3, 3, 4], 2, 1, [3, 3, 3, 3])],
  ['many pieces', shapeOf([3, 70, 61, 24], 3, 2, [1, 1, 1, 1])],
  ['many pieces, looped', shapeOf([2, 60, 50, 23], 6, 3, [1, 2, 1, 2])],
];

/** Values with ties (relu leaves zeros), signed zeros, and a few NaN and −∞. */
function image(size: number, special: boolean): Float32Array {
  const x = normal(size, 7).map((v) => (v < -0.3 ? 0 : Math.round(v * 4) / 4));
  if (special) for (let i = 0; i < size; i += 3) x[i] = [Number.NaN, -Infinity, -0][(i / 3) % 3];
  return x;
}

suite('pooling', () => {
  before(() => tf.setBackend('cpu'));

  for (const [name, s] of CASES) {
    test(`agrees with plain loops: ${name}`, () => {
      for (const features of ALL_FEATURES) {
        for (const special of [false, true]) {
          const sizeX = s.batch * s.inHeight * s.inWidth * s.inChannels;
          const sizeY = s.batch * s.outHeight * s.outWidth * s.inChannels;
          const [x, dy] = [image(sizeX, special), normal(sizeY, 3)];
          const expected = reference(s, x, dy);
          const [max] = runRecipe(maxPool(s, features), [x], [{ size: sizeY, lane: 'f32' }]);
          close(max, expected.max, 0, 'max');
          const [avg] = runRecipe(avgPool(s, features), [x], [{ size: sizeY, lane: 'f32' }]);
          close(avg, expected.avg, 1e-6, 'avg');
          const [maxDx] = runRecipe(maxPoolGrad(s, features), [dy, x, max], [{ size: sizeX, lane: 'f32' }]);
          close(maxDx, expected.maxDx, 2e-6, 'max grad');
          const [avgDx] = runRecipe(avgPoolGrad(s, features), [dy], [{ size: sizeX, lane: 'f32' }]);
          close(avgDx, expected.avgDx, 2e-6, 'avg grad');
        }
      }
    });
  }

  test('agrees with the cpu backend, gradients included', () => {
    const pads: ['same' | 'valid' | number, [number, number, number, number]][] = [
      ['valid', [0, 0, 0, 0]],
      ['same', [0, 1, 0, 1]],
      [1, [1, 1, 1, 1]],
    ];
    for (const [pad, explicit] of pads) {
      const s = shapeOf([2, 10, 8, 6], 3, 2, explicit);
      const x = image(2 * 10 * 8 * 6, false);
      const sizeY = 2 * s.outHeight * s.outWidth * 6;
      const dy = normal(sizeY, 5);
      const outShape: [number, number, number, number] = [2, s.outHeight, s.outWidth, 6];
      const features = ALL_FEATURES[0];
      const image4d = tf.tensor4d(x, [2, 10, 8, 6]);
      const [max] = runRecipe(maxPool(s, features), [x], [{ size: sizeY, lane: 'f32' }]);
      close(max, tf.maxPool(image4d, 3, 2, pad).dataSync(), 0, `max ${pad}`);
      const [avg] = runRecipe(avgPool(s, features), [x], [{ size: sizeY, lane: 'f32' }]);
      close(avg, tf.avgPool(image4d, 3, 2, pad).dataSync(), 1e-6, `avg ${pad}`);
      const attrs = { filterSize: 3, strides: 2, pad };
      const grad = (kernel: string, inputs: Record<string, tf.Tensor>) =>
        tf.engine().runKernel<tf.Tensor>(kernel, { dy: tf.tensor4d(dy, outShape), input: image4d, ...inputs }, attrs);
      const [maxDx] = runRecipe(maxPoolGrad(s, features), [dy, x, max], [{ size: x.length, lane: 'f32' }]);
      close(maxDx, grad('MaxPoolGrad', { output: tf.tensor4d(max, outShape) }).dataSync(), 1e-6, `max grad ${pad}`);
      const [avgDx] = runRecipe(avgPoolGrad(s, features), [dy], [{ size: x.length, lane: 'f32' }]);
      close(avgDx, grad('AvgPoolGrad', {}).dataSync(), 1e-6, `avg grad ${pad}`);
    }
  });

  test('cuts by shape into pieces that share no row', () => {
    const s = shapeOf([16, 112, 112, 64], 3, 2, [1, 1, 1, 1]);
    for (const make of [maxPool, maxPoolGrad, avgPool, avgPoolGrad]) {
      const [step] = make(s, ALL_FEATURES[0]).steps;
      assert.ok(step && step.kernel.pieces > 16 && step.kernel.pieces <= 64, `${step?.kernel.pieces} pieces`);
    }
  });
});
