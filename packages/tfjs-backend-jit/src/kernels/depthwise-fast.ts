/**
 * Depthwise convolution with one filter per channel, forward and input gradient, with all taps unrolled: up to four
 * neighbouring pixels at a time share each weight, and each pixel that they read is loaded once.
 */
import { type Expr, type Func, f32x4, i32, type Local, select, v128 } from '../wasm/assembler.ts';
import { type AxisTap, type Phase, type TapImage, type TapRun, tapRuns } from './depthwise-taps.ts';
import { at, type Block, fillRow, loadBlock, type Range, storeBlock, walk } from './move-pieces.ts';

/** Pixels of one tile: with 8 channels of each, four sums and a filter row stay in registers. */
const TILE = 4;

/** One pixel, and one row of the source, in bytes. */
const pixelBytes = (t: TapImage): number => t.channels * 4;
const sourceRowBytes = (t: TapImage): number => t.columns.inSize * pixelBytes(t);

/** Scratch: a row of zeros that stands for rows outside the source. */
export const zeroRowBytes = sourceRowBytes;

/**
 * Emits target rows [from, to) of batch · rows. Parameters: piece, scratch, source, filter, target.
 * A weight that is not finite makes NaN of zeros outside the image, top and bottom.
 */
export function emitTapRows(f: Func, t: TapImage, { from, to }: Range, relaxed: boolean): void {
  const [zeros, source, filter, target] = [f.param(1), f.param(2), f.param(3), f.param(4)];
  const [row, r, image, line, outside] = f.locals('i32', 5);
  f.set(outside, zeros);
  fillRow(f, t.columns.inSize * t.channels, outside, v128.const_f32x4(0));
  f.for(row, from, to, 1, () => {
    f.set(r, i32.rem_u(row, i32.const(t.rows.size)));
    f.set(image, at(source, i32.div_u(row, i32.const(t.rows.size)), t.rows.inSize * sourceRowBytes(t)));
    f.set(line, at(target, row, t.columns.size * pixelBytes(t)));
    for (const phase of t.rows.phases) {
      const body = () => emitRow(f, t, phase, r, image, filter, line);
      if (t.rows.phases.length === 1 && phase.step === 1) body();
      else f.if(i32.eq(i32.rem_u(r, i32.const(phase.step)), i32.const(phase.first)), body);
    }
  });

  /** One row of a phase of rows: every phase of columns, every run of equal taps. */
  function emitRow(f: Func, t: TapImage, phase: Phase, r: Local, image: Local, filter: Local, line: Local): void {
    const rows = phase.taps.map(({ tap, at: offset }) => {
      const [start, walking] = f.locals('i32', 2);
      const index = i32.add(i32.mul(i32.div_u(r, i32.const(phase.step)), i32.const(phase.inStep)), i32.const(offset));
      const inside = i32.lt_u(index, i32.const(t.rows.inSize));
      f.set(start, select(at(image, index, sourceRowBytes(t)), zeros, inside));
      return { tap, start, walking };
    });
    for (const columns of t.columns.phases) {
      for (const run of tapRuns(t.columns, columns)) emitRun(f, t, columns, run, rows, filter, line, relaxed);
    }
  }
}

interface Row {
  readonly tap: number;
  readonly start: Local;
  readonly walking: Local;
}

function emitRun(
  f: Func,
  t: TapImage,
  phase: Phase,
  run: TapRun,
  rows: readonly Row[],
  filter: Local,
  line: Local,
  relaxed: boolean,
): void {
  const [out, weights, tile] = f.locals('i32', 3);
  const first = run.from * phase.inStep + (run.taps.length > 0 ? Math.min(...run.taps.map((c) => c.at)) : 0);
  f.set(out, i32.add(line, i32.const((run.from * phase.step + phase.first) * pixelBytes(t))));
  for (const { walking, start } of rows)
    f.set(walking, i32.add(start, i32.const(run.taps.length > 0 ? first * pixelBytes(t) : 0)));
  const pixels = run.to - run.from;
  const emit = (count: number) => {
    f.set(weights, filter);
    const used = run.taps.length > 0 ? rows : [];
    walk(f, t.channels, [out, weights, ...used.map((row) => row.walking)], (b) => {
      emitTile(f, t, phase, run.taps, used, b, weights, out, count, relaxed);
    });
    f.inc(out, (count * phase.step - 1) * pixelBytes(t));
    for (const { walking } of used) f.inc(walking, (count * phase.inStep - 1) * pixelBytes(t));
  };
  const whole = Math.floor(pixels / TILE);
  if (whole === 1) emit(TILE);
  else if (whole > 1) f.for(tile, 0, whole, 1, () => emit(TILE));
  if (pixels % TILE > 0) emit(pixels % TILE);
}

/** `count` pixels of one run for one block of channels. */
function emitTile(
  f: Func,
  t: TapImage,
  phase: Phase,
  taps: readonly AxisTap[],
  rows: readonly Row[],
  block: Block,
  weights: Local,
  out: Local,
  count: number,
  relaxed: boolean,
): void {
  const pixels = [...Array(count).keys()];
  const left = Math.min(...taps.map((c) => c.at));
  const x = f.local('v128');
  const filterRow = taps.map((t) => ({ ...t, weight: f.local('v128') }));
  // Which pixels of the tile use which source column, and with which weight.
  const uses = new Map<number, { pixel: number; weight: Local }[]>();
  for (const pixel of pixels) {
    for (const { at: offset, weight } of filterRow) {
      const column = pixel * phase.inStep + offset - left;
      uses.set(column, [...(uses.get(column) ?? []), { pixel, weight }]);
    }
  }
  const sums = block.offsets.map((o) => {
    const accumulators = pixels.map(() => f.local('v128'));
    const started = new Set<number>();
    for (const row of rows) {
      for (const { tap, weight } of filterRow) {
        f.set(weight, loadBlock(block, weights, o + (row.tap * t.filterWidth + tap) * pixelBytes(t)));
      }
      for (const [column, users] of [...uses].toSorted(([a], [b]) => a - b)) {
        f.set(x, loadBlock(block, row.walking, o + column * pixelBytes(t)));
        for (const { pixel, weight } of users) {
          const sum = accumulators[pixel];
          f.set(sum, started.has(pixel) ? multiplyAdd(x, weight, sum, relaxed) : f32x4.mul(x, weight));
          started.add(pixel);
        }
      }
    }
    for (const pixel of pixels) if (!started.has(pixel)) f.set(accumulators[pixel], v128.const_f32x4(0));
    return accumulators;
  });
  for (const pixel of pixels) {
    for (const h of [...block.offsets.keys()].toReversed()) {
      const offset = block.offsets[h] + pixel * phase.step * pixelBytes(t);
      f.push(storeBlock(block, out, sums[h][pixel], offset));
    }
  }
  // A local that lives on into the next round costs the revectoriser's packing.
  for (const local of [x, ...filterRow.map((t) => t.weight), ...sums.flat()]) f.set(local, v128.const_f32x4(0));
}

/** a · b + c. */
export function multiplyAdd(a: Expr, b: Expr, c: Expr, relaxed: boolean): Expr {
  return relaxed ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}
