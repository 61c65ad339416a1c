/**
 * Pooling of 8-bit images, vectors along the channels: the maximum, the mean over a window, the mean over an image.
 * Padding counts neither as a number nor as a pixel.
 */
import { call, type Expr, type Func, f32x4, i8x16, i16x8, i32, i32x4, type Local, v128 } from '../wasm/assembler.ts';
import { type Conv2DShape, describe } from './conv-shape.ts';
import { fieldAt, PANEL, packedChannels, panelsOf, type Rounding } from './int8-layout.ts';
import { emitFinish, factorsOf } from './int8-requantise.ts';
import { input, output, type Recipe } from './kernel.ts';
import { at, cutRows, pieceRows, rowKernel } from './move-pieces.ts';
import { tapRange } from './pool-window.ts';

/** One step; inputs: x; outputs: y, on the same scale. A window wholly outside gives −128. */
export const int8MaxPool = (s: Conv2DShape): Recipe => pool('max', s);

/**
 * The mean over the pixels of the window inside of the image. One step; inputs: x; outputs: y, on the same scale.
 *
 * `twice`, as TensorFlow Lite's reference kernel: halves away from 0 *of the stored integers*.
 * `even`, as ONNX Runtime: the real numbers are summed and divided in single precision, row by row, and made unsigned
 *   integers, halves to even. Where the exact mean is a half, those sums decide. A second input: parameters [scale as
 *   float32 bits, zero].
 */
export const int8AvgPool = (s: Conv2DShape, rounding: Exclude<Rounding, 'once'>): Recipe =>
  pool(rounding === 'even' ? 'avg-real' : 'avg', s);

/** Vectors of a pixel: four channels are read and written as one lane. */
const load = (packed: number, from: Expr): Expr => (packed < PANEL ? v128.load32_zero(from) : v128.load(from));
const store = (packed: number, to: Expr, value: Expr): Expr =>
  packed < PANEL ? v128.store32_lane(to, value, 0) : v128.store(to, value);

function pool(kind: 'max' | 'avg' | 'avg-real', s: Conv2DShape): Recipe {
  const packed = packedChannels(s.inChannels);
  const rows = s.batch * s.outHeight;
  const taps = s.filterHeight * s.filterWidth;
  const kernel = rowKernel(
    {
      name: `int8 ${kind}-pool ${describe(s)}`,
      shape: s,
      buffers: kind === 'avg-real' ? 3 : 2,
      cut: cutRows(rows, (s.outWidth * packed * taps) / 4),
      bytes: (s.batch * s.inHeight * s.inWidth + rows * s.outWidth) * packed,
      flops: rows * s.outWidth * packed * taps,
    },
    (f, { from, to }) => {
      const [, , x, second, third] = f.params;
      const y = kind === 'avg-real' ? third : second;
      const fold = { max: () => maximum(f), avg: () => mean(f, count), 'avg-real': () => realMean(f, count, second) }[
        kind
      ];
      const [row, column, channel, out, image, top, left, i, j, pixel, count] = f.locals('i32', 11);
      f.set(out, at(y, from, s.outWidth * packed));
      f.for(row, from, to, 1, () => {
        f.set(image, at(x, i32.div_u(row, i32.const(s.outHeight)), s.inHeight * s.inWidth * packed));
        f.set(top, i32.mul(i32.rem_u(row, i32.const(s.outHeight)), i32.const(s.strideHeight)));
        f.set(top, i32.sub(top, i32.const(s.padTop)));
        const tapsY = tapRange(f, top, s.inHeight, s.filterHeight, s.dilationHeight);
        f.for(column, 0, s.outWidth, 1, () => {
          f.set(left, i32.sub(i32.mul(column, i32.const(s.strideWidth)), i32.const(s.padLeft)));
          const tapsX = tapRange(f, left, s.inWidth, s.filterWidth, s.dilationWidth);
          f.set(count, i32.mul(i32.sub(tapsY.to, tapsY.from), i32.sub(tapsX.to, tapsX.from)));
          f.for(channel, 0, packed, PANEL, () => {
            const { take, result } = fold();
            f.for(i, tapsY.from, tapsY.to, 1, () => {
              f.for(j, tapsX.from, tapsX.to, 1, () => {
                f.set(pixel, i32.add(top, i32.mul(i, i32.const(s.dilationHeight))));
                f.set(pixel, i32.add(i32.mul(pixel, i32.const(s.inWidth)), left));
                f.set(pixel, i32.add(pixel, i32.mul(j, i32.const(s.dilationWidth))));
                take(load(packed, i32.add(at(image, pixel, packed), channel)));
              });
            });
            f.push(store(packed, i32.add(out, channel), result()));
          });
          f.inc(out, packed);
        });
      });
    },
  );
  const inputs = Array.from({ length: kind === 'avg-real' ? 2 : 1 }, (_, i) => input(i));
  return { temps: [], steps: [{ kernel, args: [...inputs, output(0)] }] };
}

interface Fold {
  take(vector: Expr): void;
  result(): Expr;
}

function maximum(f: Func): Fold {
  const most = f.local('v128');
  f.set(most, v128.const_i32x4(0x80808080 | 0));
  return { take: (vector) => f.set(most, i8x16.max_s(most, vector)), result: () => most };
}

/** Calls `body` with each four of sixteen int8, as 32-bit integers. */
function eachFour(f: Func, vector: Expr, body: (four: Expr, v: number) => void): void {
  const [bytes, half] = f.locals('v128', 2);
  f.set(bytes, vector);
  [i16x8.extend_low_i8x16_s, i16x8.extend_high_i8x16_s].forEach((extend, h) => {
    f.set(half, extend(bytes));
    body(i32x4.extend_low_i16x8_s(half), 2 * h);
    body(i32x4.extend_high_i16x8_s(half), 2 * h + 1);
  });
}

/** Sixteen 32-bit sums, starting at 0. */
function sumsOf(f: Func): { readonly sums: readonly Local[]; take(vector: Expr): void } {
  const sums = f.locals('v128', 4);
  for (const sum of sums) f.set(sum, v128.const_i32x4(0));
  return { sums, take: (vector) => eachFour(f, vector, (four, v) => f.set(sums[v], i32x4.add(sums[v], four))) };
}

/**
 * (sum ± count / 2) / count, both divisions towards 0. In single precision: a quotient below 2⁷ of numbers below 2²⁴
 * is never rounded up to the next integer while count is below 2¹⁷.
 */
function mean(f: Func, count: Local): Fold {
  const { sums, take } = sumsOf(f);
  return {
    take,
    result() {
      const [sign, half] = f.locals('v128', 2);
      f.set(half, i32x4.splat(i32.shr_u(count, i32.const(1))));
      for (const sum of sums) {
        f.set(sign, i32x4.shr_s(sum, i32.const(31)));
        // Where the sum is negative: −half, as (half ^ −1) − (−1).
        const rounded = i32x4.add(sum, i32x4.sub(v128.xor(half, sign), sign));
        const real = f32x4.div(f32x4.convert_i32x4_s(rounded), f32x4.convert_i32x4_s(i32x4.splat(count)));
        f.set(sum, i32x4.trunc_sat_f32x4_s(real));
      }
      return narrow(sums);
    },
  };
}

/** round(Σ scale · (q − zero) / count / scale + zero + 128) − 128, each operation in single precision. */
function realMean(f: Func, count: Local, parameters: Local): Fold {
  const sums = f.locals('v128', 4);
  const [scale, zero] = f.locals('v128', 2);
  f.set(scale, v128.load32_splat(parameters, 0));
  f.set(zero, v128.load32_splat(parameters, 4));
  for (const sum of sums) f.set(sum, v128.const_f32x4(0));
  return {
    take: (vector) =>
      eachFour(f, vector, (four, v) => {
        const real = f32x4.mul(scale, f32x4.convert_i32x4_s(i32x4.sub(four, zero)));
        f.set(sums[v], f32x4.add(sums[v], real));
      }),
    result() {
      const offset = v128.const_i32x4(128);
      for (const sum of sums) {
        const steps = f32x4.div(f32x4.div(sum, f32x4.convert_i32x4_s(i32x4.splat(count))), scale);
        const unsigned = f32x4.nearest(f32x4.add(steps, f32x4.convert_i32x4_s(i32x4.add(zero, offset))));
        f.set(sum, i32x4.sub(i32x4.trunc_sat_f32x4_s(unsigned), offset));
      }
      return narrow(sums);
    },
  };
}

const narrow = ([a, b, c, d]: readonly Local[]): Expr =>
  i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));

/**
 * The mean over all pixels, [batch, pixels, channels] → [batch, channels]: the sum of all less their zero points, put
 * on the output's scale by its factors. One step; inputs: x, factors; outputs: y.
 */
export function int8Mean(batch: number, pixels: number, channels: number, rounding: Rounding): Recipe {
  const packed = packedChannels(channels);
  const cut = cutRows(batch * panelsOf(channels), pixels * PANEL);
  const kernel = {
    name: `int8 mean ${batch}x${pixels}x${channels}`,
    key: `int8Mean ${[batch, pixels, channels, rounding]}`,
    buffers: 3,
    pieces: cut.pieces,
    scratch: PANEL * 4,
    flops: batch * pixels * channels,
    bytes: batch * pixels * packed,
    emit(m: Parameters<typeof emitFinish>[0]) {
      const finish = emitFinish(m, packed, rounding);
      m.func('k', Array<'i32'>(5).fill('i32'), [], (f) => {
        const [, scratch, x, factors, y] = f.params;
        const [row, panel, image, from, pixel, zeros] = f.locals('i32', 6);
        const { from: first, to: last } = pieceRows(f, cut);
        f.for(row, first, last, 1, () => {
          f.set(panel, i32.rem_u(row, i32.const(panelsOf(channels))));
          f.set(image, i32.div_u(row, i32.const(panelsOf(channels))));
          f.set(from, at(at(x, image, pixels * packed), panel, PANEL));
          const { sums, take } = sumsOf(f);
          f.for(pixel, 0, pixels, 1, () => {
            take(load(packed, from));
            f.inc(from, packed);
          });
          f.set(zeros, i32.mul(i32.load(factors, fieldAt('inputZero')), i32.const(pixels)));
          sums.forEach((sum, i) => {
            f.push(v128.store(scratch, i32x4.sub(sum, i32x4.splat(zeros)), i * 16));
          });
          const to = at(at(y, image, packed), panel, PANEL);
          f.push(call(finish, to, scratch, factorsOf(factors, panel)));
        });
      });
    },
  };
  return { temps: [], steps: [{ kernel, args: [input(0), input(1), output(0)] }] };
}
