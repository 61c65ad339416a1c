/** The products of a convolution between the transforms: M = V·U, plane by plane. */
import { call, type Expr, i32, type ModuleBuilder } from '../wasm/assembler.ts';
import type { Features } from './kernel.ts';
import { type Convolution, type Grid, PANEL, planeBytes } from './winograd-grid.ts';
import { halves, RegisterTile, ROW } from './winograd-register-tile.ts';

/** Floating-point operations of the products of a convolution, or of its filter's gradient. */
export const productFlops = (c: Convolution, grid: Grid): number =>
  2 * grid.planes * grid.tiles * c.inChannels * c.outChannels;

/** The shape of M = V·U in all planes; the three matrices lie in panels. */
export interface Products {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Channels per plane of U: as many, or more of which these are a part. */
  readonly uChannels: number;
  /** Rows between panels of V, and of M. */
  readonly vTiles: number;
  readonly mTiles: number;
  readonly touches: Touches;
  readonly features: Features;
}

/**
 * What is touched meanwhile, so that the processor fetches it from memory while it multiplies:
 * - `filter`: the next plane of U, which then comes from memory;
 * - `images`: two streams, one `gap` bytes after the other, up to a limit.
 */
export type Touches = 'nothing' | 'filter' | 'images';

/**
 * Emits `products(v, u, m, last, planes, ahead, limit, gap)`: M = V·U in `planes` planes for a block of `rows[0]` tiles, or
 * of `rows[1]` if `last`. V needs no copy: its values are read one by one into all lanes. The images' streams are touched
 * from `ahead` to a little beyond `limit`; returns how far it came.
 */
export function emitProducts(m: ModuleBuilder, spec: Products, rows: readonly [number, number]): number {
  const { inChannels, outChannels, vTiles, mTiles, touches } = spec;
  const uPlane = planeBytes(inChannels, spec.uChannels);
  const strips = new Map<string, number>();
  const [whole, rest] = rows.map((total) => {
    const lines = touches === 'filter' ? linesPerStep(spec, total) : touches === 'images' ? 1 : 0;
    for (const { rows: height } of splitRows(total)) {
      const key = `${height} ${lines}`;
      if (!strips.has(key)) strips.set(key, emitStrip(m, spec, height, lines));
    }
    return m.func(null, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], ['i32'], (f) => {
      const [v, u, out, ahead, gap, stride] = f.params;
      const shifted = (base: Expr, by: number) => i32.add(base, i32.const(by));
      let at = 0;
      for (const { rows: height, count } of splitRows(total)) {
        for (const half of halves(spec.features)) {
          const args = [shifted(v, at), shifted(u, half), shifted(out, at + half), i32.const(count)];
          f.set(ahead, call(strips.get(`${height} ${lines}`) ?? -1, ...args, ahead, gap, stride));
        }
        at += height * count * ROW;
      }
      f.push(ahead);
    });
  });
  return m.func(null, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], ['i32'], (f) => {
    const [v, u, out, last, planes, ahead, limit, gap] = f.params;
    const stride = f.local('i32');
    f.loop((nextPlane) => {
      if (touches === 'filter') {
        f.set(ahead, i32.add(u, i32.const(uPlane)));
        // What is touched reaches a little beyond its plane: the last two touch the one before them once more.
        f.if(i32.le_u(planes, i32.const(2)), () => f.set(ahead, i32.sub(u, i32.const(uPlane))));
      } else f.set(stride, i32.mul(i32.lt_u(ahead, limit), i32.const(ROW)));
      f.if(
        last,
        () => f.set(ahead, call(rest, v, u, out, ahead, gap, stride)),
        () => f.set(ahead, call(whole, v, u, out, ahead, gap, stride)),
      );
      f.inc(v, planeBytes(vTiles, inChannels));
      f.inc(u, uPlane);
      f.inc(out, planeBytes(mTiles, outChannels));
      f.set(planes, i32.sub(planes, i32.const(1)));
      f.brIf(nextPlane, planes);
    });
    f.push(ahead);
  });
}

/** The most that `products` touches in one plane of `rows` tiles, in bytes of each stream. */
export function touchedPerPlane(
  { inChannels, outChannels, features }: Pick<Products, 'inChannels' | 'outChannels' | 'features'>,
  rows: number,
): number {
  const strips = splitRows(rows).reduce((n, { count }) => n + count, 0) * halves(features).length;
  return (outChannels / PANEL) * strips * (inChannels / PANEL) * ROW;
}

/**
 * Lines of the next plane that each step of 16 channels touches, so that all of them are touched by the plane's end.
 * Where that is more than 2 the loads queue behind each other: 512 channels at 7 × 7 became half slower, 128 at 28 × 28
 * a seventh faster.
 */
function linesPerStep({ features }: Products, total: number): number {
  const strips = splitRows(total).reduce((n, { count }) => n + count, 0) * halves(features).length;
  const lines = Math.ceil(PANEL / strips);
  return lines > 2 ? 0 : lines;
}

/** Cuts rows into strips of 6, and as few of 5 and 4 as possible; register tiles of fewer rows are slower. */
function splitRows(total: number): { rows: number; count: number }[] {
  if (total < 4) return [{ rows: total, count: 1 }];
  let sixes = Math.floor(total / 6);
  const rest: number[] = [];
  const left = total % 6;
  if (left === 1 && sixes === 1) rest.push(4, 3);
  else if (left === 1) rest.push(5, 4, 4);
  else if (left === 2) rest.push(4, 4);
  else if (left === 3) rest.push(5, 4);
  else if (left > 0) rest.push(left);
  sixes -= (rest.reduce((a, b) => a + b, 0) - left) / 6;
  return [6, 5, 4, 3].flatMap((rows) => {
    const count = rows === 6 ? sixes : rest.filter((r) => r === rows).length;
    return count > 0 ? [{ rows, count }] : [];
  });
}

/**
 * Emits `strip(v, u, m, count, ahead, gap, stride)`: `count` strips of `rows` rows of M, panel by panel. Each step of 16
 * channels touches `lines` lines from `ahead` on: of the images two, which move on by `stride`. Returns the new `ahead`.
 */
function emitStrip(m: ModuleBuilder, spec: Products, rows: number, lines: number): number {
  const { inChannels, outChannels, features } = spec;
  const images = spec.touches === 'images';
  return m.func(null, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], ['i32'], (f) => {
    const [v, u, out, count, ahead, gap, stride] = f.params;
    const [panels, strip, row, left, a, b, c] = f.locals('i32', 7);
    const tile = new RegisterTile(f, rows, features);
    f.set(panels, i32.const(outChannels / PANEL));
    f.loop((nextPanel) => {
      f.set(strip, count);
      f.set(row, v);
      f.set(c, out);
      f.loop((nextStrip) => {
        f.set(a, row);
        f.set(b, u);
        tile.clear();
        f.set(left, i32.const(inChannels / PANEL));
        f.loop((next) => {
          for (let k = 0; k < PANEL; k++) {
            tile.multiplyAdd(a, (i) => i * ROW + k * 4, b, k * ROW);
            const line = Math.floor((k * lines) / PANEL);
            if (line < Math.floor(((k + 1) * lines) / PANEL)) f.drop(i32.load(ahead, line * ROW));
            if (images && k === PANEL / 2) f.drop(i32.load(i32.add(ahead, gap)));
          }
          if (images) f.inc(ahead, stride);
          else if (lines > 0) f.inc(ahead, lines * ROW);
          f.inc(a, spec.vTiles * ROW);
          f.inc(b, PANEL * ROW);
          f.set(left, i32.sub(left, i32.const(1)));
          f.brIf(next, left);
        });
        tile.store(c, false);
        f.inc(row, rows * ROW);
        f.inc(c, rows * ROW);
        f.set(strip, i32.sub(strip, i32.const(1)));
        f.brIf(nextStrip, strip);
      });
      f.inc(u, inChannels * ROW);
      f.inc(out, spec.mTiles * ROW);
      f.set(panels, i32.sub(panels, i32.const(1)));
      f.brIf(nextPanel, panels);
    });
    f.push(ahead);
  });
}
