/**
 * The filter gradient: for each tap, xᵀ·dy over all pixels, as a matrix product whose inner dimension is the pixel.
 * Pieces are ranges of pixels × blocks of channels; partial sums of several ranges are added in a fixed order.
 */
import { call, f32, i32, type ModuleBuilder } from '../wasm/assembler.ts';
import { type Conv2DShape, describe } from './conv-shape.ts';
import { forwardAxis, heightOf, widthOf } from './conv2d-direct-axis.ts';
import { type Block, emitBlock, type Grid, inputImage, pixelsOf, planGrid } from './conv2d-direct-grid.ts';
import { sumKernel } from './conv2d-direct-sum.ts';
import { emitCopyPanel, emitFillWindow, PANEL, planWindow, type Window } from './conv2d-direct-window.ts';
import { emitGemm, type GemmSpec, Layout, share, Tiles } from './gemm.ts';
import { emitCopies } from './gemm-copy.ts';
import { cutRun, emitStepTables, type Phase, phasesOfRuns, stepsOf, stepTableBytes } from './gemm-steps.ts';
import { ROW_ENTRY, tileColumns } from './gemm-tile.ts';
import { type Features, input, type Kernel, output, type Recipe, temp } from './kernel.ts';

/** Output pixels of a block: dy's panel (128 × 64 bytes) and x's lines share the first-level cache. */
const BLOCK_PIXELS = 128;
/** Rows (tap, input channel) and columns (output channel) of a piece: 288 × 128 sums are 147 KB. */
const PIECE_ROWS = 288;
const PIECE_PANELS = 16;
const PIECE_COLUMNS = 128;
const PIECES = 32;
const MAX_PARTIAL_BYTES = 64 << 20;

interface Plan {
  readonly shape: Conv2DShape;
  readonly features: Features;
  readonly grid: Grid;
  readonly window: Window;
  readonly spec: GemmSpec;
  /** Blocks of input channels: ranges of the window's panels. */
  readonly inBlocks: number;
  readonly outPanels: number;
  /** Blocks of output channels: ranges of panels. */
  readonly outBlocks: number;
  /** Ranges of pixels. */
  readonly splits: number;
  /** Columns of a partial sum: the output channels, filled up to whole panels. */
  readonly padded: number;
}

/** dw [filterHeight, filterWidth, inChannels, outChannels] from inputs x and dy. */
export function conv2dBackpropFilterDirect(shape: Conv2DShape, features: Features): Recipe {
  const plan = planFilter(shape, features);
  const { splits, padded } = plan;
  const direct = splits === 1 && padded === shape.outChannels;
  const kernel = filterKernel(plan);
  const args = [input(0), input(1)];
  if (direct) return { temps: [], steps: [{ kernel, args: [...args, output(0)] }] };
  const sum = sumKernel(describe(shape), { splits, rows: filterRows(shape), columns: shape.outChannels, padded });
  return {
    temps: [splits * filterRows(shape) * padded * 4],
    steps: [
      { kernel, args: [...args, temp(0)] },
      { kernel: sum, args: [temp(0), output(0)] },
    ],
  };
}

const filterRows = (s: Conv2DShape) => s.filterHeight * s.filterWidth * s.inChannels;

function planFilter(shape: Conv2DShape, features: Features): Plan {
  const width = tileColumns(features, shape.outChannels);
  const grid = planGrid(shape.batch, forwardAxis(heightOf(shape)), forwardAxis(widthOf(shape)), {
    pixels: BLOCK_PIXELS,
    wholeWidth: true,
  });
  const taps = shape.filterHeight * shape.filterWidth;
  const inPanels = shape.inChannels % PANEL === 0 ? shape.inChannels / PANEL : 1;
  const wantedPanels = Math.min(inPanels, PIECE_PANELS, Math.max(1, Math.round(PIECE_ROWS / (taps * PANEL))));
  const inBlocks = Math.ceil(inPanels / wantedPanels);
  const window = planWindow(inputImage(shape), grid, Math.ceil(inPanels / inBlocks));
  const outPanels = Math.ceil(shape.outChannels / width);
  const outBlocks = Math.ceil(outPanels / (PIECE_COLUMNS / width));
  const padded = outPanels * width;
  const splits = Math.max(
    1,
    Math.min(
      grid.blocks,
      Math.floor(PIECES / (inBlocks * outBlocks)),
      Math.floor(MAX_PARTIAL_BYTES / (filterRows(shape) * padded * 4)),
    ),
  );
  const phases = planPhases(window, grid.block, width);
  const panelRows = taps * PANEL;
  const [few, many] = [Math.floor(inPanels / inBlocks), Math.ceil(inPanels / inBlocks)];
  const spec: GemmSpec = {
    phases,
    width,
    relaxed: features.relaxed,
    rowCounts: window.panels > 0 ? [few * panelRows, many * panelRows] : [filterRows(shape)],
    panelDepth: pixelsOf(grid.block),
  };
  return { shape, features, grid, window, spec, inBlocks, outPanels, outBlocks, splits, padded };
}

/** The order of k, that is of pixels: image, row, column; the ends of rows apart where columns do not cut evenly. */
function planPhases(window: Window, block: Block, width: number): Phase[] {
  const nest = [
    { count: block.images, a: window.imageBytes, b: 0 },
    { count: block.rows, a: window.y.step * window.rowBytes, b: 0 },
  ];
  const run = { length: block.columns, aStep: window.x.step * window.pixelBytes, bStep: width * 4 };
  return phasesOfRuns(nest, run, pixelsOf(block));
}

interface Places {
  readonly steps: number;
  readonly rows: number;
  readonly right: number;
  readonly window: number;
  readonly bytes: number;
}

function planPlaces({ shape, spec, grid, window, outPanels, outBlocks, inBlocks }: Plan): Places {
  const layout = new Layout();
  const pixels = pixelsOf(grid.block);
  const taps = shape.filterHeight * shape.filterWidth;
  const rows = window.panels > 0 ? Math.ceil(window.panels / inBlocks) * PANEL * taps : filterRows(shape);
  const places = {
    steps: layout.add(stepTableBytes(spec.phases)),
    rows: layout.add(rows * ROW_ENTRY),
    right: layout.add(Math.ceil(outPanels / outBlocks) * pixels * spec.width * 4),
    window: layout.add(window.bytes),
  };
  return { ...places, bytes: layout.bytes };
}

function filterKernel(plan: Plan): Kernel {
  const { shape, spec, inBlocks, outBlocks, splits, padded } = plan;
  const places = planPlaces(plan);
  const pixels = shape.batch * shape.outHeight * shape.outWidth;
  const inputs = shape.batch * shape.inHeight * shape.inWidth * shape.inChannels + pixels * shape.outChannels;
  return {
    name: `conv2d dw ${describe(shape)}`,
    key: `conv2dBackpropFilterDirect ${JSON.stringify(shape)} ${spec.width} ${spec.relaxed}`,
    buffers: 3,
    pieces: splits * inBlocks * outBlocks,
    scratch: places.bytes,
    flops: 2 * pixels * filterRows(shape) * shape.outChannels,
    bytes: 4 * (inputs + splits * filterRows(shape) * padded),
    emit: (m) => emitFilter(m, plan, places),
  };
}

function emitFilter(m: ModuleBuilder, plan: Plan, places: Places): void {
  const { shape, grid, window, spec, inBlocks, outPanels, outBlocks, splits, padded } = plan;
  const { width, phases } = spec;
  const { axisY, axisX, block } = grid;
  const copies = emitCopies(m);
  const fill = emitFillWindow(m, window, copies);
  const gemm = emitGemm(m, new Tiles(m), spec);
  const packRight = emitPackPixels(m, shape.outChannels, width);
  const inPanels = window.panels > 0 ? window.panels : 1;
  const channels = window.panels > 0 ? PANEL : shape.inChannels;
  const cut = cutRun(block.columns);
  m.func('k', ['i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [piece, scratch, x, dy, out] = f.params;
    const [inBlock, outBlock, split, firstIn, endIn, firstOut, endOut, index, end, first] = f.locals('i32', 10);
    const [entry, a, c, panel, kh, kw, u, count, from, to, line, part] = f.locals('i32', 12);
    const place = (offset: number) => {
      const local = f.local('i32');
      f.set(local, i32.add(scratch, i32.const(offset)));
      return local;
    };
    const steps = place(places.steps);
    const rows = place(places.rows);
    const right = place(places.right);
    const win = place(places.window);
    const one = i32.const(1);
    f.set(outBlock, i32.rem_u(piece, i32.const(outBlocks)));
    f.set(inBlock, i32.rem_u(i32.div_u(piece, i32.const(outBlocks)), i32.const(inBlocks)));
    f.set(split, i32.div_u(piece, i32.const(outBlocks * inBlocks)));
    f.set(firstIn, share(inBlock, inPanels, inBlocks));
    f.set(endIn, share(i32.add(inBlock, one), inPanels, inBlocks));
    f.set(firstOut, share(outBlock, outPanels, outBlocks));
    f.set(endOut, share(i32.add(outBlock, one), outPanels, outBlocks));
    f.inc(out, i32.mul(split, i32.const(filterRows(shape) * padded * 4)));
    f.inc(out, i32.mul(firstOut, i32.const(width * 4)));
    emitStepTables(f, phases, steps);

    // Rows of the product: (panel, filter row, filter column, channel), wherever the filter has them.
    f.set(entry, rows);
    f.for(panel, firstIn, endIn, 1, () => {
      f.for(kh, 0, shape.filterHeight, 1, () => {
        f.for(kw, 0, shape.filterWidth, 1, () => {
          f.set(a, i32.add(win, i32.mul(i32.sub(panel, firstIn), i32.const(window.panelBytes))));
          f.inc(a, i32.mul(kh, i32.const(window.y.tapStep * window.rowBytes)));
          f.inc(a, i32.mul(kw, i32.const(window.x.tapStep * window.pixelBytes)));
          f.set(c, i32.add(i32.mul(kh, i32.const(shape.filterWidth)), kw));
          f.set(c, i32.add(i32.mul(c, i32.const(shape.inChannels)), i32.mul(panel, i32.const(channels))));
          f.set(c, i32.add(out, i32.mul(c, i32.const(padded * 4))));
          f.for(u, 0, channels, 1, () => {
            f.push(i32.store(entry, a));
            f.push(i32.store(entry, c, 4));
            f.inc(entry, ROW_ENTRY);
            f.inc(a, 4);
            f.inc(c, padded * 4);
          });
        });
      });
    });
    f.set(count, i32.div_u(i32.sub(entry, rows), i32.const(ROW_ENTRY)));

    f.set(first, one);
    f.set(end, share(i32.add(split, one), grid.blocks, splits));
    f.for(index, share(split, grid.blocks, splits), end, 1, () => {
      const at = emitBlock(f, index, grid);
      const sy = i32.add(i32.mul(at.row, i32.const(axisY.step)), i32.const(axisY.start));
      f.push(call(fill, x, at.image, at.images, sy, i32.const(axisX.start), win, firstIn, i32.sub(endIn, firstIn)));

      // Rows and images follow each other in dy: full width is never cut.
      const lines = i32.mul(at.images, at.rows);
      f.set(from, i32.add(i32.mul(at.image, i32.const(shape.outHeight)), at.row));
      f.set(from, i32.add(dy, i32.mul(from, i32.const(shape.outWidth * shape.outChannels * 4))));
      f.set(to, right);
      f.for(panel, firstOut, endOut, 1, () => {
        const channel = i32.mul(panel, i32.const(width));
        if (cut.tail === 0) {
          f.push(
            call(
              packRight,
              to,
              i32.add(from, i32.mul(channel, i32.const(4))),
              i32.mul(lines, i32.const(block.columns)),
              channel,
            ),
          );
        } else {
          const main = cut.unroll * cut.count;
          f.set(part, i32.add(from, i32.mul(channel, i32.const(4))));
          f.for(line, 0, lines, 1, () => {
            f.push(
              call(packRight, i32.add(to, i32.mul(line, i32.const(main * width * 4))), part, i32.const(main), channel),
            );
            f.inc(part, main * shape.outChannels * 4);
            const tails = i32.const(block.images * block.rows * main * width * 4);
            const tail = i32.add(i32.add(to, tails), i32.mul(line, i32.const(cut.tail * width * 4)));
            f.push(call(packRight, tail, part, i32.const(cut.tail), channel));
            f.inc(part, cut.tail * shape.outChannels * 4);
          });
        }
        f.inc(to, spec.panelDepth * width * 4);
      });
      const counts = phases.map((phase) => i32.mul(lines, i32.const(stepsOf(phase) / (block.images * block.rows))));
      const panels = i32.sub(endOut, firstOut);
      f.push(call(gemm, rows, count, steps, right, i32.const(0), panels, first, i32.const(0), ...counts));
      f.set(first, i32.const(0));
    });
  });
}

/** Emits `pack(to, from, pixels, channel)`: channels `channel` … + width − 1 of each pixel, zeros past the last. */
function emitPackPixels(m: ModuleBuilder, channels: number, width: number): number {
  const copyPanel = emitCopyPanel(m, width);
  return m.func(null, ['i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [to, from, pixels, channel] = f.params;
    const [i, j] = f.locals('i32', 2);
    f.if(
      i32.le_u(i32.add(channel, i32.const(width)), i32.const(channels)),
      () => f.push(call(copyPanel, to, from, pixels, i32.const(channels * 4))),
      () => {
        f.for(i, 0, pixels, 1, () => {
          f.for(j, 0, width, 1, () => {
            f.if(
              i32.lt_u(i32.add(channel, j), i32.const(channels)),
              () => f.push(f32.store(to, f32.load(i32.add(from, i32.mul(j, i32.const(4)))))),
              () => f.push(f32.store(to, f32.const(0))),
            );
            f.inc(to, 4);
          });
          f.inc(from, channels * 4);
        });
      },
    );
  });
}
