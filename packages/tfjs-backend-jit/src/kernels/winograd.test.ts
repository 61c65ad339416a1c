/** Winograd's convolution and both gradients against a float64 reference: odd sizes, every padding, every way to cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conv2DShape } from './conv-shape.ts';
import { ALL_FEATURES, normal, runRecipe } from './testing.ts';
import {
  type WinogradOptions,
  winogradApplies,
  winogradBackpropFilter,
  winogradBackpropInput,
  winogradForward,
} from './winograd.ts';

/**
 * Of the largest magnitude of the result. Measured with these inputs, standard normal: at most 2.2e-6 (F(4×4)) and
 * 0.4e-6 (F(2×2)).
 */
const TOLERANCE = 2e-5;

interface Sizes {
  batch?: number;
  image: readonly [height: number, width: number];
  channels?: readonly [input: number, output: number];
  /** Top, left, bottom, right. */
  pad?: readonly [number, number, number, number];
}

function shapeOf({ batch = 1, image, channels = [16, 16], pad = [1, 1, 1, 1] }: Sizes): Conv2DShape {
  return {
    batch,
    inHeight: image[0],
    inWidth: image[1],
    inChannels: channels[0],
    outHeight: image[0] + pad[0] + pad[2] - 2,
    outWidth: image[1] + pad[1] + pad[3] - 2,
    outChannels: channels[1],
    filterHeight: 3,
    filterWidth: 3,
    strideHeight: 1,
    strideWidth: 1,
    dilationHeight: 1,
    dilationWidth: 1,
    padTop: pad[0],
    padLeft: pad[1],
  };
}

/** The three directions of one convolution: what goes in, and what should come out. */
function casesOf(s: Conv2DShape) {
  const x = normal(s.batch * s.inHeight * s.inWidth * s.inChannels, 1);
  const w = normal(9 * s.inChannels * s.outChannels, 2);
  const dy = normal(s.batch * s.outHeight * s.outWidth * s.outChannels, 3);
  const y = new Float64Array(dy.length);
  const dx = new Float64Array(x.length);
  const dw = new Float64Array(w.length);
  for (let pixel = 0; pixel < s.batch * s.outHeight * s.outWidth; pixel++) {
    const [ox, line] = [pixel % s.outWidth, Math.floor(pixel / s.outWidth)];
    const [oy, n] = [line % s.outHeight, Math.floor(line / s.outHeight)];
    for (let tap = 0; tap < 9; tap++) {
      const [iy, ix] = [oy + Math.floor(tap / 3) - s.padTop, ox + (tap % 3) - s.padLeft];
      if (iy < 0 || iy >= s.inHeight || ix < 0 || ix >= s.inWidth) continue;
      const xi = ((n * s.inHeight + iy) * s.inWidth + ix) * s.inChannels;
      const yi = pixel * s.outChannels;
      for (let ci = 0; ci < s.inChannels; ci++) {
        for (let co = 0; co < s.outChannels; co++) {
          const k = (tap * s.inChannels + ci) * s.outChannels + co;
          y[yi + co] += x[xi + ci] * w[k];
          dx[xi + ci] += dy[yi + co] * w[k];
          dw[k] += x[xi + ci] * dy[yi + co];
        }
      }
    }
  }
  return [
    { direction: 'forward', recipe: winogradForward, inputs: [x, w], expected: y },
    { direction: 'input gradient', recipe: winogradBackpropInput, inputs: [dy, w], expected: dx },
    { direction: 'filter gradient', recipe: winogradBackpropFilter, inputs: [x, dy], expected: dw },
  ];
}

function check(sizes: Sizes, options: readonly WinogradOptions[]): void {
  const s = shapeOf(sizes);
  assert.ok(winogradApplies(s));
  for (const { direction, recipe, inputs, expected } of casesOf(s)) {
    const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    for (const option of options) {
      for (const features of ALL_FEATURES) {
        const [out] = runRecipe(recipe(s, features, option), inputs, [{ size: expected.length, lane: 'f32' }]);
        const worst = expected.reduce((worst, value, i) => {
          const error = Math.abs(out[i] - value);
          return Math.max(error, worst);
        }, 0);
        const what = `${direction} ${JSON.stringify([sizes, option, features])}`;
        assert.ok(worst <= TOLERANCE * largest, `${what}: off by ${worst} of ${largest}`);
      }
    }
  }
}

/** Both tile sizes, cut both ways, into pieces and blocks that leave remainders. */
const EVERY_WAY: readonly WinogradOptions[] = ([2, 4] as const).flatMap((m) => [
  { m, cut: 'tiles', block: 7, range: 10 },
  { m, cut: 'channels', block: 13, range: 11, panels: 1, blocks: { inBlock: 16, outBlock: 16 } },
]);

test('images smaller than a tile, and of odd sizes', () => {
  check({ batch: 3, image: [1, 1] }, EVERY_WAY);
  check({ image: [4, 4] }, EVERY_WAY);
  check({ batch: 3, image: [5, 7] }, EVERY_WAY);
  check({ image: [7, 7] }, EVERY_WAY);
  check({ image: [3, 18] }, EVERY_WAY);
  check({ image: [17, 2] }, EVERY_WAY);
});

test('padding 0, 1 and 2 on any side', () => {
  check({ batch: 3, image: [3, 3], pad: [0, 0, 0, 0] }, EVERY_WAY);
  check({ image: [7, 9], pad: [0, 0, 0, 0] }, EVERY_WAY);
  check({ image: [6, 5], pad: [2, 2, 2, 2] }, EVERY_WAY);
  check({ image: [9, 6], pad: [0, 1, 2, 1] }, EVERY_WAY);
  check({ image: [6, 8], pad: [2, 0, 0, 1] }, EVERY_WAY);
  check({ image: [1, 1], pad: [2, 2, 2, 2] }, EVERY_WAY);
  check({ image: [2, 5], pad: [1, 1, 6, 7] }, EVERY_WAY);
});

test('different numbers of input and output channels', () => {
  check({ image: [6, 6], channels: [32, 16] }, EVERY_WAY);
  check({ image: [6, 6], channels: [16, 48] }, EVERY_WAY);
  check({ batch: 2, image: [4, 5], channels: [48, 80], pad: [0, 0, 0, 0] }, EVERY_WAY);
});

test('the rules choose ways that are right, for few tiles and for many', () => {
  check({ image: [4, 4], channels: [64, 64] }, [{}]);
  check({ image: [14, 14], channels: [128, 32] }, [{}]);
  check({ batch: 4, image: [30, 30], channels: [16, 32] }, [{}]);
  check({ batch: 3, image: [31, 29], channels: [32, 16] }, [{}]);
});

test('equal convolutions share their kernels, forward and backward', () => {
  const s = shapeOf({ batch: 64, image: [16, 16], channels: [32, 32] });
  const keys = [winogradForward, winogradBackpropInput].map((recipe) =>
    recipe(s, ALL_FEATURES[0]).steps.map((step) => step.kernel.key),
  );
  assert.equal(keys[0].at(-1), keys[1].at(-1));
  assert.notEqual(keys[0][0], keys[1][0]);
});

test('it applies to 3x3 filters of stride 1 on channels in multiples of 16', () => {
  const s = shapeOf({ image: [8, 8] });
  assert.equal(winogradApplies(s), true);
  const others: readonly Partial<Conv2DShape>[] = [
    { filterHeight: 1 },
    { filterWidth: 5 },
    { strideHeight: 2 },
    { strideWidth: 2 },
    { dilationHeight: 2 },
    { dilationWidth: 2 },
    { padTop: 3 },
    { padLeft: -1 },
    { inChannels: 3 },
    { outChannels: 24 },
    { inChannels: 0 },
  ];
  for (const other of others) assert.equal(winogradApplies({ ...s, ...other }), false, JSON.stringify(other));
});
