/**
 * Convolution as matrix products over windows: the forward direction, and the input gradient class by class.
 * Each pass computes every output of one regular grid; the passes of a kernel write disjoint grids.
 */
import { call, i32, type ModuleBuilder } from '../wasm/assembler.ts';
import type { Axis } from './conv2d-direct-axis.ts';
import {
  blockSizes,
  emitBlock,
  forEachOutput,
  forEachRow,
  type Grid,
  type Image,
  pixelsOf,
  planGrid,
} from './conv2d-direct-grid.ts';
import { emitFillWindow, PANEL, planWindow, type Window } from './conv2d-direct-window.ts';
import { describeOutcome, type Epilogue, emitEpilogueRow, inputsAt, outcomeArgs, outcomePointers } from './epilogue.ts';
import { emitGemm, type GemmSpec, Layout, share, sliceBytes, smaller, Tiles } from './gemm.ts';
import { type Copies, emitCopies } from './gemm-copy.ts';
import { type PackJob, type PackSource, packedBytes, packKernel } from './gemm-pack.ts';
import {
  depthOf,
  emitStepTables,
  type Phase,
  phasesOfRuns,
  type StepLoop,
  stepsOf,
  stepTableBytes,
} from './gemm-steps.ts';
import { ROW_ENTRY, tileColumns } from './gemm-tile.ts';
import { type Features, input, type Kernel, output, type Recipe, type Step, temp } from './kernel.ts';
import { chunkBytes, emitMomentRow, emitMomentStart, withMoments } from './moments.ts';

/** The filter as a pass reads it: bytes from one tap row, tap column, k (source channel) and n (output) to the next. */
export interface FilterView {
  readonly row: number;
  readonly column: number;
  readonly k: number;
  readonly n: number;
}

/** k of a slice of the filter: 16 KB of the first-level cache. */
const BLOCK_DEPTH = 256;
/**
 * Pieces of a launch: enough for 8 threads to end together, few enough that claiming them costs nothing, and that a window
 * which several pieces read is not copied too often (with 32, one thread took a tenth longer for the strided layers at batch 1).
 */
const MAX_PIECES = 64;
const MIN_PIECES = 16;

/** A convolution to compute: the target from the source, where `filter` says how the filter is read. */
export interface Convolution {
  readonly name: string;
  /** Tells apart all convolutions of other code. */
  readonly key: string;
  readonly source: Image;
  readonly target: Image;
  readonly filter: FilterView;
  /** Where the target is computed, as axisY × axisX; together they cover it, each position once. */
  readonly grids: readonly (readonly [Axis, Axis])[];
  /** The filter outlives the run: it is packed once, and the packed one kept. */
  readonly steady?: boolean;
  /** Applied to every output pixel of a block once its products are there; its inputs follow the filter's pointer. */
  readonly epilogue?: Epilogue | undefined;
  /** Moments of the result are taken; only of one grid, of step 1. */
  readonly moments?: boolean;
}

interface Pass {
  readonly grid: Grid;
  readonly window: Window;
  readonly spec: GemmSpec;
  /** Panels of output channels. */
  readonly panels: number;
  /** Work is cut into `chunks` runs of blocks × `groups` ranges of panels. */
  readonly chunks: number;
  readonly groups: number;
  /** Where the pass's packed filter starts, in bytes. */
  readonly packedAt: number;
}

/** The recipe of a convolution: inputs source and filter, output target. */
export function convolve(conv: Convolution, features: Features): Recipe {
  const { source, target, filter } = conv;
  const width = tileColumns(features, target.channels);
  const grids = conv.grids
    .map(([y, x]) => planGrid(source.batch, y, x))
    // The heaviest first, so that the last pieces to be taken are short.
    .sort((a, b) => tapsOf(b) - tapsOf(a));
  const panel: PackSource = { kStride: filter.k, nStride: filter.n, columns: target.channels };
  // A filter that each piece reads once is packed by the pieces, else by a step of its own.
  const inline = !conv.steady && grids.every((grid) => grid.blocks === 1);
  let packedAt = 0;
  const passes = grids.map((grid): Pass => {
    const window = planWindow(source, grid);
    const phases = tapsOf(grid) === 0 ? [] : planPhases(window, grid, filter);
    const base = { phases, width, relaxed: features.relaxed, rowCounts: blockSizes(grid), panelDepth: depthOf(phases) };
    const panels = Math.ceil(target.channels / width);
    const chunks = Math.min(grid.blocks, MAX_PIECES);
    const groups = phases.length === 0 ? 1 : Math.min(panels, Math.ceil(MIN_PIECES / chunks));
    const pass = { grid, window, spec: inline ? { ...base, pack: panel } : base, panels, chunks, groups, packedAt };
    packedAt += packedBytes(phases, target.channels, width);
    return pass;
  });
  const kernel = passKernel(conv, passes, `${width} ${features.relaxed} ${inline}`, features);
  const { epilogue, moments = false } = conv;
  const finished = (recipe: Recipe) =>
    moments ? withMoments(recipe, conv.name, passes[0].chunks, target.channels) : recipe;
  const results = (partials: number) => [output(0), ...outcomeArgs({ epilogue, moments }, temp(partials))];
  if (inline || packedAt === 0) {
    const args = [input(0), input(1), ...results(0)];
    return finished({ temps: [], steps: [{ kernel, args }] });
  }
  const jobs = passes
    .filter((pass) => pass.spec.phases.length > 0)
    .map((pass): PackJob => ({ phases: pass.spec.phases, source: panel, count: 1, stride: 0, offset: pass.packedAt }));
  const pack: Step = {
    kernel: packKernel(conv.name, `${conv.key} ${width}`, jobs, width),
    args: [input(1), temp(0)],
    keep: conv.steady ?? false,
  };
  const args = [input(0), temp(0), ...results(1)];
  return finished({ temps: [packedAt], steps: [pack, { kernel, args }] });
}

const tapsOf = (grid: Grid) => grid.axisY.taps * grid.axisX.taps;

/** The order of k: panel, filter row, filter column, channel; without panels, rows of taps as long runs if they are. */
function planPhases(window: Window, { axisY: y, axisX: x }: Grid, filter: FilterView): Phase[] {
  const bStart = y.filterStart * filter.row + x.filterStart * filter.column;
  const row: StepLoop = {
    count: y.taps,
    a: window.y.tapStep * window.rowBytes,
    b: y.filterStep * filter.row,
  };
  const column: StepLoop = {
    count: x.taps,
    a: window.x.tapStep * window.pixelBytes,
    b: x.filterStep * filter.column,
  };
  const steps = { aStep: 4, bStep: filter.k, bStart };
  if (window.panels > 0) {
    const panel: StepLoop = { count: window.panels, a: window.panelBytes, b: PANEL * filter.k };
    return phasesOfRuns([panel, row, column], { length: PANEL, ...steps }, BLOCK_DEPTH);
  }
  const channels = window.source.channels;
  const contiguous = column.a === channels * 4 && column.b === channels * filter.k;
  if (contiguous) return phasesOfRuns([row], { length: x.taps * channels, ...steps }, BLOCK_DEPTH);
  return phasesOfRuns([row, column], { length: channels, ...steps }, BLOCK_DEPTH);
}

function passKernel(conv: Convolution, passes: readonly Pass[], variant: string, features: Features): Kernel {
  const { source, target, epilogue, moments = false } = conv;
  const extras = outcomePointers({ epilogue, moments });
  const layouts = passes.map((pass) => planPlaces(pass, target));
  const pieces = passes.map((pass) => pass.chunks * pass.groups);
  const depths = passes.map((pass) => depthOf(pass.spec.phases));
  const products = passes.reduce((n, { grid }, i) => n + grid.axisY.outputs * grid.axisX.outputs * depths[i], 0);
  const filterFloats = depths.reduce((a, b) => a + b, 0) * target.channels;
  return {
    name: `${conv.name}${describeOutcome({ epilogue, moments })}`,
    key: `${conv.key} ${variant} ${JSON.stringify([epilogue, moments])}`,
    buffers: 3 + extras,
    pieces: passes.length * Math.max(...pieces),
    scratch: Math.max(...layouts.map((places) => places.bytes)),
    flops: 2 * source.batch * products * target.channels,
    bytes: 4 * (imageFloats(source) + imageFloats(target) + filterFloats),
    emit(m) {
      const copies = emitCopies(m);
      const tiles = new Tiles(m);
      const funcs = passes.map((pass, i) =>
        pass.spec.phases.length === 0
          ? emitZeroPass(m, pass, target, copies)
          : emitPass(m, conv, pass, layouts[i], tiles, copies, features),
      );
      m.func(
        'k',
        Array.from({ length: 5 + extras }, () => 'i32' as const),
        [],
        (f) => {
          const [piece, scratch, from, filter, to, ...inputs] = f.params;
          // Passes take turns: the same part of the source and of the target is then still in a cache.
          const turn = f.local('i32');
          f.set(turn, i32.div_u(piece, i32.const(passes.length)));
          f.set(piece, i32.rem_u(piece, i32.const(passes.length)));
          passes.forEach((_, i) => {
            const mine = i32.and(i32.eq(piece, i32.const(i)), i32.lt_u(turn, i32.const(pieces[i])));
            f.if(mine, () => f.push(call(funcs[i], turn, scratch, from, filter, to, ...inputs)));
          });
        },
      );
    },
  };
}

const imageFloats = (image: Image) => image.batch * image.height * image.width * image.channels;

interface Places {
  readonly steps: number;
  readonly rows: number;
  readonly slice: number;
  readonly result: number;
  readonly window: number;
  readonly bytes: number;
}

/** Scratch of a pass; `result` is where C is built when output channels do not fill their panels. */
function planPlaces({ grid, spec, panels, window }: Pass, target: Image): Places {
  const layout = new Layout();
  if (spec.phases.length === 0) return { steps: 0, rows: 0, slice: 0, result: 0, window: 0, bytes: 0 };
  const pixels = pixelsOf(grid.block);
  const padded = panels * spec.width;
  const places = {
    steps: layout.add(stepTableBytes(spec.phases)),
    rows: layout.add(pixels * ROW_ENTRY),
    slice: layout.add(sliceBytes(spec)),
    result: layout.add(padded === target.channels ? 0 : pixels * padded * 4),
    window: layout.add(window.bytes),
  };
  return { ...places, bytes: layout.bytes };
}

/** Emits `pass(piece, scratch, from, filter, to, ...inputs)`. */
function emitPass(
  m: ModuleBuilder,
  { target, epilogue, moments = false }: Convolution,
  pass: Pass,
  places: Places,
  tiles: Tiles,
  copies: Copies,
  features: Features,
): number {
  const { grid, window, spec, panels, chunks, groups } = pass;
  const { axisY, axisX, blocks } = grid;
  const fill = emitFillWindow(m, window, copies);
  const gemm = emitGemm(m, tiles, spec);
  const padded = panels * spec.width;
  const direct = padded === target.channels;
  const finish = epilogue ? emitEpilogueRow(m, epilogue, spec.relaxed) : -1;
  const startMoments = moments ? emitMomentStart(m, target.channels) : -1;
  const addMoments = moments ? emitMomentRow(m, target.channels, features) : -1;
  const extras = outcomePointers({ epilogue, moments });
  return m.func(
    null,
    Array.from({ length: 5 + extras }, () => 'i32' as const),
    [],
    (f) => {
      const [piece, scratch, from, filter, to, ...inputs] = f.params;
      const [numbers, isFirst] = f.locals('i32', 2);
      f.set(isFirst, i32.const(1));
      const [index, end, chunk, group, firstPanel, endPanel, entry, a, c] = f.locals('i32', 9);
      const place = (offset: number) => {
        const local = f.local('i32');
        f.set(local, i32.add(scratch, i32.const(offset)));
        return local;
      };
      const steps = place(places.steps);
      const rows = place(places.rows);
      const slice = place(places.slice);
      const result = place(places.result);
      const win = place(places.window);
      f.inc(filter, spec.pack ? 0 : pass.packedAt);
      f.set(chunk, i32.div_u(piece, i32.const(groups)));
      f.set(group, i32.rem_u(piece, i32.const(groups)));
      f.set(firstPanel, share(group, panels, groups));
      f.set(endPanel, share(i32.add(group, i32.const(1)), panels, groups));
      f.set(end, share(i32.add(chunk, i32.const(1)), blocks, chunks));
      emitStepTables(f, spec.phases, steps);
      f.for(index, share(chunk, blocks, chunks), end, 1, () => {
        const at = emitBlock(f, index, grid);
        const sy = i32.add(i32.mul(at.row, i32.const(axisY.step)), i32.const(axisY.start));
        const sx = i32.add(i32.mul(at.column, i32.const(axisX.step)), i32.const(axisX.start));
        f.push(call(fill, from, at.image, at.images, sy, sx, win, i32.const(0), i32.const(window.panels)));
        f.set(entry, rows);
        f.set(c, result);
        forEachOutput(f, grid, target, at, to, (address, i, y, x) => {
          f.set(a, i32.add(win, i32.mul(i, i32.const(window.imageBytes))));
          f.inc(a, i32.mul(y, i32.const(window.y.step * window.rowBytes)));
          f.inc(a, i32.mul(x, i32.const(window.x.step * window.pixelBytes)));
          f.push(i32.store(entry, a));
          f.push(i32.store(entry, direct ? address : c, 4));
          f.inc(entry, ROW_ENTRY);
          f.inc(c, padded * 4);
        });
        const count = i32.mul(at.images, i32.mul(at.rows, at.columns));
        const counts = spec.phases.map((phase) => i32.const(stepsOf(phase)));
        f.push(call(gemm, rows, count, steps, filter, firstPanel, endPanel, i32.const(1), slice, ...counts));
        const channel = i32.mul(firstPanel, i32.const(spec.width));
        const floats = i32.sub(smaller(i32.mul(endPanel, i32.const(spec.width)), i32.const(target.channels)), channel);
        f.set(a, i32.mul(channel, i32.const(4)));
        f.set(c, i32.add(result, a));
        if (!direct) {
          forEachOutput(f, grid, target, at, to, (address) => {
            f.push(call(copies.copyFloats, i32.add(address, a), c, floats));
            f.inc(c, padded * 4);
          });
        }
        if (epilogue) {
          forEachOutput(f, grid, target, at, to, (address) => {
            const others = inputsAt(epilogue, inputs, i32.add(i32.sub(address, to), a), a);
            f.push(call(finish, i32.add(address, a), floats, ...others));
          });
        }
        if (moments) {
          f.set(numbers, i32.add(inputs[extras - 1], i32.mul(chunk, i32.const(chunkBytes(target.channels)))));
          f.inc(numbers, a);
          forEachRow(f, grid, target, at, to, (address) => {
            f.inc(address, a);
            f.if(isFirst, () => f.push(call(startMoments, numbers, address, floats)));
            f.set(isFirst, i32.const(0));
            f.push(call(addMoments, numbers, address, at.columns, floats));
          });
        }
      });
    },
  );
}

/** Emits the pass of a grid that no tap reaches: zeros. */
function emitZeroPass(m: ModuleBuilder, { grid, chunks }: Pass, target: Image, copies: Copies): number {
  const { blocks } = grid;
  return m.func(null, ['i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [piece, , , , to] = f.params;
    const [index, end] = f.locals('i32', 2);
    f.set(end, share(i32.add(piece, i32.const(1)), blocks, chunks));
    f.for(index, share(piece, blocks, chunks), end, 1, () => {
      const at = emitBlock(f, index, grid);
      forEachOutput(f, grid, target, at, to, (address) => {
        f.push(call(copies.zeroFloats, address, i32.const(target.channels)));
      });
    });
  });
}
