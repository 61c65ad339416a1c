/**
 * The filter gradient of depthwise convolution: every piece sums over its own output rows into its own copy of the
 * filter, and a second kernel adds the copies in their order, so that the sum is the same on any number of threads.
 */
import { type Func, f32x4, i32, type Local, v128 } from '../wasm/assembler.ts';
import { describe } from './conv-shape.ts';
import { multiplyAdd } from './depthwise-fast.ts';
import { type DepthwiseShape, forwardTaps, type TapRun, tapRuns } from './depthwise-taps.ts';
import { type Features, input, output, type Recipe, temp } from './kernel.ts';
import { at, type Block, cutRows, fillRow, loadBlock, type Range, rowKernel, storeBlock, walk } from './move-pieces.ts';

/**
 * `DepthwiseConv2dNativeBackpropFilter`: dW[i, j, c, q] = Σ x[n, r·stride + i·dilation − pad, …, c] · dy[n, r, …, c·m + q]
 * over images n, rows r and columns. Two steps; inputs: x, dy; outputs: dW [filterHeight, filterWidth, inChannels, m].
 */
export function depthwiseBackpropFilter(s: DepthwiseShape, features: Features): Recipe {
  const size = s.filterHeight * s.filterWidth * s.outChannels;
  const outputs = s.batch * s.outHeight * s.outWidth * s.outChannels;
  const inputs = s.batch * s.inHeight * s.inWidth * s.inChannels;
  // Copies of the filter cost memory traffic of their own: no more of them than half of what is read anyway.
  const most = Math.max(8, Math.floor((inputs + outputs) / size / 2));
  const byWork = cutRows(s.batch * s.outHeight, s.outWidth * s.outChannels * s.filterHeight);
  const per = Math.max(byWork.per, Math.ceil(byWork.rows / most));
  const cut = { rows: byWork.rows, per, pieces: Math.max(1, Math.ceil(byWork.rows / per)) };
  const partial = rowKernel(
    {
      name: `depthwise-filter ${describe(s)}`,
      shape: [s, features.relaxed],
      buffers: 3,
      cut,
      flops: 2 * outputs * s.filterHeight * s.filterWidth,
      bytes: (inputs + outputs + cut.pieces * size) * 4,
    },
    (f, rows) => emitPartial(f, s, rows, size, features.relaxed),
  );
  const groups = Math.ceil(size / GROUP);
  const sum = rowKernel(
    {
      name: `depthwise-filter-sum ${cut.pieces}x${size}`,
      shape: null,
      buffers: 2,
      cut: cutRows(groups, GROUP * cut.pieces),
      flops: cut.pieces * size,
      bytes: (cut.pieces + 1) * size * 4,
    },
    (f, rows) => emitSum(f, rows, cut.pieces, size),
  );
  return {
    temps: [cut.pieces * copyBytes(size)],
    steps: [
      { kernel: partial, args: [input(0), input(1), temp(0)] },
      { kernel: sum, args: [temp(0), output(0)] },
    ],
  };
}

/** Elements that the second kernel adds at a time. */
const GROUP = 16;

/** Each copy starts a cache line of its own. */
const copyBytes = (size: number): number => (size * 4 + 63) & ~63;

/** Parameters: piece, scratch, x, dy, copies. */
function emitPartial(f: Func, s: DepthwiseShape, { from, to }: Range, size: number, relaxed: boolean): void {
  const [x, dy] = [f.param(2), f.param(3)];
  const [copy, fill, row, r, i, xLine, dyLine, filterRow] = f.locals('i32', 8);
  const { rows, columns } = forwardTaps(s);
  const [vertical, horizontal] = [rows.phases[0], columns.phases[0]];
  if (!vertical || !horizontal) throw new Error('internal: a forward axis has one phase');
  const runs = tapRuns(columns, horizontal).filter((run) => run.taps.length > 0);
  f.set(copy, at(f.param(4), f.param(0), copyBytes(size)));
  f.set(fill, copy);
  fillRow(f, size, fill, v128.const_f32x4(0));
  f.for(row, from, to, 1, () => {
    f.set(r, i32.rem_u(row, i32.const(s.outHeight)));
    f.set(dyLine, at(dy, row, s.outWidth * s.outChannels * 4));
    f.for(i, 0, s.filterHeight, 1, () => {
      f.set(xLine, i32.sub(i32.mul(r, i32.const(s.strideHeight)), i32.const(s.padTop)));
      f.set(xLine, i32.add(xLine, i32.mul(i, i32.const(s.dilationHeight))));
      f.if(i32.lt_u(xLine, i32.const(s.inHeight)), () => {
        f.set(xLine, i32.add(xLine, i32.mul(i32.div_u(row, i32.const(s.outHeight)), i32.const(s.inHeight))));
        f.set(xLine, at(x, xLine, s.inWidth * s.inChannels * 4));
        f.set(filterRow, at(copy, i, s.filterWidth * s.outChannels * 4));
        const emit = s.channelMultiplier === 1 && s.filterWidth <= 7 ? emitFastRow : emitGeneralRow;
        emit(f, s, runs, xLine, dyLine, filterRow, relaxed);
      });
    });
  });
}

/**
 * One row of dy against one row of x, all taps of a filter row: the sums of 8 channels stay in registers along the row.
 * They do not pack to 256 bits (the revectoriser starts from stores), but eight chains hide the adds' latency.
 */
function emitFastRow(
  f: Func,
  s: DepthwiseShape,
  runs: readonly TapRun[],
  xLine: Local,
  dyLine: Local,
  filterRow: Local,
  relaxed: boolean,
): void {
  const pixel = s.inChannels * 4;
  const [x, dy, w, p, q, j] = f.locals('i32', 6);
  f.set(x, xLine);
  f.set(dy, dyLine);
  f.set(w, filterRow);
  const value = f.local('v128');
  const sums = Array.from({ length: s.filterWidth }, () => f.locals('v128', 2));
  const sumOf = (tap: number, h: number) => sums[tap][h];
  walk(f, s.inChannels, [w, x, dy], (b: Block) => {
    for (const tap of sums) for (const h of b.offsets.keys()) f.set(tap[h], v128.const_f32x4(0));
    for (const run of runs) {
      const left = Math.min(...run.taps.map((t) => t.at));
      f.set(p, i32.add(x, i32.const((run.from * s.strideWidth + left) * pixel)));
      f.set(q, i32.add(dy, i32.const(run.from * pixel)));
      f.for(j, 0, run.to - run.from, 1, () => {
        for (const [h, o] of b.offsets.entries()) {
          f.set(value, loadBlock(b, q, o));
          for (const { tap, at: column } of run.taps) {
            const factor = loadBlock(b, p, o + (column - left) * pixel);
            f.set(sumOf(tap, h), multiplyAdd(factor, value, sumOf(tap, h), relaxed));
          }
        }
        f.inc(p, s.strideWidth * pixel);
        f.inc(q, pixel);
      });
    }
    for (const tap of sums.keys()) {
      for (const [h, o] of b.offsets.entries()) {
        const offset = tap * pixel + o;
        f.push(storeBlock(b, w, f32x4.add(loadBlock(b, w, offset), sumOf(tap, h)), offset));
      }
    }
  });
}

/** The same for any multiplier and width: pixel by pixel, tap by tap, with the sums in memory. */
function emitGeneralRow(
  f: Func,
  s: DepthwiseShape,
  runs: readonly TapRun[],
  xLine: Local,
  dyLine: Local,
  filterRow: Local,
  relaxed: boolean,
): void {
  const m = s.channelMultiplier;
  const [x, dy, w, j, c] = f.locals('i32', 5);
  const add = (b: Block, splat: boolean) => {
    for (const o of b.offsets.toReversed()) {
      const factor = splat ? v128.load32_splat(x) : loadBlock(b, x, o);
      f.push(storeBlock(b, w, multiplyAdd(factor, loadBlock(b, dy, o), loadBlock(b, w, o), relaxed), o));
    }
  };
  for (const run of runs) {
    f.for(j, run.from, run.to, 1, () => {
      for (const { tap, at: column } of run.taps) {
        f.set(x, i32.add(i32.mul(j, i32.const(s.strideWidth)), i32.const(column)));
        f.set(x, at(xLine, x, s.inChannels * 4));
        f.set(dy, at(dyLine, j, s.outChannels * 4));
        f.set(w, i32.add(filterRow, i32.const(tap * s.outChannels * 4)));
        if (m === 1) walk(f, s.inChannels, [w, dy, x], (b) => add(b, false));
        else {
          f.for(c, 0, s.inChannels, 1, () => {
            walk(f, m, [w, dy], (b) => add(b, true));
            f.inc(x, 4);
          });
        }
      }
    });
  }
}

/** Adds `pieces` copies, group by group. Parameters: piece, scratch, copies, dW. */
function emitSum(f: Func, { from, to }: Range, pieces: number, size: number): void {
  const groups = Math.ceil(size / GROUP);
  const rest = size % GROUP;
  const [group, p, q, i, source] = f.locals('i32', 5);
  const sums = f.locals('v128', 4);
  const columns = (lanes: 4 | 1, offsets: readonly number[]) => {
    const block = { lanes, offsets };
    for (const [v] of offsets.entries()) f.set(sums[v], v128.const_f32x4(0));
    f.set(p, source);
    f.for(i, 0, pieces, 1, () => {
      for (const [v, o] of offsets.entries()) {
        f.set(sums[v], f32x4.add(sums[v], loadBlock(block, p, o)));
      }
      f.inc(p, copyBytes(size));
    });
    for (const [v, o] of offsets.entries()) f.push(storeBlock(block, q, sums[v], o));
  };
  const vectors = (count: number) => Array.from({ length: count }, (_, v) => v * 16);
  f.for(group, from, to, 1, () => {
    f.set(source, at(f.param(2), group, GROUP * 4));
    f.set(q, at(f.param(3), group, GROUP * 4));
    const whole = () => columns(4, vectors(GROUP / 4));
    const tail = () => {
      if (rest >= 4) columns(4, vectors(rest >> 2));
      for (let c = rest & ~3; c < rest; c++) columns(1, [c * 4]);
    };
    if (rest === 0) whole();
    else f.if(i32.eq(group, i32.const(groups - 1)), tail, whole);
  });
}
