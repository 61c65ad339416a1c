/**
 * Walking over tiles: what the transforms at both ends share. Images lie in NHWC, what the products read and write in
 * planes of panels.
 */
import { type Expr, type Func, i32, type Local } from '../wasm/assembler.ts';
import type { Epilogue } from './epilogue.ts';
import type { Features } from './kernel.ts';
import { type Convolution, type Grid, PANEL } from './winograd-grid.ts';
import type { LaneEmitter } from './winograd-lanes.ts';

/** What one transform handles: tiles of an image, and the planes where their products are. */
export interface TileSpec {
  readonly convolution: Convolution;
  readonly grid: Grid;
  /** Tiles (rows of the panels) per plane. */
  readonly planeTiles: number;
  /** Channels per plane. */
  readonly planeChannels: number;
  /** Channels that one call transforms, a multiple of 16. */
  readonly channels: number;
  readonly features: Features;
  /** Of an output transform: done to every output. */
  readonly epilogue?: Epilogue | undefined;
  /** Of an output transform: sums for a batch norm are taken. */
  readonly moments?: boolean;
}

/** Repeats `body` for each group of channels of one tile: steps `panels` from panel to panel, `pixels` along a pixel. */
export function eachGroup(
  f: Func,
  spec: TileSpec,
  e: LaneEmitter,
  panels: readonly Local[],
  pixels: readonly Local[],
  body: () => void,
): void {
  const { bytes } = e;
  const left = f.local('i32');
  f.set(left, i32.const((spec.channels * 4) / bytes));
  f.loop((top) => {
    body();
    e.forget();
    for (const pixel of pixels) f.inc(pixel, bytes);
    for (const panel of panels) f.inc(panel, bytes);
    f.if(i32.eqz(i32.and(panels[0], i32.const(PANEL * 4 - 1))), () => {
      for (const panel of panels) f.inc(panel, (spec.planeTiles - 1) * PANEL * 4);
    });
    f.set(left, i32.sub(left, i32.const(1)));
    f.brIf(top, left);
  });
}

export interface TilePlace {
  readonly tile: Local;
  readonly batch: Local;
  readonly row: Local;
  readonly column: Local;
}

/** Visits tiles `first` … `first` + `count` − 1; `panels` move along one row per tile. */
export function walk(
  f: Func,
  grid: Grid,
  first: Local,
  count: Local,
  panels: readonly Local[],
  body: (place: TilePlace) => void,
): void {
  const [tile, end, batch, row, column] = f.locals('i32', 5);
  f.set(end, i32.add(first, count));
  f.for(tile, first, end, 1, () => {
    f.set(row, i32.div_u(tile, i32.const(grid.columns)));
    f.set(column, i32.sub(tile, i32.mul(row, i32.const(grid.columns))));
    f.set(batch, i32.div_u(row, i32.const(grid.rows)));
    f.set(row, i32.sub(row, i32.mul(batch, i32.const(grid.rows))));
    body({ tile, batch, row, column });
    for (const panel of panels) f.inc(panel, PANEL * 4);
  });
}

/** Byte offset of a pixel; `y` may be negative. */
export function pixelOffset(batch: Expr, y: Expr, x: Expr, height: number, width: number, pixel: number): Expr {
  const line = i32.add(i32.mul(batch, i32.const(height)), y);
  return i32.mul(i32.add(i32.mul(line, i32.const(width)), x), i32.const(pixel));
}

/** Neighbouring tiles of one axis that are treated alike, up to (not including) `end`. */
export interface Run {
  end: number;
  readonly value: readonly number[];
}

export function runsOf(tiles: number, valueOf: (tile: number) => readonly number[]): Run[] {
  const runs: Run[] = [];
  for (let tile = 0; tile < tiles; tile++) {
    const value = valueOf(tile);
    const last = runs.at(-1);
    if (last && last.value.join() === value.join()) last.end = tile + 1;
    else runs.push({ end: tile + 1, value });
  }
  return runs;
}

/** Runs `body` for the run that `tile` is in. */
export function dispatch(f: Func, tile: Local, runs: readonly Run[], body: (index: number) => void): void {
  const choose = (i: number) => {
    if (i === runs.length - 1) body(i);
    else
      f.if(
        i32.lt_u(tile, i32.const(runs[i].end)),
        () => body(i),
        () => choose(i + 1),
      );
  };
  choose(0);
}
