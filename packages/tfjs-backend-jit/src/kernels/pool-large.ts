/**
 * Pooling windows with many taps (global pooling, mostly): loops over the taps instead of straight-line code,
 * with up to sixteen channels in registers at a time. Sums go row by row, which keeps their rounding small.
 */
import { type Func, f32, f32x4, i32, type Local } from '../wasm/assembler.ts';
import type { Conv2DShape } from './conv-shape.ts';
import { at, loadBlock, type Range, storeBlock } from './move-pieces.ts';
import { inRowBytes, type PoolKind, pixelBytes, poolFold, poolStart, tapRange } from './pool-window.ts';

/** Emits the output rows [from, to) of a pooling kernel with parameters (piece, scratch, x, y). */
export function emitLoopedWindows(f: Func, kind: PoolKind, s: Conv2DShape, { from, to }: Range): void {
  const [x, y] = [f.param(2), f.param(3)];
  const [row, column, image, top, left, first, out] = f.locals('i32', 7);
  const divisor = f.local('v128');
  f.set(out, at(y, from, s.outWidth * pixelBytes(s)));
  f.for(row, from, to, 1, () => {
    f.set(image, at(x, i32.div_u(row, i32.const(s.outHeight)), s.inHeight * inRowBytes(s)));
    f.set(top, i32.mul(i32.rem_u(row, i32.const(s.outHeight)), i32.const(s.strideHeight)));
    f.set(top, i32.sub(top, i32.const(s.padTop)));
    const rows = tapRange(f, top, s.inHeight, s.filterHeight, s.dilationHeight);
    f.for(column, 0, s.outWidth, 1, () => {
      f.set(left, i32.sub(i32.mul(column, i32.const(s.strideWidth)), i32.const(s.padLeft)));
      const columns = tapRange(f, left, s.inWidth, s.filterWidth, s.dilationWidth);
      const count = i32.mul(span(rows), span(columns));
      f.set(divisor, f32x4.splat(f32.convert_i32_s(count)));
      f.set(first, at(image, i32.add(top, i32.mul(rows.from, i32.const(s.dilationHeight))), inRowBytes(s)));
      f.set(first, at(first, i32.add(left, i32.mul(columns.from, i32.const(s.dilationWidth))), pixelBytes(s)));
      emitChannels(f, kind, s, first, rows, columns, out, divisor);
    });
  });
}

/** to − from, or 0 for an empty range. */
const span = (r: Range) => i32.mul(i32.sub(r.to, r.from), i32.gt_s(r.to, r.from));

/** All channels of one window, leaving `first` and `out` behind them: 16 at a time, then 4, then 1. */
function emitChannels(
  f: Func,
  kind: PoolKind,
  s: Conv2DShape,
  first: Local,
  rows: Range,
  columns: Range,
  out: Local,
  divisor: Local,
): void {
  const fold = poolFold(kind);
  const sums = f.locals('v128', 4);
  const lines = f.locals('v128', 4);
  const [i, j, line, at0, end] = f.locals('i32', 5);
  const group = (lanes: 4 | 1, vectors: number) => {
    const used = [...Array(vectors).keys()];
    const block = { lanes, offsets: used.map((v) => v * 16) };
    for (const v of used) f.set(sums[v], poolStart(kind));
    f.set(line, first);
    f.set(i, rows.from);
    f.block((done) => {
      f.loop((nextRow) => {
        f.brIf(done, i32.ge_s(i, rows.to));
        for (const v of used) f.set(lines[v], poolStart(kind));
        f.set(at0, line);
        f.set(j, columns.from);
        f.block((rowDone) => {
          f.loop((nextTap) => {
            f.brIf(rowDone, i32.ge_s(j, columns.to));
            for (const v of used) f.set(lines[v], fold(lines[v], loadBlock(block, at0, v * 16)));
            f.inc(at0, s.dilationWidth * pixelBytes(s));
            f.inc(j, 1);
            f.br(nextTap);
          });
        });
        for (const v of used) f.set(sums[v], fold(sums[v], lines[v]));
        f.inc(line, s.dilationHeight * inRowBytes(s));
        f.inc(i, 1);
        f.br(nextRow);
      });
    });
    for (const v of used) {
      const sum = sums[v];
      f.push(storeBlock(block, out, kind === 'avg' ? f32x4.div(sum, divisor) : sum, v * 16));
    }
    f.inc(first, vectors * lanes * 4);
    f.inc(out, vectors * lanes * 4);
  };
  const repeat = (times: number, lanes: 4 | 1, vectors: number) => {
    if (times === 0) return;
    f.set(end, i32.add(out, i32.const(times * vectors * lanes * 4)));
    f.loop((top) => {
      group(lanes, vectors);
      f.brIf(top, i32.ne(out, end));
    });
  };
  repeat(Math.floor(s.inChannels / 16), 4, 4);
  repeat(Math.floor((s.inChannels % 16) / 4), 4, 1);
  repeat(s.inChannels % 4, 1, 1);
}
