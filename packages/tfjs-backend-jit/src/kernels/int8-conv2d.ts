/**
 * Convolution of 8-bit images with 8-bit filters: 32-bit sums in registers from the first product to the last, then at
 * once 8 bits again. The order of the products cannot matter, so the cutting is free and the result always the same bits.
 */
import { call, i32, type ModuleBuilder } from '../wasm/assembler.ts';
import { type Conv2DShape, describe } from './conv-shape.ts';
import { Layout, share, smaller } from './gemm.ts';
import { FACTOR_PANEL, fieldAt, PANEL, packedChannels, panelsOf, type Rounding } from './int8-layout.ts';
import { emitFinish, factorsOf } from './int8-requantise.ts';
import { emitInt8Tile, SUM_ROW, TILE_ROWS } from './int8-tile.ts';
import {
  type Blocks,
  blockSizes,
  emitFillInt8Window,
  emitPixelTable,
  type Int8Window,
  planBlocks,
  planInt8Window,
} from './int8-window.ts';
import { type Features, input, type Kernel, output, type Recipe } from './kernel.ts';
import { at } from './move-pieces.ts';

/** Pieces of a launch: enough for 8 threads to end together; a piece of several groups of panels fills its own window. */
const MIN_PIECES = 16;
const MAX_PIECES = 64;

/** Bytes of the packed filter: [outputs / 16][rows][columns][packed inputs / 2][16][2] int8. */
export const int8FilterBytes = (s: Conv2DShape): number => panelsOf(s.outChannels) * panelBytes(s);

const panelBytes = (s: Conv2DShape): number => s.filterHeight * s.filterWidth * packedChannels(s.inChannels) * PANEL;

/** One step; inputs: x, packed filter, factors; outputs: y. Images as `int8-layout.ts` lays them. */
export function int8Conv2D(s: Conv2DShape, rounding: Rounding, features: Features): Recipe {
  return {
    temps: [],
    steps: [{ kernel: convKernel(s, rounding, features), args: [input(0), input(1), input(2), output(0)] }],
  };
}

function convKernel(s: Conv2DShape, rounding: Rounding, { wide }: Features): Kernel {
  const blocks = planBlocks(s);
  const window = planInt8Window(s, blocks);
  const blockCount = blocks.imageCount * blocks.rowCount;
  const groups = Math.min(panelsOf(s.outChannels), Math.max(1, Math.ceil(MIN_PIECES / blockCount)));
  const chunks = Math.min(blockCount, Math.max(1, Math.floor(MAX_PIECES / groups)));
  const pixels = s.batch * s.outHeight * s.outWidth;
  const layout = new Layout();
  const places = {
    table: layout.add(Math.max(...blockSizes(s, blocks)) * 8),
    sums: layout.add(TILE_ROWS * SUM_ROW),
    window: layout.add(window.bytes),
  };
  return {
    name: `int8 conv2d ${describe(s)}`,
    key: `int8Conv2D ${JSON.stringify(s)} ${rounding} ${wide}`,
    buffers: 4,
    pieces: chunks * groups,
    scratch: layout.bytes,
    flops: 2 * pixels * s.filterHeight * s.filterWidth * s.inChannels * s.outChannels,
    bytes:
      s.batch * s.inHeight * s.inWidth * packedChannels(s.inChannels) +
      pixels * packedChannels(s.outChannels) +
      int8FilterBytes(s),
    emit: (m) => emitConv(m, { s, rounding, wide, blocks, window, groups, chunks, places }),
  };
}

interface Plan {
  readonly s: Conv2DShape;
  readonly rounding: Rounding;
  readonly wide: boolean;
  readonly blocks: Blocks;
  readonly window: Int8Window;
  readonly groups: number;
  readonly chunks: number;
  readonly places: { readonly table: number; readonly sums: number; readonly window: number };
}

function emitConv(m: ModuleBuilder, plan: Plan): void {
  const { s, blocks, window, groups, chunks, places } = plan;
  const fill = emitFillInt8Window(m, window);
  const panels = emitPanels(m, plan);
  const packedOut = packedChannels(s.outChannels);
  const blockCount = blocks.imageCount * blocks.rowCount;
  const imageBytes = s.inHeight * s.inWidth * packedChannels(s.inChannels);
  m.func('k', ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [piece, scratch, x, filter, factors, y] = f.params;
    const [block, end, group, image, images, row, rows, to, table, win] = f.locals('i32', 10);
    const one = i32.const(1);
    f.set(group, i32.rem_u(piece, i32.const(groups)));
    f.set(piece, i32.div_u(piece, i32.const(groups)));
    f.set(end, share(i32.add(piece, one), blockCount, chunks));
    f.for(block, share(piece, blockCount, chunks), end, 1, () => {
      f.set(image, i32.mul(i32.div_u(block, i32.const(blocks.rowCount)), i32.const(blocks.images)));
      f.set(images, smaller(i32.sub(i32.const(s.batch), image), i32.const(blocks.images)));
      f.set(row, i32.mul(i32.rem_u(block, i32.const(blocks.rowCount)), i32.const(blocks.rows)));
      f.set(rows, smaller(i32.sub(i32.const(s.outHeight), row), i32.const(blocks.rows)));
      f.set(table, i32.add(scratch, i32.const(places.table)));
      f.set(win, i32.add(scratch, i32.const(places.window)));
      const top = i32.sub(i32.mul(row, i32.const(s.strideHeight)), i32.const(s.padTop));
      f.push(call(fill, win, at(x, image, imageBytes), images, top, i32.load(factors, fieldAt('inputZero'))));
      f.set(to, i32.add(i32.mul(image, i32.const(s.outHeight)), row));
      f.set(to, at(y, to, s.outWidth * packedOut));
      emitPixelTable(f, window, { table, window: win, y: to, images, rows });
      f.push(
        call(
          panels,
          table,
          i32.mul(i32.mul(images, rows), i32.const(s.outWidth)),
          i32.add(scratch, i32.const(places.sums)),
          filter,
          factors,
          share(group, panelsOf(s.outChannels), groups),
          share(i32.add(group, one), panelsOf(s.outChannels), groups),
        ),
      );
    });
  });
}

/** Emits `panels(table, pixels, sums, filter, factors, first, end)`: panels [first, end) of all pixels of the table. */
function emitPanels(m: ModuleBuilder, { s, rounding, wide, blocks, window }: Plan): number {
  const sizes = blockSizes(s, blocks);
  const remainders = [...new Set(sizes.map((n) => n % TILE_ROWS))].filter((n) => n > 0);
  const tiles = new Map(
    [...(sizes.some((n) => n >= TILE_ROWS) ? [TILE_ROWS] : []), ...remainders].map((rows) => [
      rows,
      wide
        ? [emitInt8Tile(m, rows, window.walk, 16, 0)]
        : [emitInt8Tile(m, rows, window.walk, 8, 0), emitInt8Tile(m, rows, window.walk, 8, 8)],
    ]),
  );
  const finish = emitFinish(m, packedChannels(s.outChannels), rounding);
  return m.func(null, Array<'i32'>(7).fill('i32'), [], (f) => {
    const [table, pixels, sums, filter, factors, first, last] = f.params;
    const [panel, entry, end, b, own, i] = f.locals('i32', 6);
    const group = (rows: number) => {
      for (const tile of tiles.get(rows) ?? []) f.push(call(tile, entry, b, sums));
      f.for(i, 0, rows, 1, () => {
        const to = i32.add(i32.load(at(entry, i, 8), 4), i32.mul(panel, i32.const(PANEL)));
        f.push(call(finish, to, at(sums, i, SUM_ROW), own));
      });
    };
    f.for(panel, first, last, 1, () => {
      f.set(b, at(filter, panel, panelBytes(s)));
      f.set(own, factorsOf(factors, panel));
      f.set(entry, table);
      f.set(end, at(table, i32.div_u(pixels, i32.const(TILE_ROWS)), TILE_ROWS * 8));
      if (tiles.has(TILE_ROWS)) f.for(entry, table, end, TILE_ROWS * 8, () => group(TILE_ROWS));
      for (const rows of remainders) {
        f.if(i32.eq(i32.rem_u(pixels, i32.const(TILE_ROWS)), i32.const(rows)), () => group(rows));
      }
    });
  });
}

/** Bytes of the factors of all panels. */
export const factorBytes = (channels: number): number => panelsOf(channels) * FACTOR_PANEL;
