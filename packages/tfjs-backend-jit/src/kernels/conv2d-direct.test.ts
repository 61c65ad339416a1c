/** The three directions of a convolution against a float64 reference, over odd shapes and ResNet's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conv2DShape } from './conv-shape.ts';
import { conv2dBackpropFilterDirect, conv2dBackpropInputDirect, conv2dDirect } from './conv2d-direct.ts';
import type { Recipe, Ref } from './kernel.ts';
import { ALL_FEATURES, instantiate, normal, runRecipe, seeded } from './testing.ts';

interface Sizes {
  batch?: number;
  image: readonly [number, number];
  channels: readonly [number, number];
  filter: readonly [number, number];
  stride?: readonly [number, number];
  dilation?: readonly [number, number];
  /** Top, left, bottom, right. */
  pad?: readonly [number, number, number, number];
}

function shapeOf(sizes: Sizes): Conv2DShape {
  const { batch = 1, image, channels, filter, stride = [1, 1], dilation = [1, 1], pad = [0, 0, 0, 0] } = sizes;
  const out = (i: 0 | 1) =>
    Math.floor((image[i] + pad[i] + pad[i + 2] - (filter[i] - 1) * dilation[i] - 1) / stride[i]) + 1;
  return {
    batch,
    inHeight: image[0],
    inWidth: image[1],
    inChannels: channels[0],
    outHeight: out(0),
    outWidth: out(1),
    outChannels: channels[1],
    filterHeight: filter[0],
    filterWidth: filter[1],
    strideHeight: stride[0],
    strideWidth: stride[1],
    dilationHeight: dilation[0],
    dilationWidth: dilation[1],
    padTop: pad[0],
    padLeft: pad[1],
  };
}

/** Calls `visit` with the flat indices of x, filter and y of every product of the convolution (first channels). */
function forEachTap(s: Conv2DShape, visit: (x: number, w: number, y: number) => void): void {
  for (let n = 0; n < s.batch; n++) {
    for (let oy = 0; oy < s.outHeight; oy++) {
      for (let ox = 0; ox < s.outWidth; ox++) {
        for (let kh = 0; kh < s.filterHeight; kh++) {
          const iy = oy * s.strideHeight + kh * s.dilationHeight - s.padTop;
          if (iy < 0 || iy >= s.inHeight) continue;
          for (let kw = 0; kw < s.filterWidth; kw++) {
            const ix = ox * s.strideWidth + kw * s.dilationWidth - s.padLeft;
            if (ix < 0 || ix >= s.inWidth) continue;
            visit(
              ((n * s.inHeight + iy) * s.inWidth + ix) * s.inChannels,
              (kh * s.filterWidth + kw) * s.inChannels * s.outChannels,
              ((n * s.outHeight + oy) * s.outWidth + ox) * s.outChannels,
            );
          }
        }
      }
    }
  }
}

const DIRECTIONS = {
  forward: conv2dDirect,
  'input gradient': conv2dBackpropInputDirect,
  'filter gradient': conv2dBackpropFilterDirect,
} as const;

function check(sizes: Sizes): void {
  const s = shapeOf(sizes);
  assert.ok(s.outHeight > 0 && s.outWidth > 0, 'the test asks for an empty output');
  const x = normal(s.batch * s.inHeight * s.inWidth * s.inChannels, 1);
  const w = normal(s.filterHeight * s.filterWidth * s.inChannels * s.outChannels, 2);
  const dy = normal(s.batch * s.outHeight * s.outWidth * s.outChannels, 3);
  const y = new Float64Array(dy.length);
  const dx = new Float64Array(x.length);
  const dw = new Float64Array(w.length);
  forEachTap(s, (xi, wi, yi) => {
    for (let ci = 0; ci < s.inChannels; ci++) {
      const pixel = x[xi + ci];
      let gradient = 0;
      for (let co = 0; co < s.outChannels; co++) {
        const k = wi + ci * s.outChannels + co;
        y[yi + co] += pixel * w[k];
        gradient += dy[yi + co] * w[k];
        dw[k] += pixel * dy[yi + co];
      }
      dx[xi + ci] += gradient;
    }
  });
  const cases = [
    { direction: 'forward', inputs: [x, w], expected: y },
    { direction: 'input gradient', inputs: [dy, w], expected: dx },
    { direction: 'filter gradient', inputs: [x, dy], expected: dw },
  ] as const;
  for (const { direction, inputs, expected } of cases) {
    const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
    for (const features of ALL_FEATURES) {
      const [out] = runRecipe(DIRECTIONS[direction](s, features), inputs, [{ size: expected.length, lane: 'f32' }]);
      let worst = 0;
      expected.forEach((value, i) => {
        const error = Math.abs(out[i] - value);
        if (!(error <= worst)) worst = error;
      });
      assert.ok(worst <= 3e-6 * largest, `${direction} ${JSON.stringify(s)}: off by ${worst} of ${largest}`);
    }
  }
}

const same = [1, 1, 1, 1] as const;

test('3x3 filters of stride 1 and 2, channels in panels', () => {
  check({ batch: 3, image: [4, 4], channels: [32, 16], filter: [3, 3], pad: same });
  check({ batch: 7, image: [5, 7], channels: [16, 48], filter: [3, 3], pad: same });
  check({ image: [19, 21], channels: [16, 16], filter: [3, 3], pad: same });
  check({ batch: 2, image: [8, 8], channels: [32, 32], filter: [3, 3], stride: [2, 2], pad: same });
  check({ batch: 2, image: [8, 10], channels: [16, 32], filter: [3, 3], stride: [2, 2], pad: [0, 0, 1, 1] });
  check({ batch: 2, image: [7, 7], channels: [16, 16], filter: [3, 3], stride: [2, 1], pad: same });
});

test('7x7/2 and 3x3/1 stems of 3 channels', () => {
  check({ batch: 2, image: [32, 30], channels: [3, 16], filter: [7, 7], stride: [2, 2], pad: [3, 3, 3, 3] });
  check({ batch: 3, image: [12, 12], channels: [3, 32], filter: [3, 3], pad: same });
});

test('1x1 filters, with a stride that skips pixels', () => {
  check({ batch: 2, image: [9, 9], channels: [32, 16], filter: [1, 1] });
  check({ batch: 2, image: [9, 8], channels: [16, 48], filter: [1, 1], stride: [2, 2] });
  check({ image: [7, 7], channels: [5, 3], filter: [1, 1], stride: [3, 2] });
  check({ image: [1, 1], channels: [17, 1], filter: [1, 1] });
});

test('channels that fill no panel', () => {
  check({ batch: 2, image: [6, 5], channels: [1, 1], filter: [3, 3], pad: same });
  check({ batch: 2, image: [6, 5], channels: [5, 17], filter: [2, 3], pad: [0, 1, 1, 1] });
  check({ batch: 2, image: [9, 5], channels: [17, 5], filter: [3, 2], stride: [2, 2], pad: same });
  check({ image: [6, 6], channels: [16, 10], filter: [3, 3], pad: same });
  check({ image: [6, 6], channels: [10, 16], filter: [3, 3], stride: [2, 2], pad: same });
  check({ image: [4, 4], channels: [40, 24], filter: [3, 3], pad: same });
});

test('dilation, strides beyond the filter, padding beyond the filter', () => {
  check({ image: [11, 12], channels: [16, 16], filter: [3, 3], dilation: [2, 2], pad: [2, 2, 2, 2] });
  check({ image: [11, 12], channels: [3, 4], filter: [3, 2], dilation: [3, 2], stride: [2, 3], pad: [2, 1, 0, 3] });
  check({ image: [12, 12], channels: [16, 8], filter: [3, 3], dilation: [2, 2], stride: [2, 2], pad: [2, 2, 2, 2] });
  check({ image: [12, 12], channels: [16, 8], filter: [3, 3], dilation: [4, 3], stride: [6, 2], pad: [5, 4, 3, 2] });
  check({ image: [11, 13], channels: [16, 16], filter: [2, 2], stride: [5, 3] });
  check({ image: [3, 3], channels: [16, 16], filter: [2, 2], pad: [5, 6, 7, 4] });
  check({ image: [3, 2], channels: [3, 2], filter: [2, 2], stride: [2, 3], pad: [5, 6, 7, 4] });
  check({ image: [5, 5], channels: [2, 3], filter: [5, 5], stride: [2, 2] });
});

test('wide and tall images, cut in both directions', () => {
  check({ image: [2, 131], channels: [16, 4], filter: [3, 3], pad: same });
  check({ image: [70, 3], channels: [4, 16], filter: [3, 3], stride: [2, 2], pad: same });
  check({ image: [3, 150], channels: [3, 8], filter: [3, 3], stride: [1, 2], pad: same });
});

test('many pixels: several pieces, several partial sums', () => {
  check({ batch: 40, image: [8, 8], channels: [16, 16], filter: [3, 3], pad: same });
  check({ batch: 3, image: [29, 27], channels: [16, 24], filter: [3, 3], pad: same });
});

test('many channels: several blocks of them', () => {
  check({ batch: 2, image: [4, 4], channels: [144, 160], filter: [3, 3], pad: same });
  check({ image: [4, 4], channels: [320, 48], filter: [1, 1] });
});

/** Runs every kernel's pieces forwards or backwards, in turn on `threads` scratch areas; returns the output's bits. */
function bits(recipe: Recipe, inputs: Float32Array[], size: number, threads: number, backwards: boolean): Int32Array {
  let top = 65536;
  const alloc = (bytes: number) => {
    const at = top;
    top += (bytes + 255) & ~127;
    return at;
  };
  const at = {
    input: inputs.map((x) => alloc(x.byteLength)),
    output: [alloc(size * 4)],
    temp: recipe.temps.map(alloc),
  };
  const bytes = Math.max(...recipe.steps.map((step) => step.kernel.scratch));
  const scratch = Array.from({ length: threads }, () => alloc(bytes));
  const memory = new WebAssembly.Memory({ initial: (top >>> 16) + 1, maximum: 65536, shared: true });
  new Float32Array(memory.buffer).fill(Number.NaN);
  inputs.forEach((x, i) => {
    new Float32Array(memory.buffer, at.input[i], x.length).set(x);
  });
  for (const { kernel, args } of recipe.steps) {
    const k = instantiate(kernel, memory);
    const pointers = args.map((ref: Ref) => at[ref.kind][ref.index]);
    for (let i = 0; i < kernel.pieces; i++) {
      k(backwards ? kernel.pieces - 1 - i : i, scratch[i % threads], ...pointers);
    }
  }
  return new Int32Array(memory.buffer, at.output[0], size).slice();
}

test('the same bits in any order of pieces, on any number of threads', () => {
  for (const stride of [1, 2] as const) {
    const s = shapeOf({
      batch: 24,
      image: [12, 12],
      channels: [16, 40],
      filter: [3, 3],
      stride: [stride, stride],
      pad: same,
    });
    const x = normal(s.batch * s.inHeight * s.inWidth * s.inChannels, 1);
    const w = normal(s.filterHeight * s.filterWidth * s.inChannels * s.outChannels, 2);
    const dy = normal(s.batch * s.outHeight * s.outWidth * s.outChannels, 3);
    for (const features of ALL_FEATURES) {
      for (const [direction, inputs, size] of [
        ['forward', [x, w], dy.length],
        ['input gradient', [dy, w], x.length],
        ['filter gradient', [x, dy], w.length],
      ] as const) {
        const recipe = DIRECTIONS[direction](s, features);
        assert.ok(Math.max(...recipe.steps.map((step) => step.kernel.pieces)) > 4, 'too small to test the order');
        const one = bits(recipe, [...inputs], size, 1, false);
        assert.deepEqual(bits(recipe, [...inputs], size, 3, true), one, `${direction}/${stride}`);
      }
    }
  }
});

test('any geometry', () => {
  const random = seeded(7);
  const pick = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
  const channel = () => [1, 2, 3, 8, 16, 17, 32, 33][pick(0, 7)];
  for (let i = 0; i < 60; i++) {
    const filter = [pick(1, 4), pick(1, 4)] as const;
    const dilation = [pick(1, 3), pick(1, 3)] as const;
    const pad = [pick(0, 4), pick(0, 4), pick(0, 4), pick(0, 4)] as const;
    const least = (k: 0 | 1) => Math.max(1, (filter[k] - 1) * dilation[k] + 1 - pad[k] - pad[k + 2]);
    check({
      batch: pick(1, 3),
      image: [least(0) + pick(0, 9), least(1) + pick(0, 9)],
      channels: [channel(), channel()],
      filter,
      stride: [pick(1, 4), pick(1, 4)],
      dilation,
      pad,
    });
  }
});
