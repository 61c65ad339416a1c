/**
 * Depthwise convolution of 8-bit images: vectors along the channels where each has one filter, one output channel after
 * the other where channels have several, or a pixel has fewer than sixteen.
 */
import { call, type Func, i16x8, i32, i32x4, type Local, v128 } from '../wasm/assembler.ts';
import { type Conv2DShape, describe } from './conv-shape.ts';
import { fieldAt, PANEL, packedChannels, panelsOf, type Rounding } from './int8-layout.ts';
import { emitFinish, factorsOf } from './int8-requantise.ts';
import { input, type Kernel, output, type Recipe } from './kernel.ts';
import { at, cutRows, pieceRows, type Range } from './move-pieces.ts';
import { tapRange } from './pool-window.ts';

/** One step; inputs: x, filter [outputs / 16][rows][columns][16] int8, factors; outputs: y. */
export function int8Depthwise(s: Conv2DShape, rounding: Rounding): Recipe {
  return {
    temps: [],
    steps: [{ kernel: depthwiseKernel(s, rounding), args: [input(0), input(1), input(2), output(0)] }],
  };
}

const isVector = (s: Conv2DShape) => s.inChannels === s.outChannels && s.inChannels > 4;

function depthwiseKernel(s: Conv2DShape, rounding: Rounding): Kernel {
  const taps = s.filterHeight * s.filterWidth;
  const packed = packedChannels(s.outChannels);
  const rows = s.batch * s.outHeight;
  const cut = cutRows(rows, s.outWidth * packed * taps);
  const inner = isVector(s) ? emitVectors : emitScalars;
  return {
    name: `int8 depthwise ${describe(s)}`,
    key: `int8Depthwise ${JSON.stringify(s)} ${rounding}`,
    buffers: 4,
    pieces: cut.pieces,
    scratch: PANEL * 4,
    flops: 2 * rows * s.outWidth * s.outChannels * taps,
    bytes: s.batch * s.inHeight * s.inWidth * packedChannels(s.inChannels) + rows * s.outWidth * packed,
    emit(m) {
      const finish = emitFinish(m, packed, rounding);
      m.func('k', Array<'i32'>(6).fill('i32'), [], (f) => {
        const [, scratch, x, filter, factors, y] = f.params;
        const { from, to } = pieceRows(f, cut);
        const [row, column, panel, out, image, top, left, weights] = f.locals('i32', 8);
        f.set(out, at(y, from, s.outWidth * packed));
        f.for(row, from, to, 1, () => {
          f.set(
            image,
            at(x, i32.div_u(row, i32.const(s.outHeight)), s.inHeight * s.inWidth * packedChannels(s.inChannels)),
          );
          f.set(top, i32.mul(i32.rem_u(row, i32.const(s.outHeight)), i32.const(s.strideHeight)));
          f.set(top, i32.sub(top, i32.const(s.padTop)));
          const tapsY = tapRange(f, top, s.inHeight, s.filterHeight, s.dilationHeight);
          f.for(column, 0, s.outWidth, 1, () => {
            f.set(left, i32.sub(i32.mul(column, i32.const(s.strideWidth)), i32.const(s.padLeft)));
            const tapsX = tapRange(f, left, s.inWidth, s.filterWidth, s.dilationWidth);
            f.for(panel, 0, panelsOf(s.outChannels), 1, () => {
              f.set(weights, at(filter, panel, taps * PANEL));
              inner(f, s, { image, top, left, tapsY, tapsX, weights, panel, zero: factors, sums: scratch });
              const to = i32.add(out, i32.mul(panel, i32.const(PANEL)));
              f.push(call(finish, to, scratch, factorsOf(factors, panel)));
            });
            f.inc(out, packed);
          });
        });
      });
    },
  };
}

interface Place {
  readonly image: Local;
  /** The input row and column of the window's first tap, signed. */
  readonly top: Local;
  readonly left: Local;
  readonly tapsY: Range;
  readonly tapsX: Range;
  readonly weights: Local;
  readonly panel: Local;
  /** The factors: the input's zero point is the first of its field. */
  readonly zero: Local;
  readonly sums: Local;
}

/** Runs `body` for every tap inside the image: its number, and the address of its pixel. */
function forEachTap(f: Func, s: Conv2DShape, p: Place, body: (tap: Local, pixel: Local) => void): void {
  const [i, j, tap, pixel] = f.locals('i32', 4);
  const packed = packedChannels(s.inChannels);
  f.for(i, p.tapsY.from, p.tapsY.to, 1, () => {
    f.for(j, p.tapsX.from, p.tapsX.to, 1, () => {
      f.set(tap, i32.add(i32.mul(i, i32.const(s.filterWidth)), j));
      f.set(pixel, i32.add(p.top, i32.mul(i, i32.const(s.dilationHeight))));
      f.set(pixel, i32.add(i32.mul(pixel, i32.const(s.inWidth)), p.left));
      f.set(pixel, i32.add(pixel, i32.mul(j, i32.const(s.dilationWidth))));
      f.set(pixel, at(p.image, pixel, packed));
      body(tap, pixel);
    });
  });
}

function emitVectors(f: Func, s: Conv2DShape, p: Place): void {
  const sums = f.locals('v128', 4);
  const [x, w, zeros] = f.locals('v128', 3);
  f.set(zeros, i16x8.splat(i32.load(p.zero, fieldAt('inputZero'))));
  for (const sum of sums) f.set(sum, v128.const_i32x4(0));
  forEachTap(f, s, p, (tap, pixel) => {
    const [from, weights] = f.locals('i32', 2);
    f.set(from, at(pixel, p.panel, PANEL));
    f.set(weights, at(p.weights, tap, PANEL));
    for (const half of [0, 1]) {
      f.set(x, i16x8.sub(v128.load8x8_s(from, half * 8), zeros));
      f.set(w, v128.load8x8_s(weights, half * 8));
      const [low, high] = sums.slice(half * 2, half * 2 + 2);
      f.set(low, i32x4.add(low, i32x4.extmul_low_i16x8_s(x, w)));
      f.set(high, i32x4.add(high, i32x4.extmul_high_i16x8_s(x, w)));
    }
  });
  sums.forEach((sum, i) => {
    f.push(v128.store(p.sums, sum, i * 16));
  });
}

function emitScalars(f: Func, s: Conv2DShape, p: Place): void {
  const [lane, channel, sum, to] = f.locals('i32', 4);
  const multiplier = s.outChannels / s.inChannels;
  f.for(lane, 0, PANEL, 1, () => {
    f.set(channel, i32.add(i32.mul(p.panel, i32.const(PANEL)), lane));
    f.set(sum, i32.const(0));
    f.if(i32.lt_u(channel, i32.const(s.outChannels)), () => {
      f.set(channel, i32.div_u(channel, i32.const(multiplier)));
      forEachTap(f, s, p, (tap, pixel) => {
        const x = i32.sub(i32.load8_s(i32.add(pixel, channel)), i32.load(p.zero, fieldAt('inputZero')));
        const w = i32.load8_s(i32.add(at(p.weights, tap, PANEL), lane));
        f.set(sum, i32.add(sum, i32.mul(x, w)));
      });
    });
    f.set(to, at(p.sums, lane, 4));
    f.push(i32.store(to, sum));
  });
}
