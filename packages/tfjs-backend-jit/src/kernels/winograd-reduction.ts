/**
 * The products of a filter's gradient between the transforms: dU = Vᵀ·D, plane by plane, with tiles as the inner dimension.
 */
import { call, i32, type ModuleBuilder } from '../wasm/assembler.ts';
import type { Features } from './kernel.ts';
import { PANEL, planeBytes } from './winograd-grid.ts';
import { halves, RegisterTile, ROW } from './winograd-register-tile.ts';

/** The shape of dU = Vᵀ·D in all planes: a block of channels of both, tiles as rows. */
export interface Reduction {
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
