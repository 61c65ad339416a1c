/**
 * The products between the transforms, plane by plane: M = V·U for a convolution, dU = Vᵀ·D for the filter's gradient.
 * Both run in tiles of 6 rows × 16 columns (6 × 8 without 256-bit operations) held in registers.
 */
import { call, type Expr, type Func, f32x4, i32, type Local, type ModuleBuilder, v128 } from '../wasm/assembler.ts';
import type { Features } from './kernel.ts';
import { type Convolution, type Grid, PANEL, planeBytes } from './winograd-grid.ts';

const ROW = PANEL * 4;

/** Floats of a row that one register tile covers: 4 v128, 12 of 16 AVX registers in 6 rows; 2 without AVX. */
const vectorsPerRow = (features: Features): number => (features.wide ? 4 : 2);

/** Panels are as wide as the tile, or twice as wide; then a product runs once for each half. */
const halves = (features: Features): readonly number[] => (features.wide ? [0] : [0, ROW / 2]);

/** Floating-point operations of the products of a convolution, or of its filter's gradient. */
export const productFlops = (c: Convolution, grid: Grid): number =>
  2 * grid.planes * grid.tiles * c.inChannels * c.outChannels;

/** The shape of M = V·U in all planes; the three matrices lie in panels. */
export interface Products {
  readonly grid: Grid;
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
export function splitRows(total: number): { rows: number; count: number }[] {
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

/** The shape of dU = Vᵀ·D in all planes: a block of channels of both, tiles as rows. */
export interface Reduction {
  readonly grid: Grid;
  /** Rows between panels of V and D. */
  readonly planeTiles: number;
  /** Channels per plane of V and D. */
  readonly planeIn: number;
  readonly planeOut: number;
  /** Channels of the block; its planes of dU are panels [outChannels/16][inChannels][16]. */
  readonly inChannels: number;
  readonly outChannels: number;
  /** Tiles are reduced in stretches of this many, whose panels of V and D stay in the cache. */
  readonly stretch: number;
  /** Cache lines of two streams that each strip of dU touches: what is read next, for the processor to fetch. */
  readonly touched: number;
  readonly features: Features;
}

/** Unrolled tiles of a reduction. */
const UNROLL = 4;

/** Rows of the strips that one panel of dU is made of, and where they begin. */
const STRIPS = [
  { from: 0, rows: 6 },
  { from: 6, rows: 5 },
  { from: 11, rows: 5 },
];

/** Strips of dU in one plane, for each stretch of tiles. */
export const stripsPerPlane = ({ inChannels, outChannels, features }: Omit<Reduction, 'touched'>): number =>
  (inChannels / PANEL) * STRIPS.length * halves(features).length * (outChannels / PANEL);

/**
 * Emits `reduce(v, d, du, count, first, planes, ahead, gap)`: dU of the block (+)= Σ over `count` tiles of Vᵀ·D in each of
 * `planes` planes. The first stretch is written if `first`; all others are added, in order. Touches the streams from
 * `ahead` and from `gap` bytes after it; returns how far it came.
 */
export function emitReduction(m: ModuleBuilder, spec: Reduction): number {
  const { planeTiles, inChannels, outChannels, stretch, features } = spec;
  const strips = STRIPS.map(({ from, rows }) => ({ from, func: emitReductionStrip(m, spec, rows, from) }));
  return m.func(
    null,
    Array.from({ length: 8 }, () => 'i32' as const),
    ['i32'],
    (f) => {
      const [v, d, du, count, first, planes, ahead, gap] = f.params;
      const [plane, done, tiles, fresh, panel, a, b, c] = f.locals('i32', 8);
      f.for(plane, 0, planes, 1, () => {
        f.for(done, 0, count, stretch, () => {
          f.set(tiles, i32.sub(count, done));
          f.if(i32.gt_u(tiles, i32.const(stretch)), () => f.set(tiles, i32.const(stretch)));
          f.set(fresh, i32.and(first, i32.eqz(done)));
          f.set(a, i32.add(v, i32.mul(done, i32.const(ROW))));
          f.set(b, i32.add(d, i32.mul(done, i32.const(ROW))));
          f.set(c, du);
          f.for(panel, 0, inChannels / PANEL, 1, () => {
            for (const { from, func } of strips) {
              for (const half of halves(features)) {
                const right = i32.add(b, i32.const(half));
                const out = i32.add(c, i32.const(from * ROW + half));
                const panels = i32.const(outChannels / PANEL);
                f.set(ahead, call(func, a, right, out, tiles, panels, fresh, ahead, gap));
              }
            }
            f.inc(a, planeTiles * ROW);
            f.inc(c, PANEL * ROW);
          });
        });
        f.inc(v, planeBytes(planeTiles, spec.planeIn));
        f.inc(d, planeBytes(planeTiles, spec.planeOut));
        f.inc(du, planeBytes(inChannels, outChannels));
      });
      f.push(ahead);
    },
  );
}

/**
 * Emits `strip(v, d, du, count, panels, first, ahead, gap)`: `rows` rows of dU, from channel `from` of V's panel, times
 * panels of D.
 */
function emitReductionStrip(m: ModuleBuilder, spec: Reduction, rows: number, from: number): number {
  const { touched } = spec;
  return m.func(
    null,
    Array.from({ length: 8 }, () => 'i32' as const),
    ['i32'],
    (f) => {
      const [v, d, du, count, panels, first, ahead, gap] = f.params;
      const [left, a, b] = f.locals('i32', 3);
      const tile = new RegisterTile(f, rows, spec.features);
      const steps = (unroll: number) => {
        f.loop((next) => {
          for (let k = 0; k < unroll; k++) tile.multiplyAdd(a, (i) => k * ROW + (from + i) * 4, b, k * ROW);
          f.inc(a, unroll * ROW);
          f.inc(b, unroll * ROW);
          f.set(left, i32.sub(left, i32.const(1)));
          f.brIf(next, left);
        });
      };
      f.loop((nextPanel) => {
        for (const base of touched > 0 ? [ahead, i32.add(ahead, gap)] : []) {
          for (let line = 0; line < touched; line++) f.drop(i32.load(base, line * ROW));
        }
        f.inc(ahead, touched * ROW);
        f.set(a, v);
        f.set(b, d);
        tile.clear();
        f.set(left, i32.div_u(count, i32.const(UNROLL)));
        f.if(left, () => steps(UNROLL));
        f.set(left, i32.rem_u(count, i32.const(UNROLL)));
        f.if(left, () => steps(1));
        f.if(
          first,
          () => tile.store(du, false),
          () => tile.store(du, true),
        );
        f.inc(d, spec.planeTiles * ROW);
        f.inc(du, spec.inChannels * ROW);
        f.set(panels, i32.sub(panels, i32.const(1)));
        f.brIf(nextPanel, panels);
      });
      f.push(ahead);
    },
  );
}

/** Sums of `rows` × 16 or × 8 floats in registers. */
class RegisterTile {
  private readonly f: Func;
  private readonly relaxed: boolean;
  private readonly sums: readonly (readonly Local[])[];
  private readonly right: readonly Local[];
  private readonly value: Local;

  constructor(f: Func, rows: number, features: Features) {
    const vectors = vectorsPerRow(features);
    this.f = f;
    this.relaxed = features.relaxed;
    this.sums = Array.from({ length: rows }, () => f.locals('v128', vectors));
    this.right = f.locals('v128', vectors);
    this.value = f.local('v128');
  }

  clear(): void {
    for (const row of this.sums) for (const sum of row) this.f.set(sum, v128.const_f32x4(0));
  }

  /** sums[i] += the float at a + `offset(i)` times the row at b + `at`. */
  multiplyAdd(a: Local, offset: (row: number) => number, b: Local, at: number): void {
    this.right.forEach((vector, j) => {
      this.f.set(vector, v128.load(b, at + j * 16));
    });
    this.sums.forEach((row, i) => {
      this.f.set(this.value, v128.load32_splat(a, offset(i)));
      row.forEach((sum, j) => {
        const right = this.right[j];
        const next = this.relaxed
          ? f32x4.relaxed_madd(this.value, right, sum)
          : f32x4.add(f32x4.mul(this.value, right), sum);
        this.f.set(sum, next);
      });
    });
  }

  /** Writes the sums to rows at `at`, or adds them; each pair of vectors high half first. */
  store(at: Local, add: boolean): void {
    this.sums.forEach((row, i) => {
      if (add) {
        row.forEach((sum, j) => {
          this.f.set(sum, f32x4.add(sum, v128.load(at, i * ROW + j * 16)));
        });
      }
      for (let j = 0; j < row.length; j += 2) {
        this.f.push(v128.store(at, row[j + 1], i * ROW + (j + 1) * 16));
        this.f.push(v128.store(at, row[j], i * ROW + j * 16));
      }
    });
  }
}
