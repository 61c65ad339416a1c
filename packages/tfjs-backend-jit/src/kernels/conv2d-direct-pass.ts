/**
 * Convolution as matrix products over windows: the forward direction, and the input gradient class by class.
 * Each pass computes every output of one regular grid; the passes of a kernel write disjoint grids.
 */
import { call, type Expr, type Func, i32, type Local, type ModuleBuilder } from '../wasm/assembler.ts';
import type { Axis } from './conv2d-direct-axis.ts';
import { type Block, emitFillWindow, type Image, PANEL, planWindow, type Window } from './conv2d-direct-window.ts';
import { emitGemm, type GemmSpec, Layout, sliceBytes, smaller, Tiles } from './gemm.ts';
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

/** The filter as a pass reads it: bytes from one tap row, tap column, k (source channel) and n (output) to the next. */
export interface FilterView {
  readonly row: number;
  readonly column: number;
  readonly k: number;
  readonly n: number;
}

/** Output pixels of a block: with 96 a 64-channel window (halo included) fits the second-level cache several times. */
const BLOCK_PIXELS = 96;
/** Wider images are cut into columns too, to keep the halo small. */
const WHOLE_WIDTH = 64;
const CUT_WIDTH = 32;
/** k of a slice of the filter: 16 KB of the first-level cache. */
const BLOCK_DEPTH = 256;
/** Pieces of a launch: enough for 8 threads to end together, few enough that claiming them costs nothing. */
const MAX_PIECES = 64;
const MIN_PIECES = 32;

interface Pass {
  readonly source: Image;
  readonly target: Image;
  readonly axisY: Axis;
  readonly axisX: Axis;
  readonly block: Block;
  readonly blocks: { readonly images: number; readonly rows: number; readonly columns: number; readonly all: number };
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

/**
 * The recipe (source, filter → target) that computes target from source on every grid axisY × axisX.
 * Positions of the target outside of the grids stay as they are: grids together cover it.
 */
export function convolve(
  what: { name: string; key: string },
  source: Image,
  target: Image,
  grids: readonly (readonly [Axis, Axis])[],
  filter: FilterView,
  features: Features,
): Recipe {
  const width = tileColumns(features);
  // The heaviest first, so that the last pieces to be taken are short.
  const sorted = [...grids].sort(([a, b], [c, d]) => c.taps * d.taps - a.taps * b.taps);
  const views = sorted.map(([y, x]) => planBlocks(source.batch, y, x));
  // A filter that each piece reads once is packed by the pieces, else by a step of its own.
  const inline = views.every(({ blocks }) => blocks.all === 1);
  let packedAt = 0;
  const passes = sorted.map(([axisY, axisX], i): Pass => {
    const pass = planPass(source, target, axisY, axisX, views[i], filter, features, inline, packedAt);
    packedAt += packedBytes(pass.spec.phases, target.channels, width);
    return pass;
  });
  const kernel = passKernel(what, passes, features);
  if (inline || packedAt === 0) return { temps: [], steps: [{ kernel, args: [input(0), input(1), output(0)] }] };
  const jobs = passes
    .filter((pass) => pass.spec.phases.length > 0)
    .map((pass): PackJob => {
      const packSource = { kStride: filter.k, nStride: filter.n, columns: target.channels };
      return { phases: pass.spec.phases, source: packSource, count: 1, stride: 0, offset: pass.packedAt };
    });
  const pack: Step = { kernel: packKernel(what.name, `${what.key} ${width}`, jobs, width), args: [input(1), temp(0)] };
  return { temps: [packedAt], steps: [pack, { kernel, args: [input(0), temp(0), output(0)] }] };
}

/** Cuts the outputs of a grid into blocks of about `pixels`: whole images, rows of one, or a part of its rows. */
export function planBlocks(
  batch: number,
  y: Axis,
  x: Axis,
  pixels = BLOCK_PIXELS,
  wholeWidth = WHOLE_WIDTH,
): Pick<Pass, 'block' | 'blocks'> {
  const even = (size: number, part: number) => Math.ceil(size / Math.ceil(size / part));
  const image = y.outputs * x.outputs;
  const images = image * 2 <= pixels ? even(batch, Math.min(batch, Math.floor(pixels / image))) : 1;
  const columns = x.outputs <= wholeWidth ? x.outputs : even(x.outputs, CUT_WIDTH);
  const fitting = Math.max(1, Math.round(pixels / columns));
  const whole = images > 1 || image <= pixels * 1.5;
  const rows = whole ? y.outputs : even(y.outputs, Math.min(y.outputs, fitting));
  const block = { images, rows, columns: whole ? x.outputs : columns };
  const counts = {
    images: Math.ceil(batch / block.images),
    rows: Math.ceil(y.outputs / block.rows),
    columns: Math.ceil(x.outputs / block.columns),
  };
  return { block, blocks: { ...counts, all: counts.images * counts.rows * counts.columns } };
}

function planPass(
  source: Image,
  target: Image,
  axisY: Axis,
  axisX: Axis,
  view: Pick<Pass, 'block' | 'blocks'>,
  filter: FilterView,
  features: Features,
  inline: boolean,
  packedAt: number,
): Pass {
  const { block, blocks } = view;
  const width = tileColumns(features);
  const window = planWindow(source, axisY, axisX, block);
  const phases = axisY.taps * axisX.taps === 0 ? [] : planPhases(window, axisY, axisX, filter);
  const pack: PackSource = { kStride: filter.k, nStride: filter.n, columns: target.channels };
  const spec: GemmSpec = {
    phases,
    width,
    relaxed: features.relaxed,
    rowCounts: blockSizes(source.batch, axisY, axisX, block),
    panelDepth: depthOf(phases),
    ...(inline ? { pack } : {}),
  };
  const panels = Math.ceil(target.channels / width);
  const chunks = Math.min(blocks.all, MAX_PIECES);
  const groups = phases.length === 0 ? 1 : Math.min(panels, Math.ceil(MIN_PIECES / chunks));
  return { source, target, axisY, axisX, block, blocks, window, spec, panels, chunks, groups, packedAt };
}

/** Every number of pixels that a block of the grid can have: the last ones of each direction may be smaller. */
export function blockSizes(batch: number, y: Axis, x: Axis, block: Block): number[] {
  const ends = (size: number, part: number) => [part, ((size - 1) % part) + 1];
  const sizes = ends(batch, block.images).flatMap((images) =>
    ends(y.outputs, block.rows).flatMap((rows) =>
      ends(x.outputs, block.columns).map((columns) => images * rows * columns),
    ),
  );
  return [...new Set(sizes)];
}

/** The order of k: panel, filter row, filter column, channel; without panels, rows of taps as long runs if they are. */
function planPhases(window: Window, y: Axis, x: Axis, filter: FilterView): Phase[] {
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

function passKernel(what: { name: string; key: string }, passes: readonly Pass[], features: Features): Kernel {
  const layouts = passes.map(planPlaces);
  const pieces = passes.map((pass) => pass.chunks * pass.groups);
  const { source, target } = passes[0];
  const products = passes.reduce(
    (n, { axisY, axisX, spec }) => n + axisY.outputs * axisX.outputs * depthOf(spec.phases),
    0,
  );
  const filterFloats = passes.reduce((n, pass) => n + depthOf(pass.spec.phases), 0) * target.channels;
  return {
    name: what.name,
    key: `${what.key} ${tileColumns(features)} ${features.relaxed}`,
    buffers: 3,
    pieces: passes.length * Math.max(...pieces),
    scratch: Math.max(...layouts.map((places) => places.bytes)),
    flops: 2 * source.batch * products * target.channels,
    bytes: 4 * (imageFloats(source) + imageFloats(target) + filterFloats),
    emit(m) {
      const copies = emitCopies(m);
      const tiles = new Tiles(m);
      const funcs = passes.map((pass, i) =>
        pass.spec.phases.length === 0 ? emitZeroPass(m, pass, copies) : emitPass(m, pass, layouts[i], tiles, copies),
      );
      m.func('k', ['i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
        const [piece, scratch, from, filter, to] = f.params;
        // Passes take turns: the same part of the source and of the target is then still in a cache.
        const turn = f.local('i32');
        f.set(turn, i32.div_u(piece, i32.const(passes.length)));
        f.set(piece, i32.rem_u(piece, i32.const(passes.length)));
        passes.forEach((_, i) => {
          const mine = i32.and(i32.eq(piece, i32.const(i)), i32.lt_u(turn, i32.const(pieces[i])));
          f.if(mine, () => f.push(call(funcs[i], turn, scratch, from, filter, to)));
        });
      });
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
function planPlaces({ block, spec, panels, target, window }: Pass): Places {
  const layout = new Layout();
  if (spec.phases.length === 0) return { steps: 0, rows: 0, slice: 0, result: 0, window: 0, bytes: 0 };
  const pixels = block.images * block.rows * block.columns;
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

/** Locals that say which outputs a block has. */
export interface BlockLocals {
  readonly image: Local;
  readonly images: Local;
  readonly row: Local;
  readonly rows: Local;
  readonly column: Local;
  readonly columns: Local;
}

/** Sets `locals` to the outputs of block number `index`. */
export function emitBlock(
  f: Func,
  index: Local,
  { axisY, axisX, block, blocks }: Pick<Pass, 'axisY' | 'axisX' | 'block' | 'blocks'>,
  batch: number,
): BlockLocals {
  const [image, images, row, rows, column, columns] = f.locals('i32', 6);
  const part = (first: Local, count: Local, place: Expr, size: number, whole: number) => {
    f.set(first, i32.mul(place, i32.const(size)));
    f.set(count, smaller(i32.sub(i32.const(whole), first), i32.const(size)));
  };
  part(column, columns, i32.rem_u(index, i32.const(blocks.columns)), block.columns, axisX.outputs);
  const above = i32.div_u(index, i32.const(blocks.columns));
  part(row, rows, i32.rem_u(above, i32.const(blocks.rows)), block.rows, axisY.outputs);
  part(image, images, i32.div_u(above, i32.const(blocks.rows)), block.images, batch);
  return { image, images, row, rows, column, columns };
}

/** Runs `body` for each output of a block; `to` is its address, and `i, y, x` are its place in the block. */
function forEachOutput(
  f: Func,
  { axisY, axisX, target }: Pick<Pass, 'axisY' | 'axisX' | 'target'>,
  at: BlockLocals,
  base: Local,
  body: (to: Local, i: Local, y: Local, x: Local) => void,
): void {
  const [to, i, y, x] = f.locals('i32', 4);
  const pixel = target.channels * 4;
  f.for(i, 0, at.images, 1, () => {
    f.for(y, 0, at.rows, 1, () => {
      const ty = i32.add(i32.mul(i32.add(at.row, y), i32.const(axisY.outStep)), i32.const(axisY.outStart));
      f.set(to, i32.add(i32.mul(i32.add(at.image, i), i32.const(target.height)), ty));
      const tx = i32.add(i32.mul(at.column, i32.const(axisX.outStep)), i32.const(axisX.outStart));
      f.set(to, i32.add(i32.mul(to, i32.const(target.width)), tx));
      f.set(to, i32.add(base, i32.mul(to, i32.const(pixel))));
      f.for(x, 0, at.columns, 1, () => {
        body(to, i, y, x);
        f.inc(to, pixel * axisX.outStep);
      });
    });
  });
}

/** from + count·i/parts, for splitting without a remainder. */
export const share = (index: Expr, count: number, parts: number): Expr =>
  i32.div_u(i32.mul(index, i32.const(count)), i32.const(parts));

/** Emits `pass(piece, scratch, from, filter, to)`. */
function emitPass(m: ModuleBuilder, pass: Pass, places: Places, tiles: Tiles, copies: Copies): number {
  const { source, target, axisY, axisX, blocks, window, spec, panels, chunks, groups } = pass;
  const fill = emitFillWindow(m, window, copies);
  const gemm = emitGemm(m, tiles, spec);
  const padded = panels * spec.width;
  const direct = padded === target.channels;
  return m.func(null, ['i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [piece, scratch, from, filter, to] = f.params;
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
    f.set(end, share(i32.add(chunk, i32.const(1)), blocks.all, chunks));
    emitStepTables(f, spec.phases, steps);
    f.for(index, share(chunk, blocks.all, chunks), end, 1, () => {
      const at = emitBlock(f, index, pass, source.batch);
      const sy = i32.add(i32.mul(at.row, i32.const(axisY.step)), i32.const(axisY.start));
      const sx = i32.add(i32.mul(at.column, i32.const(axisX.step)), i32.const(axisX.start));
      f.push(call(fill, from, at.image, at.images, sy, sx, win, i32.const(0), i32.const(window.panels)));
      f.set(entry, rows);
      f.set(c, result);
      forEachOutput(f, pass, at, to, (address, i, y, x) => {
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
      if (direct) return;
      const channel = i32.mul(firstPanel, i32.const(spec.width));
      const floats = i32.sub(smaller(i32.mul(endPanel, i32.const(spec.width)), i32.const(target.channels)), channel);
      f.set(a, i32.mul(channel, i32.const(4)));
      f.set(c, i32.add(result, a));
      forEachOutput(f, pass, at, to, (address) => {
        f.push(call(copies.copyFloats, i32.add(address, a), c, floats));
        f.inc(c, padded * 4);
      });
    });
  });
}

/** Emits the pass of a grid that no tap reaches: zeros. */
function emitZeroPass(m: ModuleBuilder, pass: Pass, copies: Copies): number {
  const { source, target, blocks, chunks } = pass;
  return m.func(null, ['i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [piece, , , , to] = f.params;
    const [index, end] = f.locals('i32', 2);
    f.set(end, share(i32.add(piece, i32.const(1)), blocks.all, chunks));
    f.for(index, share(piece, blocks.all, chunks), end, 1, () => {
      const at = emitBlock(f, index, pass, source.batch);
      forEachOutput(f, pass, at, to, (address) => {
        f.push(call(copies.zeroFloats, address, i32.const(target.channels)));
      });
    });
  });
}
