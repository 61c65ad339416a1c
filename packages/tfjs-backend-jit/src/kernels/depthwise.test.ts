import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { type DepthwiseShape, depthwiseBackpropFilter, depthwiseBackpropInput, depthwiseConv2d } from './depthwise.ts';
import { ALL_FEATURES, normal, runRecipe } from './testing.ts';

interface Options {
  readonly stride?: number | [number, number];
  readonly pad?: [top: number, bottom: number, left: number, right: number];
  readonly dilation?: number;
  readonly multiplier?: number;
}

function shapeOf(image: number[], filter: [number, number], options: Options = {}): DepthwiseShape {
  const { stride = 1, pad = [0, 0, 0, 0], dilation = 1, multiplier = 1 } = options;
  const [batch, inHeight, inWidth, inChannels] = image;
  const [strideHeight, strideWidth] = typeof stride === 'number' ? [stride, stride] : stride;
  const out = (size: number, around: number, taps: number, step: number) =>
    Math.floor((size + around - (taps - 1) * dilation - 1) / step) + 1;
  return {
    batch,
    inHeight,
    inWidth,
    inChannels,
    outHeight: out(inHeight, pad[0] + pad[1], filter[0], strideHeight),
    outWidth: out(inWidth, pad[2] + pad[3], filter[1], strideWidth),
    outChannels: inChannels * multiplier,
    filterHeight: filter[0],
    filterWidth: filter[1],
    strideHeight,
    strideWidth,
    dilationHeight: dilation,
    dilationWidth: dilation,
    padTop: pad[0],
    padLeft: pad[2],
    channelMultiplier: multiplier,
  };
}

/** All three in plain float64 loops over every product. */
function reference(s: DepthwiseShape, x: Float32Array, w: Float32Array, dy: Float32Array) {
  const [y, dx, dw] = [new Float64Array(dy.length), new Float64Array(x.length), new Float64Array(w.length)];
  let o = 0;
  for (let b = 0; b < s.batch; b++) {
    for (let r = 0; r < s.outHeight; r++) {
      for (let c = 0; c < s.outWidth; c++) {
        for (let d = 0; d < s.outChannels; d++, o++) {
          for (let i = 0; i < s.filterHeight; i++) {
            const row = r * s.strideHeight - s.padTop + i * s.dilationHeight;
            for (let j = 0; j < s.filterWidth; j++) {
              const column = c * s.strideWidth - s.padLeft + j * s.dilationWidth;
              if (row < 0 || row >= s.inHeight || column < 0 || column >= s.inWidth) continue;
              const pixel = (b * s.inHeight + row) * s.inWidth + column;
              const at = pixel * s.inChannels + Math.floor(d / s.channelMultiplier);
              const tap = (i * s.filterWidth + j) * s.outChannels + d;
              y[o] += x[at] * w[tap];
              dx[at] += dy[o] * w[tap];
              dw[tap] += dy[o] * x[at];
            }
          }
        }
      }
    }
  }
  return { y, dx, dw };
}

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  const scale = Array.from(expected).reduce((m, v) => Math.max(m, Math.abs(v)), 1);
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    assert.ok(error <= 3e-6 * scale, `${what} at ${i}: ${actual[i]}, expected ${expected[i]}`);
  }
}

const CASES: [string, DepthwiseShape][] = [
  ['3x3/1 same', shapeOf([2, 9, 11, 16], [3, 3], { pad: [1, 1, 1, 1] })],
  ['3x3/1 same, odd channels', shapeOf([2, 7, 6, 13], [3, 3], { pad: [1, 1, 1, 1] })],
  ['3x3/2 same', shapeOf([2, 10, 12, 24], [3, 3], { stride: 2, pad: [0, 1, 0, 1] })],
  ['3x3/2 pad 1, odd sizes', shapeOf([1, 11, 9, 8], [3, 3], { stride: 2, pad: [1, 1, 1, 1] })],
  ['5x5/1 same', shapeOf([2, 8, 7, 8], [5, 5], { pad: [2, 2, 2, 2] })],
  ['5x5/2', shapeOf([2, 14, 13, 12], [5, 5], { stride: 2, pad: [1, 2, 2, 2] })],
  ['stride over the window', shapeOf([1, 13, 14, 5], [2, 2], { stride: 3 })],
  ['strides differ', shapeOf([1, 12, 10, 4], [3, 2], { stride: [1, 3], pad: [1, 1, 0, 1] })],
  ['dilated', shapeOf([1, 12, 11, 6], [3, 3], { dilation: 2, pad: [2, 2, 2, 2] })],
  ['1x1', shapeOf([2, 4, 5, 20], [1, 1])],
  ['a window larger than the image', shapeOf([1, 3, 2, 8], [7, 7], { pad: [3, 3, 3, 3] })],
  ['a very large window', shapeOf([1, 12, 13, 7], [9, 9], { stride: 2, pad: [4, 4, 4, 4] })],
  ['multiplier 2', shapeOf([2, 6, 7, 5], [3, 3], { pad: [1, 1, 1, 1], multiplier: 2 })],
  ['multiplier 8 of 1 channel', shapeOf([2, 8, 8, 1], [3, 3], { stride: 2, pad: [0, 1, 0, 1], multiplier: 8 })],
  ['multiplier 5, dilated', shapeOf([1, 9, 9, 3], [2, 3], { dilation: 2, multiplier: 5, pad: [0, 1, 2, 1] })],
  ['many pieces', shapeOf([3, 40, 44, 24], [3, 3], { pad: [1, 1, 1, 1] })],
  ['many pieces, stride 2', shapeOf([2, 50, 45, 20], [5, 5], { stride: 2, pad: [2, 2, 2, 2] })],
];

suite('depthwise convolution', () => {
  before(() => tf.setBackend('cpu'));

  for (const [name, s] of CASES) {
    test(`agrees with plain loops: ${name}`, () => {
      const sizeX = s.batch * s.inHeight * s.inWidth * s.inChannels;
      const sizeY = s.batch * s.outHeight * s.outWidth * s.outChannels;
      const sizeW = s.filterHeight * s.filterWidth * s.outChannels;
      const [x, w, dy] = [normal(sizeX, 1), normal(sizeW, 2), normal(sizeY, 3)];
      const expected = reference(s, x, w, dy);
      for (const features of ALL_FEATURES) {
        const [y] = runRecipe(depthwiseConv2d(s, features), [x, w], [{ size: sizeY, lane: 'f32' }]);
        close(y, expected.y, 'y');
        const [dx] = runRecipe(depthwiseBackpropInput(s, features), [dy, w], [{ size: sizeX, lane: 'f32' }]);
        close(dx, expected.dx, 'dx');
        const [dw] = runRecipe(depthwiseBackpropFilter(s, features), [x, dy], [{ size: sizeW, lane: 'f32' }]);
        close(dw, expected.dw, 'dw');
      }
    });
  }

  test('agrees with the cpu backend', () => {
    const features = ALL_FEATURES[0];
    for (const [stride, pad] of [
      [1, [1, 1, 1, 1]],
      [2, [0, 1, 0, 1]],
    ] as const) {
      const s = shapeOf([2, 8, 10, 6], [3, 3], { stride, pad: [...pad], multiplier: 2 });
      const [x, w] = [tf.tensor4d(normal(960, 1), [2, 8, 10, 6]), tf.tensor4d(normal(108, 2), [3, 3, 6, 2])];
      const y = tf.depthwiseConv2d(x, w, stride, 'same');
      const dy = tf.tensor4d(normal(y.size, 3), y.shape);
      const attrs = { strides: stride, pad: 'same', dilations: 1, inputShape: x.shape, filterShape: w.shape };
      const kernel = (name: string, inputs: Record<string, tf.Tensor>) =>
        tf.engine().runKernel<tf.Tensor>(name, inputs, attrs).dataSync();
      const data = (t: tf.Tensor) => t.dataSync<'float32'>();
      const one = (size: number) => [{ size, lane: 'f32' }] as const;
      close(runRecipe(depthwiseConv2d(s, features), [data(x), data(w)], one(y.size))[0], data(y), 'y');
      const dx = kernel('DepthwiseConv2dNativeBackpropInput', { dy, filter: w });
      close(runRecipe(depthwiseBackpropInput(s, features), [data(dy), data(w)], one(x.size))[0], dx, 'dx');
      const dw = kernel('DepthwiseConv2dNativeBackpropFilter', { x, dy });
      close(runRecipe(depthwiseBackpropFilter(s, features), [data(x), data(dy)], one(w.size))[0], dw, 'dw');
    }
  });
});
