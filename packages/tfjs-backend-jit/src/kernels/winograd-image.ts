/** The transform at the input's side: patches of an image in NHWC → V = Bᵀ d B, in planes of panels. */
import { call, i32, type ModuleBuilder, select, v128 } from '../wasm/assembler.ts';
import { type Convolution, type Grid, planeBytes } from './winograd-grid.ts';
import { apply, type Band, LaneEmitter, transform2d, valuesOf } from './winograd-lanes.ts';
import { matrices } from './winograd-matrix.ts';
import { dispatch, eachGroup, pixelOffset, runsOf, type TileSpec, walk } from './winograd-tiles.ts';

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
