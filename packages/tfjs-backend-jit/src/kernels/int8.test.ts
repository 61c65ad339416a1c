/** 8-bit kernels against plain loops in 64-bit integers, bit by bit, on shapes made to find what goes wrong at edges. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { int8Conv2D } from './int8-conv2d.ts';
import { int8Depthwise } from './int8-depthwise.ts';
import { int8Add, int8Dequantize, int8Lookup, int8Mul, int8Quantize } from './int8-elementwise.ts';
import { packedChannels } from './int8-layout.ts';
import { int8Concat, int8Reshape } from './int8-move.ts';
import { int8AvgPool, int8MaxPool, int8Mean } from './int8-pool.ts';
import { int8Softmax } from './int8-softmax.ts';
import {
  bytes,
  type Ends,
  held,
  pack,
  packDepthwise,
  packFactors,
  packFilter,
  rescaled,
  type Scale,
  scalesFor,
  shapeFor,
  unpack,
  type WindowCase,
  windows,
} from './int8-testing.ts';
import type { Recipe } from './kernel.ts';
import { ALL_FEATURES, runRecipe, seeded } from './testing.ts';

function run(recipe: Recipe, inputs: (Float32Array | Int32Array)[], pixels: number, channels: number): Int8Array {
  const [words] = runRecipe(recipe, inputs, [{ size: (pixels * packedChannels(channels)) / 4, lane: 'i32' }]);
  return unpack(words, channels);
}

/** Halves to even, of any number. */
const toEven = (v: number): number => (Math.abs(v % 1) === 0.5 ? 2 * Math.round(v / 2) : Math.round(v));
const single = Math.fround;
const floatBits = (value: number): number => new Int32Array(Float32Array.of(value).buffer)[0];

const ENDS: readonly Ends[] = [
  { inputZero: -128, zero: -128, min: -128, max: 127 },
  { inputZero: 3, zero: -17, min: -17, max: 111 },
  { inputZero: 127, zero: 50, min: -128, max: 127 },
];

function convolved(c: WindowCase, x: Int8Array, w: Int8Array, scales: readonly Scale[], ends: Ends): Int8Array {
  const s = shapeFor(c);
  const out = new Int8Array(s.batch * s.outHeight * s.outWidth * s.outChannels);
  for (const { pixel, taps } of windows(s)) {
    for (let o = 0; o < s.outChannels; o++) {
      let sum = 0;
      for (const [tap, from] of taps) {
        for (let i = 0; i < s.inChannels; i++) {
          const weight = w[(tap * s.inChannels + i) * s.outChannels + o];
          sum += (x[from * s.inChannels + i] - ends.inputZero) * weight;
        }
      }
      out[pixel * s.outChannels + o] = held(rescaled(sum, scales[o]), ends);
    }
  }
  return out;
}

const CONVOLUTIONS: readonly (readonly [string, WindowCase])[] = [
  ['3x3', { image: [2, 9, 7, 16], size: [3, 3], outputs: 32, pad: [1, 1, 1, 1] }],
  ['7x7/2 of a picture', { image: [2, 19, 17, 3], size: [7, 7], outputs: 20, stride: 2, pad: [3, 2, 3, 3] }],
  ['3x3/2 uneven padding', { image: [3, 10, 12, 33], size: [3, 3], outputs: 17, stride: 2, pad: [0, 1, 2, 0] }],
  ['1x1/2', { image: [2, 9, 8, 24], size: [1, 1], outputs: 40, stride: 2 }],
  ['1x1/3 with padding', { image: [4, 13, 14, 5], size: [1, 1], outputs: 3, stride: 3, pad: [2, 1, 1, 2] }],
  ['dilated', { image: [1, 12, 13, 18], size: [3, 3], outputs: 16, dilation: 2, pad: [2, 2, 2, 2] }],
  [
    '1x5 and strides that differ',
    { image: [2, 6, 15, 4], size: [1, 5], outputs: 8, stride: [2, 3], pad: [0, 0, 2, 2] },
  ],
  ['a window larger than the image', { image: [1, 3, 2, 16], size: [5, 5], outputs: 16, pad: [2, 2, 2, 2] }],
  ['many small images', { image: [37, 3, 3, 16], size: [3, 3], outputs: 16, pad: [1, 1, 1, 1] }],
  ['wide rows', { image: [1, 3, 131, 16], size: [3, 3], outputs: 8, pad: [1, 1, 1, 1] }],
  ['a dense layer', { image: [1, 1, 5, 70], size: [1, 1], outputs: 50 }],
];

/** One row as TensorFlow Lite's reference kernel has it, in 64-bit integers. */
function softmaxOf(row: Int8Array, table: Int32Array): number[] {
  const most = Math.max(...row);
  const high = (a: bigint, b: bigint) => {
    const product = a * b;
    return (product + (product >= 0n ? 2n ** 30n : 1n - 2n ** 30n)) / 2n ** 31n;
  };
  const divided = (a: bigint, bits: bigint) => {
    const [remainder, half] = [a & (2n ** bits - 1n), 2n ** (bits - 1n) - 1n + (a < 0n ? 1n : 0n)];
    return (a >> bits) + (remainder > half ? 1n : 0n);
  };
  const powers = [...row].map((q) => BigInt(table[most - q]));
  const sum = powers.reduce((total, power) => total + divided(power, 12n), 0n);
  const free = BigInt(Math.clz32(Number(sum)));
  const denominator = ((sum << free) - 2n ** 31n + 2n ** 31n - 1n + 1n) / 2n;
  let x = 1515870810n + high(denominator, -1010580540n);
  for (let i = 0; i < 3; i++) x += high(x, 2n ** 29n - high(denominator, x)) * 4n;
  const doubled = x * 2n;
  const scale = doubled > 2n ** 31n - 1n ? 2n ** 31n - 1n : doubled;
  return powers.map((power) => {
    const q = Number(divided(high(scale, power), 12n - free + 23n)) - 128;
    return Math.min(Math.max(q, -128), 127);
  });
}

suite('int8 kernels', () => {
  for (const [name, c] of CONVOLUTIONS) {
    test(`convolution: ${name}`, () => {
      const s = shapeFor(c);
      ENDS.forEach((ends, seed) => {
        const random = seeded(seed + 1);
        const taps = s.filterHeight * s.filterWidth;
        const x = bytes(s.batch * s.inHeight * s.inWidth * s.inChannels, random);
        const w = bytes(taps * s.inChannels * s.outChannels, random, -127, 127);
        const scales = scalesFor(s.outChannels, taps * s.inChannels, random);
        const given = [
          pack(x, s.inChannels),
          packFilter(w, taps, s.inChannels, s.outChannels),
          packFactors(scales, ends),
        ];
        const expected = convolved(c, x, w, scales, ends);
        assert.ok(new Set(expected).size > 12, 'the case shows something');
        for (const features of ALL_FEATURES.slice(0, 2)) {
          const y = run(int8Conv2D(s, 'twice', features), given, s.batch * s.outHeight * s.outWidth, s.outChannels);
          assert.deepEqual(y, expected);
        }
      });
    });
  }

  test('convolution: rounding of halves, in both ways', () => {
    // One input of 1 and weights that count up: the sums are all integers around 0, scaled by a half.
    const s = shapeFor({ image: [1, 1, 1, 1], size: [1, 1], outputs: 101 });
    const w = Int8Array.from({ length: 101 }, (_, i) => i - 50);
    const scales = Array.from(w, () => ({ multiplier: 2 ** 30, shift: 0, bias: 0 }));
    const ends = { inputZero: 0, zero: 0, min: -128, max: 127 };
    const filter = packFilter(w, 1, 1, 101);
    const x = pack(Int8Array.of(1), 1);
    const fixed = run(int8Conv2D(s, 'twice', ALL_FEATURES[0]), [x, filter, packFactors(scales, ends)], 1, 101);
    // gemmlowp's first rounding takes halves up, and leaves nothing to its second.
    assert.deepEqual(
      fixed,
      w.map((v) => Math.floor(v / 2 + 0.5)),
    );
    // Doubled and then halved by the shift: halves away from 0.
    const shifted = scales.map(() => ({ multiplier: 2 ** 30, shift: -1, bias: 0 }));
    const twice = packFactors(shifted, ends);
    const two = pack(Int8Array.of(2), 1);
    assert.deepEqual(
      run(int8Conv2D(s, 'twice', ALL_FEATURES[0]), [two, filter, twice], 1, 101),
      w.map((v) => Math.sign(v) * Math.floor(Math.abs(v) / 2 + 0.5)),
    );
    const once = run(int8Conv2D(s, 'once', ALL_FEATURES[0]), [two, filter, packFactors(shifted, ends, 'once')], 1, 101);
    assert.deepEqual(
      once,
      w.map((v) => Math.floor(v / 2 + 0.5)),
    );
    const halves = scales.map(() => ({ multiplier: floatBits(0.5), shift: 0, bias: 0 }));
    const even = run(int8Conv2D(s, 'even', ALL_FEATURES[0]), [x, filter, packFactors(halves, ends)], 1, 101);
    assert.deepEqual(
      even,
      w.map((v) => toEven(v / 2)),
    );
  });

  test('convolution: rounding once is that of the exact product', () => {
    const s = shapeFor({ image: [1, 20, 20, 16], size: [1, 1], outputs: 33 });
    const random = seeded(9);
    const [x, w] = [bytes(400 * 16, random), bytes(16 * 33, random)];
    const scales = scalesFor(33, 16, random);
    const ends = { inputZero: 9, zero: -3, min: -128, max: 127 };
    const expected = Int8Array.from({ length: 400 * 33 }, (_, i) => {
      const [pixel, o] = [Math.floor(i / 33), i % 33];
      const { multiplier, shift, bias } = scales[o];
      let sum = bias;
      for (let c = 0; c < 16; c++) sum += (x[pixel * 16 + c] - 9) * w[c * 33 + o];
      const bits = BigInt(31 - shift);
      return held(Number((BigInt(sum) * BigInt(multiplier) + 2n ** (bits - 1n)) >> bits), ends);
    });
    const given = [pack(x, 16), packFilter(w, 1, 16, 33), packFactors(scales, ends, 'once')];
    for (const features of ALL_FEATURES.slice(0, 2)) {
      assert.deepEqual(run(int8Conv2D(s, 'once', features), given, 400, 33), expected);
    }
  });

  for (const [name, c] of [
    ['3x3', { image: [2, 7, 6, 32], size: [3, 3], pad: [1, 1, 1, 1] }],
    ['5x5/2 of ragged channels', { image: [2, 11, 9, 21], size: [5, 5], stride: 2, pad: [2, 1, 2, 2] }],
    ['dilated', { image: [1, 9, 9, 16], size: [3, 3], dilation: 2, pad: [2, 2, 2, 2] }],
    ['several filters a channel', { image: [2, 6, 5, 7], size: [3, 3], outputs: 21, pad: [1, 1, 0, 1] }],
    ['a picture, 1x1', { image: [2, 5, 5, 3], size: [1, 1] }],
  ] as const satisfies readonly (readonly [string, WindowCase])[]) {
    test(`depthwise: ${name}`, () => {
      const s = shapeFor(c);
      ENDS.forEach((ends, seed) => {
        const random = seeded(seed + 20);
        const taps = s.filterHeight * s.filterWidth;
        const x = bytes(s.batch * s.inHeight * s.inWidth * s.inChannels, random);
        const w = bytes(taps * s.outChannels, random, -127, 127);
        const scales = scalesFor(s.outChannels, taps, random);
        const expected = new Int8Array(s.batch * s.outHeight * s.outWidth * s.outChannels);
        for (const { pixel, taps: inside } of windows(s)) {
          for (let o = 0; o < s.outChannels; o++) {
            const channel = Math.floor((o * s.inChannels) / s.outChannels);
            let sum = 0;
            for (const [tap, from] of inside) {
              sum += (x[from * s.inChannels + channel] - ends.inputZero) * w[tap * s.outChannels + o];
            }
            expected[pixel * s.outChannels + o] = held(rescaled(sum, scales[o]), ends);
          }
        }
        const given = [pack(x, s.inChannels), packDepthwise(w, taps, s.outChannels), packFactors(scales, ends)];
        const y = run(int8Depthwise(s, 'twice'), given, s.batch * s.outHeight * s.outWidth, s.outChannels);
        assert.deepEqual(y, expected);
      });
    });
  }

  for (const [name, c] of [
    ['2x2/2', { image: [2, 8, 6, 16], size: [2, 2], stride: 2 }],
    ['3x3/2 padded, ragged', { image: [2, 9, 7, 18], size: [3, 3], stride: 2, pad: [1, 1, 1, 1] }],
    ['3x3/1 of a picture', { image: [1, 5, 6, 3], size: [3, 3], pad: [1, 1, 1, 1] }],
    ['a whole image', { image: [3, 7, 7, 32], size: [7, 7] }],
  ] as const satisfies readonly (readonly [string, WindowCase])[]) {
    test(`pooling: ${name}`, () => {
      const s = shapeFor(c);
      const channels = s.inChannels;
      const x = bytes(s.batch * s.inHeight * s.inWidth * channels, seeded(40));
      const zeros = [0, -127, 90];
      const scale = single(0.0371);
      const made = () => new Int8Array(s.batch * s.outHeight * s.outWidth * channels);
      const [most, mean] = [made(), made()];
      const around = zeros.map(made);
      for (const { pixel, taps } of windows(s)) {
        for (let o = 0; o < channels; o++) {
          const seen = taps.map(([, from]) => x[from * channels + o]);
          const sum = seen.reduce((a, b) => a + b, 0);
          const half = Math.floor(seen.length / 2);
          most[pixel * channels + o] = Math.max(...seen);
          mean[pixel * channels + o] = Math.trunc((sum > 0 ? sum + half : sum - half) / seen.length);
          zeros.forEach((zero, i) => {
            const reals = seen.map((q) => single(scale * (q - zero)));
            const real = single(reals.reduce((a, b) => single(a + b)) / seen.length);
            around[i][pixel * channels + o] = toEven(single(single(real / scale) + zero + 128)) - 128;
          });
        }
      }
      const pixels = s.batch * s.outHeight * s.outWidth;
      assert.deepEqual(run(int8MaxPool(s), [pack(x, channels)], pixels, channels), most);
      assert.deepEqual(run(int8AvgPool(s, 'twice'), [pack(x, channels)], pixels, channels), mean);
      zeros.forEach((zero, i) => {
        const given = [pack(x, channels), Int32Array.of(floatBits(scale), zero)];
        assert.deepEqual(run(int8AvgPool(s, 'even'), given, pixels, channels), around[i]);
      });
    });
  }

  test('the mean of images', () => {
    for (const [batch, pixels, channels] of [
      [3, 49, 40],
      [2, 12, 3],
    ]) {
      for (const ends of ENDS) {
        const random = seeded(50);
        const x = bytes(batch * pixels * channels, random);
        const scales = Array.from({ length: channels }, () => ({ multiplier: 1234567890, shift: -5, bias: 0 }));
        const expected = new Int8Array(batch * channels);
        for (let i = 0; i < expected.length; i++) {
          let sum = 0;
          for (let p = 0; p < pixels; p++) {
            sum += x[(Math.floor(i / channels) * pixels + p) * channels + (i % channels)] - ends.inputZero;
          }
          expected[i] = held(rescaled(sum, scales[0]), ends);
        }
        const given = [pack(x, channels), packFactors(scales, ends)];
        assert.deepEqual(run(int8Mean(batch, pixels, channels, 'twice'), given, batch, channels), expected);
      }
    }
  });

  test('sums of two, with all pairs of numbers', () => {
    const all = Array.from({ length: 65536 }, (_, i) => i);
    const a = Int8Array.from(all, (i) => (i >> 8) - 128);
    const b = Int8Array.from(all, (i) => (i & 255) - 128);
    for (const [shiftA, shiftB, shift] of [
      [0, -3, -18],
      [-1, 0, -17],
      [-6, 0, -19],
    ]) {
      const [za, zb] = [5, -128];
      const ends = { inputZero: 0, zero: -9, min: -9, max: 127 };
      const terms = [
        { multiplier: 2 ** 30 + 98765, shift: shiftA, bias: -za },
        { multiplier: 1987654321, shift: shiftB, bias: -zb },
      ];
      const sum = { multiplier: 1555555555, shift, bias: 0 };
      // left = 2²⁰ is no part of a rescaling elsewhere.
      const panels = [...terms, sum].map((scale) => packFactors([scale], ends));
      for (const i of [0, 1]) panels[i][16] = 2 ** 20;
      const factors = Int32Array.from(panels.flatMap((panel) => [...panel]));
      const y = run(int8Add(65536, 'twice'), [pack(a, 16), pack(b, 16), factors], 4096, 16);
      const expected = a.map((value, i) => {
        const [left, right] = [value, b[i]].map((q, t) => {
          const { bias, ...scale } = terms[t];
          return rescaled((q + bias) * 2 ** 20, { ...scale, bias: 0 });
        });
        return held(rescaled(left + right, sum), ends);
      });
      assert.deepEqual(y, expected);
    }
  });

  test('sums of two, halves to even, with all pairs of numbers', () => {
    const all = Array.from({ length: 65536 }, (_, i) => i);
    const a = Int8Array.from(all, (i) => (i >> 8) - 128);
    const b = Int8Array.from(all, (i) => (i & 255) - 128);
    for (const [m, n, s] of [
      [0.5, 0.25, 1],
      [0.031, 0.0472, 0.0601],
      [1e-4, 3, 0.02],
    ].map((scales) => scales.map(single))) {
      const [za, zb] = [5, -128];
      const ends = { inputZero: 0, zero: -9, min: -9, max: 127 };
      const panels = [
        [m, -za],
        [n, -zb],
        [s, 0],
      ].map(([scale, bias]) => packFactors([{ multiplier: floatBits(scale), shift: 0, bias }], ends));
      const factors = Int32Array.from(panels.flatMap((panel) => [...panel]));
      const y = run(int8Add(65536, 'even'), [pack(a, 16), pack(b, 16), factors], 4096, 16);
      const expected = a.map((value, i) => {
        const total = single(single((value - za) * m) + single((b[i] - zb) * n));
        return held(toEven(single(total / s)), ends);
      });
      assert.deepEqual(y, expected);
    }
  });

  test('products, of one shape and with one pixel for each image', () => {
    for (const channels of [40, 3]) {
      for (const broadcast of [false, true]) {
        const random = seeded(60);
        const [images, pixels] = [3, 10];
        const a = bytes(images * pixels * channels, random);
        const b = bytes(images * (broadcast ? 1 : pixels) * channels, random);
        const ends = { inputZero: -7, zero: 11, min: -128, max: 127 };
        const scale = { multiplier: 1400000000, shift: -7, bias: 0 };
        const other = packFactors([scale], { ...ends, inputZero: -128 });
        const factors = Int32Array.from([...packFactors([scale], ends), ...other]);
        const shape = [images, pixels, packedChannels(channels)] as const;
        const given = [pack(a, channels), pack(b, channels)];
        const y = run(int8Mul(shape, broadcast, 'twice'), [...given, factors], images * pixels, channels);
        const products = Array.from(a, (value, i) => {
          const image = Math.floor(i / (pixels * channels));
          return (value + 7) * (b[broadcast ? image * channels + (i % channels) : i] + 128);
        });
        assert.deepEqual(
          y,
          Int8Array.from(products, (product) => held(rescaled(product, scale), ends)),
        );
        // Every product with 2⁻⁹ is exact.
        const halves = [ends, { ...ends, inputZero: -128 }].flatMap((one) => [
          ...packFactors([{ multiplier: floatBits(2 ** -9), shift: 0, bias: 0 }], one),
        ]);
        const even = run(
          int8Mul(shape, broadcast, 'even'),
          [...given, Int32Array.from(halves)],
          images * pixels,
          channels,
        );
        assert.deepEqual(
          even,
          Int8Array.from(products, (product) => held(toEven(product / 512), ends)),
        );
      }
    }
  });

  test('to and from floats', () => {
    const scale = Math.fround(0.0371);
    const halves = Float32Array.from({ length: 600 }, (_, i) => Math.fround((i - 300) * 0.5 * scale));
    const odd = Float32Array.of(Number.NaN, Infinity, -Infinity, 1e30, -1e30, 0.49999997 * scale);
    for (const channels of [3, 6, 16, 33]) {
      const pixels = Math.ceil((halves.length + odd.length) / channels);
      const x = new Float32Array(pixels * channels);
      x.set(halves);
      x.set(odd, halves.length);
      const parameters = Int32Array.of(floatBits(scale), -11);
      const expected = (round: (value: number) => number) =>
        Int8Array.from(x, (value) => {
          const q = Number.isNaN(value) ? 0 : round(Math.fround(value / scale));
          return Math.min(Math.max(q - 11, -128), 127);
        });
      const q = run(int8Quantize(pixels, channels, 'twice'), [x, parameters], pixels, channels);
      assert.deepEqual(
        q,
        expected((v) => Math.sign(v) * Math.floor(Math.abs(v) + 0.5)),
      );
      const even = run(int8Quantize(pixels, channels, 'even'), [x, parameters], pixels, channels);
      assert.deepEqual(even, expected(toEven));
      const back = runRecipe(
        int8Dequantize(pixels, channels),
        [pack(q, channels), parameters],
        [{ size: x.length, lane: 'f32' }],
      )[0];
      assert.deepEqual(
        back,
        Float32Array.from(q, (value) => Math.fround(scale * (value + 11))),
      );
    }
  });

  test('softmax, in fixed point and close to the real one', () => {
    for (const [rows, channels, scale] of [
      [7, 10, 0.11],
      [2, 1000, 0.05],
      [3, 3, 0.004],
      [5, 2, 1.5],
    ]) {
      const x = bytes(rows * channels, seeded(80));
      const table = Int32Array.from({ length: 256 }, (_, d) =>
        Math.min(Math.round(Math.exp(-d * scale) * 2 ** 31), 2 ** 31 - 1),
      );
      const y = run(int8Softmax(rows, channels), [pack(x, channels), table], rows, channels);
      const places = Array.from({ length: rows }, (_, r) => x.subarray(r * channels, (r + 1) * channels));
      assert.deepEqual(
        [...y],
        places.flatMap((row) => softmaxOf(row, table)),
      );
      const real = places.flatMap((row) => {
        const powers = [...row].map((q) => Math.exp((q - Math.max(...row)) * scale));
        const sum = powers.reduce((a, b) => a + b, 0);
        return powers.map((power) => power / sum);
      });
      for (const [i, p] of real.entries())
        assert.ok(Math.abs((y[i] + 128) / 256 - p) < 0.6 / 256 + (p > 0.996 ? 1 / 256 : 0));
    }
  });

  test('tables, other shapes, and channels side by side', () => {
    const random = seeded(70);
    const x = bytes(24 * 30, random);
    const table = bytes(256, random);
    assert.deepEqual(
      run(int8Lookup(24 * 32), [pack(x, 30), new Int32Array(table.buffer)], 24, 30),
      x.map((value) => table[value + 128]),
    );
    for (const [from, to] of [
      [30, 24],
      [30, 720],
      [3, 90],
      [90, 3],
    ]) {
      assert.deepEqual(run(int8Reshape(720, { from, to }), [pack(x, from)], 720 / to, to), x);
    }
    const y = bytes(24 * 7, random);
    const joined = Int8Array.from({ length: 24 * 37 }, (_, i) => {
      const [row, c] = [Math.floor(i / 37), i % 37];
      return c < 30 ? x[row * 30 + c] : y[row * 7 + c - 30];
    });
    assert.deepEqual(run(int8Concat(24, 30, 7), [pack(x, 30), pack(y, 7)], 24, 37), joined);
  });
});
