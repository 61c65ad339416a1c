/**
 * The outputs of one pass as a regular grid, cut into blocks that a thread computes at a time.
 * A block is some whole images, or rows of one image, or (wide images) a part of its rows.
 */
import { type Expr, type Func, i32, type Local } from '../wasm/assembler.ts';
import type { Conv2DShape } from './conv-shape.ts';
import type { Axis } from './conv2d-direct-axis.ts';
import { smaller } from './gemm.ts';

/** An NHWC tensor: what a window is cut from, or what results are written to. */
export interface Image {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export const inputImage = (s: Conv2DShape): Image => ({
  batch: s.batch,
  height: s.inHeight,
  width: s.inWidth,
  channels: s.inChannels,
});

export const outputImage = (s: Conv2DShape): Image => ({
  batch: s.batch,
  height: s.outHeight,
  width: s.outWidth,
  channels: s.outChannels,
});

export interface Block {
  readonly images: number;
  readonly rows: number;
  readonly columns: number;
}

export interface Grid {
  readonly batch: number;
  readonly axisY: Axis;
  readonly axisX: Axis;
  /** Sizes of a block; the last ones of each direction may be smaller. */
  readonly block: Block;
  /** How many blocks there are in each direction. */
  readonly counts: Block;
  /** How many blocks there are. */
  readonly blocks: number;
}

/** Output pixels of a block: with 96 a 64-channel window (halo included) fits the second-level cache several times. */
const BLOCK_PIXELS = 96;
/** Wider images are cut into columns too, to keep the halo small. */
const WHOLE_WIDTH = 64;
const CUT_WIDTH = 32;

/** Cuts the outputs axisY × axisX of `batch` images into blocks of about `pixels`; `wholeWidth`: never cut a row. */
export function planGrid(
  batch: number,
  axisY: Axis,
  axisX: Axis,
  { pixels = BLOCK_PIXELS, wholeWidth = false } = {},
): Grid {
  const height = axisY.outputs;
  const width = axisX.outputs;
  const even = (size: number, part: number) => Math.ceil(size / Math.ceil(size / Math.min(size, part)));
  const cut = (): Block => {
    if (height * width * 2 <= pixels) {
      return { images: even(batch, Math.floor(pixels / (height * width))), rows: height, columns: width };
    }
    if (height * width <= pixels * 1.5) return { images: 1, rows: height, columns: width };
    const columns = wholeWidth || width <= WHOLE_WIDTH ? width : even(width, CUT_WIDTH);
    return { images: 1, rows: even(height, Math.max(1, Math.round(pixels / columns))), columns };
  };
  const block = cut();
  const counts = {
    images: Math.ceil(batch / block.images),
    rows: Math.ceil(height / block.rows),
    columns: Math.ceil(width / block.columns),
  };
  return { batch, axisY, axisX, block, counts, blocks: counts.images * counts.rows * counts.columns };
}

export const pixelsOf = (block: Block): number => block.images * block.rows * block.columns;

/** Every number of pixels that a block of the grid has. */
export function blockSizes({ batch, axisY, axisX, block }: Grid): number[] {
  const ends = (size: number, part: number) => [part, ((size - 1) % part) + 1];
  const sizes = ends(batch, block.images).flatMap((images) =>
    ends(axisY.outputs, block.rows).flatMap((rows) =>
      ends(axisX.outputs, block.columns).map((columns) => pixelsOf({ images, rows, columns })),
    ),
  );
  return [...new Set(sizes)];
}

/** Locals that hold a block's outputs: where it starts and how far it goes in each direction. */
export interface BlockLocals {
  readonly image: Local;
  readonly images: Local;
  readonly row: Local;
  readonly rows: Local;
  readonly column: Local;
  readonly columns: Local;
}

/** Computes the outputs of block number `index`. */
export function emitBlock(f: Func, index: Local, grid: Grid): BlockLocals {
  const { batch, axisY, axisX, block, counts } = grid;
  const [image, images, row, rows, column, columns] = f.locals('i32', 6);
  const part = (first: Local, count: Local, place: Expr, size: number, whole: number) => {
    f.set(first, i32.mul(place, i32.const(size)));
    f.set(count, smaller(i32.sub(i32.const(whole), first), i32.const(size)));
  };
  part(column, columns, i32.rem_u(index, i32.const(counts.columns)), block.columns, axisX.outputs);
  const above = i32.div_u(index, i32.const(counts.columns));
  part(row, rows, i32.rem_u(above, i32.const(counts.rows)), block.rows, axisY.outputs);
  part(image, images, i32.div_u(above, i32.const(counts.rows)), block.images, batch);
  return { image, images, row, rows, column, columns };
}

/** Runs `body` for each row of a block's outputs; `to` is the address of its first, and `i, y` are its place in the block. */
export function forEachRow(
  f: Func,
  { axisY, axisX }: Grid,
  target: Image,
  at: BlockLocals,
  base: Local,
  body: (to: Local, i: Local, y: Local) => void,
): void {
  const [to, i, y] = f.locals('i32', 3);
  f.for(i, 0, at.images, 1, () => {
    f.for(y, 0, at.rows, 1, () => {
      const ty = i32.add(i32.mul(i32.add(at.row, y), i32.const(axisY.outStep)), i32.const(axisY.outStart));
      f.set(to, i32.add(i32.mul(i32.add(at.image, i), i32.const(target.height)), ty));
      const tx = i32.add(i32.mul(at.column, i32.const(axisX.outStep)), i32.const(axisX.outStart));
      f.set(to, i32.add(i32.mul(to, i32.const(target.width)), tx));
      f.set(to, i32.add(base, i32.mul(to, i32.const(target.channels * 4))));
      body(to, i, y);
    });
  });
}

/** Runs `body` for each output of a block; `to` is its address, and `i, y, x` are its place in the block. */
export function forEachOutput(
  f: Func,
  grid: Grid,
  target: Image,
  at: BlockLocals,
  base: Local,
  body: (to: Local, i: Local, y: Local, x: Local) => void,
): void {
  const x = f.local('i32');
  forEachRow(f, grid, target, at, base, (to, i, y) => {
    f.for(x, 0, at.columns, 1, () => {
      body(to, i, y, x);
      f.inc(to, target.channels * 4 * grid.axisX.outStep);
    });
  });
}
