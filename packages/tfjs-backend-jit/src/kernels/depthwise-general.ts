/**
 * Depthwise convolution with any channel multiplier or window size, forward and input gradient: plain loops over the
 * taps, with vectors along a channel's outputs (or, with multiplier 1, along the channels). Right before fast.
 */
import { type Func, f32, i32, type Local, v128 } from '../wasm/assembler.ts';
import { multiplyAdd } from './depthwise-fast.ts';
import type { DepthwiseShape } from './depthwise-taps.ts';
import { at, loadBlock, type Range, storeBlock } from './move-pieces.ts';
import { tapRange } from './pool-window.ts';

/** Emits rows [from, to) of batch · outHeight. Parameters: piece, scratch, x, filter, y. */
export function emitGeneralForward(f: Func, s: DepthwiseShape, { from, to }: Range, relaxed: boolean): void {
  const m = s.channelMultiplier;
  const [inPixel, outPixel, inRow] = [s.inChannels * 4, s.outChannels * 4, s.inWidth * s.inChannels * 4];
  const [row, column, top, left, corner, out, i, j, c] = f.locals('i32', 9);
  const [x, xRow, w, wRow, xStart, wStart] = f.locals('i32', 6);
  const sum = f.local('v128');
  f.set(out, at(f.param(4), from, s.outWidth * outPixel));
  f.for(row, from, to, 1, () => {
    f.set(top, i32.mul(i32.rem_u(row, i32.const(s.outHeight)), i32.const(s.strideHeight)));
    f.set(top, i32.sub(top, i32.const(s.padTop)));
    const rows = tapRange(f, top, s.inHeight, s.filterHeight, s.dilationHeight);
    f.for(column, 0, s.outWidth, 1, () => {
      f.set(left, i32.sub(i32.mul(column, i32.const(s.strideWidth)), i32.const(s.padLeft)));
      const columns = tapRange(f, left, s.inWidth, s.filterWidth, s.dilationWidth);
      // The first tap inside, in x and in the filter.
      const image = at(f.param(2), i32.div_u(row, i32.const(s.outHeight)), s.inHeight * inRow);
      f.set(corner, at(image, i32.add(top, i32.mul(rows.from, i32.const(s.dilationHeight))), inRow));
      f.set(corner, at(corner, i32.add(left, i32.mul(columns.from, i32.const(s.dilationWidth))), inPixel));
      f.set(wStart, at(f.param(3), rows.from, s.filterWidth * outPixel));
      f.set(wStart, at(wStart, columns.from, outPixel));
      f.set(xStart, corner);
      const group = (lanes: 4 | 1) => {
        const block = { lanes, offsets: [0] };
        f.set(sum, v128.const_f32x4(0));
        f.set(xRow, xStart);
        f.set(wRow, wStart);
        signedFor(f, i, rows, () => {
          f.set(x, xRow);
          f.set(w, wRow);
          signedFor(f, j, columns, () => {
            const value = m === 1 ? loadBlock(block, x, 0) : v128.load32_splat(x);
            f.set(sum, multiplyAdd(value, loadBlock(block, w, 0), sum, relaxed));
            f.inc(x, s.dilationWidth * inPixel);
            f.inc(w, outPixel);
          });
          f.inc(xRow, s.dilationHeight * inRow);
          f.inc(wRow, s.filterWidth * outPixel);
        });
        f.push(storeBlock(block, out, sum, 0));
        f.inc(out, lanes * 4);
        f.inc(wStart, lanes * 4);
        if (m === 1) f.inc(xStart, lanes * 4);
      };
      const inGroups = (count: number) => {
        const k = f.local('i32');
        if (count >= 4) f.for(k, 0, count >> 2, 1, () => group(4));
        if (count % 4 > 0) f.for(k, 0, count % 4, 1, () => group(1));
      };
      if (m === 1) inGroups(s.inChannels);
      else {
        f.for(c, 0, s.inChannels, 1, () => {
          inGroups(m);
          f.inc(xStart, 4);
        });
      }
    });
  });
}

/** Emits rows [from, to) of batch · inHeight. Parameters: piece, scratch, dy, filter, dx. */
export function emitGeneralBackward(f: Func, s: DepthwiseShape, { from, to }: Range): void {
  const m = s.channelMultiplier;
  const outPixel = s.outChannels * 4;
  const [row, r, column, out, i, j, c, q] = f.locals('i32', 8);
  const [image, outRow, outColumn, dy, w] = f.locals('i32', 5);
  const sum = f.local('f32');
  f.set(out, at(f.param(4), from, s.inWidth * s.inChannels * 4));
  /** Visits the taps of one axis from which an output pixel reaches input pixel `pixel`. */
  const reaching = (tap: Local, to: Local, pixel: Local, taps: number, g: readonly number[], body: () => void) => {
    const [pad = 0, dilation = 1, stride = 1, size = 0] = g;
    f.for(tap, 0, taps, 1, () => {
      f.set(to, i32.sub(i32.add(pixel, i32.const(pad)), i32.mul(tap, i32.const(dilation))));
      // Below zero it is a huge unsigned number, whose quotient is never a pixel either: `size · stride` is small.
      f.if(i32.lt_u(to, i32.const(size * stride)), () => {
        f.if(i32.eqz(i32.rem_u(to, i32.const(stride))), () => {
          f.set(to, i32.div_u(to, i32.const(stride)));
          body();
        });
      });
    });
  };
  const vertical = [s.padTop, s.dilationHeight, s.strideHeight, s.outHeight];
  const horizontal = [s.padLeft, s.dilationWidth, s.strideWidth, s.outWidth];
  f.for(row, from, to, 1, () => {
    f.set(r, i32.rem_u(row, i32.const(s.inHeight)));
    f.set(image, i32.mul(i32.div_u(row, i32.const(s.inHeight)), i32.const(s.outHeight)));
    f.for(column, 0, s.inWidth, 1, () => {
      f.for(c, 0, s.inChannels, 1, () => {
        f.set(sum, f32.const(0));
        reaching(i, outRow, r, s.filterHeight, vertical, () => {
          reaching(j, outColumn, column, s.filterWidth, horizontal, () => {
            const line = at(f.param(2), i32.add(image, outRow), s.outWidth * outPixel);
            f.set(dy, at(at(line, outColumn, outPixel), c, m * 4));
            const tap = i32.add(i32.mul(i, i32.const(s.filterWidth)), j);
            f.set(w, at(at(f.param(3), tap, outPixel), c, m * 4));
            f.for(q, 0, m, 1, () => {
              f.set(sum, f32.add(sum, f32.mul(f32.load(dy), f32.load(w))));
              f.inc(dy, 4);
              f.inc(w, 4);
            });
          });
        });
        f.push(f32.store(out, sum));
        f.inc(out, 4);
      });
    });
  });
}

/** For counter = from; counter < to (signed, possibly empty). */
function signedFor(f: Func, counter: Local, { from, to }: Range, body: () => void): void {
  f.set(counter, from);
  f.block((done) => {
    f.loop((top) => {
      f.brIf(done, i32.ge_s(counter, to));
      body();
      f.inc(counter, 1);
      f.br(top);
    });
  });
}
