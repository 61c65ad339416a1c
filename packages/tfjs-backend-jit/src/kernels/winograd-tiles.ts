/**
 * Walks over tiles and transforms each, between images in NHWC and planes of panels: image → V = Bᵀ d B,
 * M → image Y = Aᵀ m A, and gradient of the output → D = A dy Aᵀ.
 */
import { call, type Expr, type Func, i32, type Local, type ModuleBuilder, select, v128 } from '../wasm/assembler.ts';
import { type Epilogue, evaluate, inputsAt } from './epilogue.ts';
import type { Features } from './kernel.ts';
import { emitMomentStart, momentRow } from './moments.ts';
import { type Convolution, type Grid, PANEL, planeBytes } from './winograd-grid.ts';
import {
  apply,
  applyTransposed,
  type Band,
  combine,
  groupBytes,
  LaneEmitter,
  type Lanes,
  transform2d,
  valuesOf,
} from './winograd-lanes.ts';
import { matrices } from './winograd-matrix.ts';

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

/** Bytes of scratch that `emitImageTransform`'s function fills with zeros, for rows of a patch outside of the image. */
export const zeroBytes = (c: Convolution, grid: Grid): number => grid.n * c.inChannels * 4;

/**
 * Emits `image(x, first, count, v, zeros)`: the patches of `count` tiles from tile `first` → V, or the planes of one
 * band of V. Columns outside of the image are known while emitting, one function for each case; rows outside are read
 * from zeros.
 */
export function emitImageTransform(m: ModuleBuilder, spec: TileSpec, band?: Band): number {
  const { convolution: c, grid } = spec;
  const pixel = c.inChannels * 4;
  const runs = runsOf(grid.columns, (tile) => {
    const x = tile * grid.m - c.padLeft;
    const from = Math.max(0, -x);
    return [from, Math.max(from, Math.min(grid.n, c.inWidth - x))];
  });
  const variants = runs.map(({ value: [from, to] }) => emitPatch(m, spec, pixel, from, to, band));
  const zero = emitZero(m, zeroBytes(c, grid));
  return m.func(null, ['i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [image, first, count, v, zeros] = f.params;
    const [left, top, base] = f.locals('i32', 3);
    const rows = f.locals('i32', grid.n);
    f.push(call(zero, zeros));
    walk(f, grid, first, count, [v], ({ batch, row, column }) => {
      f.set(top, i32.sub(i32.mul(row, i32.const(grid.m)), i32.const(c.padTop)));
      f.set(left, i32.sub(i32.mul(column, i32.const(grid.m)), i32.const(c.padLeft)));
      f.set(left, select(left, i32.const(0), i32.ge_s(left, i32.const(0))));
      f.set(base, i32.add(image, pixelOffset(batch, top, left, c.inHeight, c.inWidth, pixel)));
      rows.forEach((pointer, i) => {
        const inside = i32.lt_u(i32.add(top, i32.const(i)), i32.const(c.inHeight));
        f.set(pointer, select(i32.add(base, i32.const(i * c.inWidth * pixel)), zeros, inside));
      });
      dispatch(f, column, runs, (i) => f.push(call(variants[i], v, ...rows)));
    });
  });
}

/** Emits `zero(at)`: writes `bytes` zeros, a multiple of 64. */
function emitZero(m: ModuleBuilder, bytes: number): number {
  return m.func(null, ['i32'], [], (f) => {
    const at = f.param(0);
    const end = f.local('i32');
    f.set(end, i32.add(at, i32.const(bytes)));
    f.for(at, at, end, 64, () => {
      for (const offset of [16, 0, 48, 32]) f.push(v128.store(at, v128.const_f32x4(0), offset));
    });
  });
}

/** Emits `patch(v, row0, …)` for patches whose columns `from` ≤ j < `to` lie in the image; rows point at column `from`. */
function emitPatch(m: ModuleBuilder, spec: TileSpec, pixel: number, from: number, to: number, band?: Band): number {
  const { grid, features } = spec;
  const { image } = matrices(grid.m);
  const down = band?.cut(image) ?? image;
  const read = valuesOf(down);
  const plane = planeBytes(spec.planeTiles, spec.planeChannels);
  const types = Array.from({ length: grid.n + 1 }, () => 'i32' as const);
  return m.func(null, types, [], (f) => {
    const [v, ...rows] = f.params;
    const e = new LaneEmitter(f, features);
    e.prepare(image);
    eachGroup(f, spec, e, [v], rows, () => {
      transform2d(
        grid.n,
        (values) => apply(e, down, values),
        (values) => apply(e, image, values),
        (i, j) => (read.has(i) && j >= from && j < to ? e.load(rows[i], (j - from) * pixel) : null),
        (i, values) => {
          values.forEach((value, j) => {
            e.store(v, (i * grid.n + j) * plane, value);
          });
        },
      );
    });
  });
}

/**
 * Emits `output(m, first, count, y, ...inputs, chunk)`: the products of `count` tiles → their outputs, from tile `first`.
 * The inputs are the epilogue's, at the channel of `y`, as is the chunk of moments, if they are taken.
 */
export function emitOutputTransform(m: ModuleBuilder, spec: TileSpec): number {
  const { grid, features, epilogue } = spec;
  const { tile } = matrices(grid.m);
  const plane = planeBytes(spec.planeTiles, spec.planeChannels);
  return emitOutputWalk(m, spec, (pixel, height, width, moments) =>
    m.func(null, ['i32', 'i32', ...inputTypes(spec), ...chunkTypes(moments)], [], (f) => {
      const [products, y, ...others] = f.params;
      const inputs = others.slice(0, inputTypes(spec).length);
      const e = new LaneEmitter(f, features);
      e.prepare(tile);
      eachGroup(f, spec, e, [products], [y, ...others], () => {
        const sums = moments ? new MomentSums(e, spec, others[inputs.length], height * width) : undefined;
        transform2d(
          grid.n,
          (values) => applyTransposed(e, tile, values),
          (values) => applyTransposed(e, tile, values),
          (i, j) => e.load(products, (i * grid.n + j) * plane),
          (i, values) => {
            if (i >= height) return;
            values.slice(0, width).forEach((value, j) => {
              const offset = (i * spec.convolution.outWidth + j) * pixel;
              const finished = finish(e, epilogue, value, inputs, offset);
              e.store(y, offset, finished);
              sums?.add(finished);
            });
          },
        );
        sums?.store();
      });
    }),
  );
}

/** The moments of one group of channels, from a chunk's numbers and back to them. */
class MomentSums {
  private readonly e: LaneEmitter;
  private readonly chunk: Local;
  private readonly row: number;
  private readonly pixels: number;
  private readonly shift: Lanes;
  private sum: Lanes;
  private squares: Lanes;

  constructor(e: LaneEmitter, spec: TileSpec, chunk: Local, pixels: number) {
    this.e = e;
    this.chunk = chunk;
    this.row = momentRow(spec.convolution.outChannels);
    this.pixels = pixels;
    this.shift = e.load(chunk, 0);
    this.sum = e.load(chunk, this.row);
    this.squares = e.load(chunk, 2 * this.row);
  }

  add(value: Lanes): void {
    const { e } = this;
    const apart = e.sub(value, this.shift);
    this.sum = e.add(this.sum, apart);
    this.squares = e.addSquare(apart, this.squares);
  }

  store(): void {
    const { e, chunk, row } = this;
    e.store(chunk, row, this.sum);
    e.store(chunk, 2 * row, this.squares);
    e.store(chunk, 3 * row, e.addConstant(e.load(chunk, 3 * row), this.pixels));
  }
}

/** The value that is stored `offset` bytes from the tile's first output. */
function finish(
  e: LaneEmitter,
  epilogue: Epilogue | undefined,
  value: Lanes,
  inputs: readonly Local[],
  offset: number,
): Lanes {
  if (epilogue === undefined) return value;
  return e.compute((h) =>
    evaluate(epilogue, e.scope, value?.[h] ?? v128.const_f32x4(0), (i) =>
      v128.load(inputs[i], (epilogue.inputs[i] === 'element' ? offset : 0) + 16 * h),
    ),
  );
}

/**
 * The output's transform band by band, each when its products are there. Emits for a pair `half(m, parts)`: every row
 * of products → the values of a row of the output, their sum and difference to the parts; for the others
 * `output(m, first, count, y, parts, ...inputs, chunk)`: these and all parts → y.
 */
export function emitOutputBands(m: ModuleBuilder, spec: TileSpec, bands: readonly Band[]): number[] {
  let part = 0;
  return bands.map((band) => {
    if (band.kind === 'single') return emitLastBand(m, spec, band, part);
    part += 2 * spec.grid.m;
    return emitPairBand(m, spec, part - 2 * spec.grid.m);
  });
}

/** Planes of parts that the pairs leave behind. */
export const partPlanes = (grid: Grid, bands: readonly Band[]): number => 2 * grid.m * (bands.length - 1);

function emitPairBand(m: ModuleBuilder, spec: TileSpec, part: number): number {
  const { grid, features, planeTiles, planeChannels } = spec;
  const { tile } = matrices(grid.m);
  const plane = planeBytes(planeTiles, planeChannels);
  const step = groupBytes(features);
  return m.func(null, ['i32', 'i32'], [], (f) => {
    const [products, parts] = f.params;
    const left = f.local('i32');
    const e = new LaneEmitter(f, features);
    e.prepare(tile);
    f.set(left, i32.const((planeTiles * planeChannels * 4) / step));
    f.loop((top) => {
      const [first, second] = [0, 1].map((row) =>
        applyTransposed(
          e,
          tile,
          Array.from({ length: grid.n }, (_, j) => e.load(products, (row * grid.n + j) * plane)),
        ),
      );
      first.forEach((value, j) => {
        e.store(parts, (part + j) * plane, e.add(value, second[j]));
        e.store(parts, (part + grid.m + j) * plane, e.sub(value, second[j]));
      });
      e.forget();
      f.inc(products, step);
      f.inc(parts, step);
      f.set(left, i32.sub(left, i32.const(1)));
      f.brIf(top, left);
    });
  });
}

function emitLastBand(m: ModuleBuilder, spec: TileSpec, band: Band, parts: number): number {
  const { grid, features, epilogue } = spec;
  const { tile } = matrices(grid.m);
  const plane = planeBytes(spec.planeTiles, spec.planeChannels);
  // M and the parts move alike.
  return emitOutputWalk(
    m,
    spec,
    (pixel, height, width, moments) =>
      m.func(null, ['i32', 'i32', 'i32', ...inputTypes(spec), ...chunkTypes(moments)], [], (f) => {
        const [products, from, y, ...rest] = f.params;
        const inputs = rest.slice(0, inputTypes(spec).length);
        const e = new LaneEmitter(f, features);
        e.prepare(tile);
        eachGroup(f, spec, e, [products, from], [y, ...rest], () => {
          const sums = moments ? new MomentSums(e, spec, rest[inputs.length], height * width) : undefined;
          const own = band.rows.map((_, row) =>
            applyTransposed(
              e,
              tile,
              Array.from({ length: grid.n }, (_, j) => e.load(products, (row * grid.n + j) * plane)),
            ),
          );
          for (let j = 0; j < width; j++) {
            const others = Array.from({ length: parts / grid.m }, (_, k) => e.load(from, (k * grid.m + j) * plane));
            const operands = [own[0][j], ...others, own[1][j]];
            combine(e, tile, operands)
              .slice(0, height)
              .forEach((value, i) => {
                const offset = (i * spec.convolution.outWidth + j) * pixel;
                const finished = finish(e, epilogue, value, inputs, offset);
                e.store(y, offset, finished);
                sums?.add(finished);
              });
          }
          sums?.store();
        });
      }),
    true,
  );
}

/**
 * Emits `gradient(d, first, count, dy)`: the gradients of `count` tiles of the output → D, or the planes of one band of
 * it, from tile `first`.
 */
export function emitGradientTransform(m: ModuleBuilder, spec: TileSpec, band?: Band): number {
  const { grid, features } = spec;
  const { tile } = matrices(grid.m);
  const down = band?.cut(tile) ?? tile;
  const read = valuesOf(down);
  const plane = planeBytes(spec.planeTiles, spec.planeChannels);
  return emitOutputWalk(m, spec, (pixel, height, width) =>
    m.func(null, ['i32', 'i32'], [], (f) => {
      const [d, dy] = f.params;
      const e = new LaneEmitter(f, features);
      e.prepare(tile);
      eachGroup(f, spec, e, [d], [dy], () => {
        transform2d(
          grid.m,
          (values) => apply(e, down, values),
          (values) => apply(e, tile, values),
          (i, j) =>
            read.has(i) && i < height && j < width ? e.load(dy, (i * spec.convolution.outWidth + j) * pixel) : null,
          (i, values) => {
            values.forEach((value, j) => {
              e.store(d, (i * grid.n + j) * plane, value);
            });
          },
        );
      });
    }),
  );
}

/** Emits a walk over tiles of the output; `emitTile(pixel, height, width)` makes the function of tiles of one size. */
function emitOutputWalk(
  m: ModuleBuilder,
  spec: TileSpec,
  emitTile: (pixel: number, height: number, width: number, moments: boolean) => number,
  hasParts = false,
): number {
  const { moments = false } = spec;
  const { convolution: c, grid } = spec;
  const pixel = c.outChannels * 4;
  const heights = runsOf(grid.rows, (tile) => [Math.min(grid.m, c.outHeight - tile * grid.m)]);
  const widths = runsOf(grid.columns, (tile) => [Math.min(grid.m, c.outWidth - tile * grid.m)]);
  const variants = heights.map((h) => widths.map((w) => emitTile(pixel, h.value[0], w.value[0], moments)));
  // A chunk of moments is summed around its first output.
  const firstOutput = moments ? emitTile(pixel, 1, 1, false) : -1;
  const clear = moments ? emitMomentStart(m, c.outChannels) : -1;
  const partTypes = hasParts ? ['i32' as const] : [];
  const types = ['i32', 'i32', 'i32', 'i32', ...partTypes, ...inputTypes(spec), ...chunkTypes(moments)] as const;
  return m.func(null, types, [], (f) => {
    const [planes, first, count, image] = f.params;
    const parts = hasParts ? [f.params[4]] : [];
    const inputs = f.params.slice(4 + parts.length, 4 + parts.length + inputTypes(spec).length);
    const chunk = moments ? f.params.slice(-1) : [];
    const [top, left, offset, at] = f.locals('i32', 4);
    walk(f, grid, first, count, [planes, ...parts], ({ tile, batch, row, column }) => {
      f.set(top, i32.mul(row, i32.const(grid.m)));
      f.set(left, i32.mul(column, i32.const(grid.m)));
      f.set(offset, pixelOffset(batch, top, left, c.outHeight, c.outWidth, pixel));
      f.set(at, i32.add(image, offset));
      const others = spec.epilogue ? inputsAt(spec.epilogue, inputs, offset, i32.const(0)) : [];
      for (const numbers of chunk) {
        f.if(i32.eq(tile, first), () => {
          f.push(call(firstOutput, planes, ...parts, numbers, ...others));
          f.push(call(clear, numbers, numbers, i32.const(spec.channels)));
        });
      }
      dispatch(f, row, heights, (h) =>
        dispatch(f, column, widths, (w) => f.push(call(variants[h][w], planes, ...parts, at, ...others, ...chunk))),
      );
    });
  });
}

const inputTypes = (spec: TileSpec) => (spec.epilogue?.inputs ?? []).map(() => 'i32' as const);

const chunkTypes = (moments: boolean) => (moments ? ['i32' as const] : []);

/** Repeats `body` for each group of channels of one tile: steps `panels` from panel to panel, `pixels` along a pixel. */
function eachGroup(
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

interface TilePlace {
  readonly tile: Local;
  readonly batch: Local;
  readonly row: Local;
  readonly column: Local;
}

/** Visits tiles `first` … `first` + `count` − 1; `panels` move along one row per tile. */
function walk(
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
function pixelOffset(batch: Expr, y: Expr, x: Expr, height: number, width: number, pixel: number): Expr {
  const line = i32.add(i32.mul(batch, i32.const(height)), y);
  return i32.mul(i32.add(i32.mul(line, i32.const(width)), x), i32.const(pixel));
}

/** Neighbouring tiles of one axis that are treated alike, up to (not including) `end`. */
interface Run {
  end: number;
  readonly value: readonly number[];
}

function runsOf(tiles: number, valueOf: (tile: number) => readonly number[]): Run[] {
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
function dispatch(f: Func, tile: Local, runs: readonly Run[], body: (index: number) => void): void {
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
