/**
 * The part of 8-bit images that a block of output pixels reads, widened to 16 bits, less its zero point, zeros around it:
 * what the tile multiplies. Where a filter has one tap in a direction, only the positions that it reads are copied.
 */
import { call, type Func, i16x8, i32, type Local, type ModuleBuilder, v128 } from '../wasm/assembler.ts';
import type { Conv2DShape } from './conv-shape.ts';
import { packedChannels } from './int8-layout.ts';
import type { Walk } from './int8-tile.ts';
import { at } from './move-pieces.ts';

/** Output pixels of a block: its window should fit the second-level cache beside a panel of the filter. */
const BLOCK_PIXELS = 96;

/** A block is some whole images, or rows of one image. */
export interface Blocks {
  readonly images: number;
  readonly rows: number;
  /** How many blocks there are in each direction. */
  readonly imageCount: number;
  readonly rowCount: number;
}

export function planBlocks({ batch, outHeight, outWidth }: Conv2DShape): Blocks {
  const pixels = outHeight * outWidth;
  const even = (size: number, part: number) => Math.ceil(size / Math.ceil(size / Math.min(size, part)));
  const images = pixels * 2 <= BLOCK_PIXELS ? even(batch, Math.floor(BLOCK_PIXELS / pixels)) : 1;
  const rows =
    pixels <= BLOCK_PIXELS * 1.5 ? outHeight : even(outHeight, Math.max(1, Math.round(BLOCK_PIXELS / outWidth)));
  return { images, rows, imageCount: Math.ceil(batch / images), rowCount: Math.ceil(outHeight / rows) };
}

/** Every number of pixels that a block has. */
export function blockSizes({ batch, outHeight, outWidth }: Conv2DShape, { images, rows }: Blocks): number[] {
  const ends = (size: number, part: number) => [part, ((size - 1) % part) + 1];
  return [...new Set(ends(batch, images).flatMap((i) => ends(outHeight, rows).map((r) => i * r * outWidth)))];
}

export interface Int8Window {
  readonly shape: Conv2DShape;
  readonly rows: number;
  /** Input rows (columns) from one row (column) of the window to the next. */
  readonly readY: number;
  readonly readX: number;
  /** Rows (columns) of the window from one output to the next. */
  readonly stepY: number;
  readonly stepX: number;
  /** Columns of the window: outside on the left, inside of the image, outside on the right. */
  readonly left: number;
  readonly inside: number;
  readonly right: number;
  readonly pixelBytes: number;
  readonly rowBytes: number;
  readonly imageBytes: number;
  readonly bytes: number;
  readonly walk: Walk;
}

/** Copies write whole vectors, and so beyond what they copy. */
const SLACK = 32;

export function planInt8Window(s: Conv2DShape, blocks: Blocks): Int8Window {
  const [readY, stepY] = s.filterHeight === 1 ? [s.strideHeight, 1] : [1, s.strideHeight];
  const [readX, stepX] = s.filterWidth === 1 ? [s.strideWidth, 1] : [1, s.strideWidth];
  const rows = (blocks.rows - 1) * stepY + (s.filterHeight - 1) * s.dilationHeight + 1;
  const columns = (s.outWidth - 1) * stepX + (s.filterWidth - 1) * s.dilationWidth + 1;
  const left = Math.min(columns, Math.ceil(s.padLeft / readX));
  const end = Math.ceil((s.inWidth + s.padLeft) / readX);
  const inside = Math.max(0, Math.min(columns, end) - left);
  const packed = packedChannels(s.inChannels);
  const pixelBytes = packed * 2;
  const rowBytes = columns * pixelBytes;
  const dilated = s.dilationWidth > 1 && s.filterWidth > 1;
  const walk: Walk = {
    outer: s.filterHeight,
    outerBytes: s.dilationHeight * rowBytes,
    inner: dilated ? s.filterWidth : 1,
    innerBytes: dilated ? s.dilationWidth * pixelBytes : s.filterWidth * pixelBytes,
    length: dilated ? packed : s.filterWidth * packed,
  };
  const imageBytes = rows * rowBytes;
  return {
    ...{ shape: s, rows, readY, readX, stepY, stepX, left, inside, right: columns - left - inside },
    ...{ pixelBytes, rowBytes, imageBytes, bytes: blocks.images * imageBytes + SLACK, walk },
  };
}

/** Emits `fill(to, image, images, top, zero)`: windows of images whose first row is input row `top` (signed). */
export function emitFillInt8Window(m: ModuleBuilder, w: Int8Window): number {
  const { shape: s } = w;
  const widen = emitWiden(m);
  const clear = emitClear(m);
  const [inPixel, inRow] = [w.pixelBytes / 2, (w.pixelBytes / 2) * s.inWidth];
  return m.func(null, ['i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [to, image, images, top, zero] = f.params;
    const [i, row, y, from, column] = f.locals('i32', 5);
    const blank = (columns: number) => {
      if (columns === 0) return;
      f.push(call(clear, to, i32.const(columns * w.pixelBytes)));
      f.inc(to, columns * w.pixelBytes);
    };
    const copy = (columns: number) => {
      f.push(call(widen, to, from, i32.const(columns * inPixel), zero));
      f.inc(to, columns * w.pixelBytes);
    };
    f.for(i, 0, images, 1, () => {
      f.set(y, top);
      f.for(row, 0, w.rows, 1, () => {
        f.if(
          i32.lt_u(y, i32.const(s.inHeight)),
          () => {
            blank(w.left);
            f.set(from, at(image, y, inRow));
            f.inc(from, (w.left * w.readX - s.padLeft) * inPixel);
            if (w.readX === 1) copy(w.inside);
            else {
              f.for(column, 0, w.inside, 1, () => {
                copy(1);
                f.inc(from, w.readX * inPixel);
              });
            }
            blank(w.right);
          },
          () => blank(w.left + w.inside + w.right),
        );
        f.inc(y, w.readY);
      });
      f.inc(image, s.inHeight * inRow);
    });
  });
}

/** Emits `widen(to, from, bytes, zero)`: int8 less `zero` as int16, a multiple of four; up to 15 of `to` more are lost. */
function emitWiden(m: ModuleBuilder): number {
  return m.func(null, ['i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [to, from, bytes, zero] = f.params;
    const [end, zeros] = [f.local('i32'), f.local('v128')];
    f.set(zeros, i16x8.splat(zero));
    const block = (size: number, body: () => void) => {
      f.set(end, i32.add(from, i32.and(bytes, i32.const(-size))));
      f.for(from, from, end, size, () => {
        body();
        f.inc(to, size * 2);
      });
      f.set(bytes, i32.and(bytes, i32.const(size - 1)));
    };
    block(16, () => {
      const halves = f.locals('v128', 2);
      f.set(halves[0], i16x8.sub(v128.load8x8_s(from, 0), zeros));
      f.set(halves[1], i16x8.sub(v128.load8x8_s(from, 8), zeros));
      f.push(v128.store(to, halves[1], 16));
      f.push(v128.store(to, halves[0], 0));
    });
    block(4, () => f.push(v128.store(to, i16x8.sub(i16x8.extend_low_i8x16_s(v128.load32_zero(from)), zeros))));
  });
}

/** Emits `clear(to, bytes)`: zeros, in whole vectors; up to 15 bytes more are lost. */
function emitClear(m: ModuleBuilder): number {
  return m.func(null, ['i32', 'i32'], [], (f) => {
    const [to, bytes] = f.params;
    const end = f.local('i32');
    f.set(end, i32.add(to, bytes));
    f.for(to, to, end, 16, () => f.push(v128.store(to, v128.const_i32x4(0))));
  });
}

/** Writes the table of a block's pixels: for each the addresses of its window and of its result. */
export function emitPixelTable(
  f: Func,
  w: Int8Window,
  block: {
    readonly table: Local;
    readonly window: Local;
    readonly y: Local;
    readonly images: Local;
    readonly rows: Local;
  },
): void {
  const { shape: s } = w;
  const outRow = s.outWidth * packedChannels(s.outChannels);
  const [entry, i, row, column, from, to] = f.locals('i32', 6);
  f.set(entry, block.table);
  f.for(i, 0, block.images, 1, () => {
    f.for(row, 0, block.rows, 1, () => {
      f.set(from, at(at(block.window, i, w.imageBytes), row, w.stepY * w.rowBytes));
      f.set(to, at(at(block.y, i, s.outHeight * outRow), row, outRow));
      f.for(column, 0, s.outWidth, 1, () => {
        f.push(i32.store(entry, from, 0));
        f.push(i32.store(entry, to, 4));
        f.inc(entry, 8);
        f.inc(from, w.stepX * w.pixelBytes);
        f.inc(to, packedChannels(s.outChannels));
      });
    });
  });
}
