/**
 * Convolutions with an epilogue, or whose moments are taken, against the same without one, finished element by element;
 * steady filters too.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conv2DShape } from './conv-shape.ts';
import { conv2d } from './conv2d.ts';
import type { Epilogue } from './epilogue.ts';
import { ALL_FEATURES, normal, runRecipe } from './testing.ts';

/** relu((y − mean) · scale + offset + residual), and a function that reads the result twice. */
const batchNorm: Epilogue = {
  body: [
    { kind: 'load', input: 0, lane: 'f32' },
    { kind: 'load', input: 1, lane: 'f32' },
    { kind: 'apply', fn: 'sub', args: [0, 1], lane: 'f32' },
    { kind: 'load', input: 2, lane: 'f32' },
    { kind: 'load', input: 3, lane: 'f32' },
    { kind: 'apply', fn: 'madd', args: [2, 3, 4], lane: 'f32' },
    { kind: 'load', input: 4, lane: 'f32' },
    { kind: 'apply', fn: 'add', args: [5, 6], lane: 'f32' },
    { kind: 'apply', fn: 'relu', args: [7], lane: 'f32' },
  ],
  value: 8,
  inputs: ['channel', 'channel', 'channel', 'element'],
};
const square: Epilogue = {
  body: [
    { kind: 'load', input: 0, lane: 'f32' },
    { kind: 'const', value: 0.5, lane: 'f32' },
    { kind: 'apply', fn: 'add', args: [0, 1], lane: 'f32' },
    { kind: 'apply', fn: 'square', args: [2], lane: 'f32' },
    { kind: 'apply', fn: 'mul', args: [3, 2], lane: 'f32' },
    { kind: 'apply', fn: 'gt', args: [2, 1], lane: 'i32' },
    { kind: 'apply', fn: 'select', args: [5, 4, 3], lane: 'f32' },
  ],
  value: 6,
  inputs: [],
};

function shape(
  size: number,
  filter: number,
  stride: number,
  channels: readonly [number, number],
  batch = 2,
): Conv2DShape {
  const pad = filter >> 1;
  const out = Math.floor((size + 2 * pad - filter) / stride) + 1;
  return {
    batch,
    inHeight: size,
    inWidth: size,
    inChannels: channels[0],
    outHeight: out,
    outWidth: out,
    outChannels: channels[1],
    filterHeight: filter,
    filterWidth: filter,
    strideHeight: stride,
    strideWidth: stride,
    dilationHeight: 1,
    dilationWidth: 1,
    padTop: pad,
    padLeft: pad,
  };
}

const SHAPES: readonly (readonly [string, Conv2DShape])[] = [
  ['Winograd by tiles', shape(30, 3, 1, [16, 32], 4)],
  ['Winograd by channels', shape(7, 3, 1, [48, 64])],
  ['Winograd of many blocks by channels', shape(27, 3, 1, [64, 48], 3)],
  ['a stem', shape(23, 7, 2, [3, 16])],
  ['stride 2', shape(15, 3, 2, [32, 48])],
  ['1x1', shape(9, 1, 1, [16, 32])],
  ['one block', shape(5, 3, 2, [16, 16], 1)],
];

for (const [name, s] of SHAPES) {
  test(`an epilogue of ${name} is the loop after it, and a steady filter changes nothing`, () => {
    const outputs = s.batch * s.outHeight * s.outWidth * s.outChannels;
    const x = normal(s.batch * s.inHeight * s.inWidth * s.inChannels, 1);
    const filter = normal(s.filterHeight * s.filterWidth * s.inChannels * s.outChannels, 2).map((v) => v / 20);
    const [mean, scale, offset] = [3, 4, 5].map((seed) => normal(s.outChannels, seed));
    const residual = normal(outputs, 6);
    const size = [{ size: outputs, lane: 'f32' as const }];
    for (const features of ALL_FEATURES) {
      const [plain] = runRecipe(conv2d(s, features), [x, filter], size);
      const relative = (actual: ArrayLike<number>, expected: (i: number) => number, what: string) => {
        for (let i = 0; i < outputs; i++) {
          const e = expected(i);
          const near = Math.abs(actual[i] - e) <= 2e-5 * (1 + Math.abs(e));
          assert.ok(near, `${what}, element ${i}: ${actual[i]}, should be ${e}`);
        }
      };
      for (const steady of [false, true]) {
        const what = `${JSON.stringify(features)} ${steady ? 'steady' : ''}`;
        const setting = { steady: [false, steady] };
        const kept = conv2d(s, features, setting);
        assert.equal(
          kept.steps.some((step) => step.keep === true),
          steady,
        );
        const [same] = runRecipe(kept, [x, filter], size);
        relative(same, (i) => plain[i], `${what} without`);
        const inputs = [x, filter, mean, scale, offset, residual];
        const [finished] = runRecipe(conv2d(s, features, { ...setting, epilogue: batchNorm }), inputs, size);
        const channel = (i: number) => i % s.outChannels;
        const bn = (i: number) => (plain[i] - mean[channel(i)]) * scale[channel(i)] + offset[channel(i)];
        relative(finished, (i) => Math.max(0, bn(i) + residual[i]), what);
        const [squared] = runRecipe(conv2d(s, features, { ...setting, epilogue: square }), [x, filter], size);
        const shifted = (i: number) => plain[i] + 0.5;
        relative(squared, (i) => (shifted(i) > 0.5 ? shifted(i) ** 3 : shifted(i) ** 2), `${what} squared`);
      }
    }
  });
}

for (const [name, s] of SHAPES) {
  test(`the moments of ${name} are those of its result, far from 0 as well`, () => {
    const pixels = s.batch * s.outHeight * s.outWidth;
    const x = normal(s.batch * s.inHeight * s.inWidth * s.inChannels, 1);
    const filter = normal(s.filterHeight * s.filterWidth * s.inChannels * s.outChannels, 2).map((v) => v / 20);
    const far = new Float32Array(s.outChannels).fill(1000);
    const [scale, offset] = [new Float32Array(s.outChannels).fill(1), new Float32Array(s.outChannels)];
    const residual = new Float32Array(pixels * s.outChannels);
    const sizes = [pixels * s.outChannels, s.outChannels, s.outChannels].map((size) => ({
      size,
      lane: 'f32' as const,
    }));
    for (const features of ALL_FEATURES) {
      const [plain] = runRecipe(conv2d(s, features), [x, filter], sizes.slice(0, 1));
      // With an epilogue: relu(y + 1000), whose mean is a thousand deviations from 0.
      for (const epilogue of [undefined, batchNorm]) {
        const inputs = epilogue ? [far.map((v) => -v), scale, offset, residual] : [];
        const recipe = conv2d(s, features, { moments: true, ...(epilogue && { epilogue }) });
        const [y, sums, squares] = runRecipe(recipe, [x, filter, ...inputs], sizes);
        const what = `${JSON.stringify(features)} ${epilogue ? 'with an epilogue' : ''}`;
        if (!epilogue) assert.deepEqual(y, plain, what);
        for (let c = 0; c < s.outChannels; c++) {
          const values = Array.from({ length: pixels }, (_, i) => y[i * s.outChannels + c] - y[c]);
          const [sum, square] = [0, 1].map((p) => values.reduce((total, v) => total + v * (p ? v : 1), 0));
          const scaleOf = values.reduce((total, v) => total + Math.abs(v), 1e-3);
          assert.ok(Math.abs(sums[c] - sum) <= 1e-5 * scaleOf, `${what}: sum ${c} is ${sums[c]}, should be ${sum}`);
          const near = Math.abs(squares[c] - square) <= 2e-5 * (square + 1e-3);
          assert.ok(near, `${what}: sum of squares ${c} is ${squares[c]}, should be ${square}`);
        }
      }
    }
  });
}
