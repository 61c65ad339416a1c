/**
 * Winograd's convolution cut by output channels: all tiles are transformed first, then each piece transforms its part
 * of the filter and makes its channels of all tiles. For layers whose filter is large beside the images of a batch:
 * the transformed filter, 4 times (F(4×4)) or 1.8 times the filter, never goes to memory.
 */
import { call, i32 } from '../wasm/assembler.ts';
import { describeOutcome, type Outcome, outcomeArgs, outcomePointers } from './epilogue.ts';
import { type Features, input, type Kernel, output, type Recipe, type Step, temp } from './kernel.ts';
import { chunkBytes, withMoments } from './moments.ts';
import { emitFilterPanel, filterBytes, filterKernel, filterScratch } from './winograd-filter.ts';
import {
  align,
  type Convolution,
  cut,
  describeConvolution,
  type Grid,
  PANEL,
  planeBytes,
  traffic,
} from './winograd-grid.ts';
import { emitImageTransform, zeroBytes } from './winograd-image.ts';
import { emitOutputTransform } from './winograd-output.ts';
import { emitProducts, productFlops } from './winograd-products.ts';

export interface ChannelCuts extends Outcome {
  /** Tiles per piece of the image's transform; it also takes one slice of the channels. */
  readonly tiles: number;
  /** Tiles that a piece of the second step handles at a time. */
  readonly block: number;
  /** Panels of 16 output channels per piece; a divisor of their number. */
  readonly panels: number;
}

/** Image → V, then slices of the output's channels. With `rotated`, `c` computes an input gradient from dy. */
export function convolveByChannels(
  c: Convolution,
  grid: Grid,
  cuts: ChannelCuts,
  rotated: boolean,
  features: Features,
): Recipe {
  const image: Step = { kernel: imageKernel(c, grid, cuts.tiles, features), args: [input(0), temp(0)] };
  const slices = sliceKernel(c, grid, cuts, rotated, features);
  const { steady, moments } = cuts;
  const temps = [imageBytes(c, grid), ...(steady ? [filterBytes(c, grid)] : [])];
  const filter = steady ? temp(1) : input(1);
  const results = [output(0), ...outcomeArgs(cuts, temp(temps.length))];
  const steps = [image, { kernel: slices, args: [temp(0), filter, ...results] }];
  if (steady) steps.unshift({ kernel: filterKernel(c, grid, rotated, features), args: [input(1), filter], keep: true });
  const recipe = { temps, steps };
  if (!moments) return recipe;
  return withMoments(recipe, describeConvolution(c, grid), cut(grid.tiles, cuts.block).count, c.outChannels);
}

/** Bytes of V for all tiles. */
const imageBytes = (c: Convolution, grid: Grid): number => grid.planes * planeBytes(grid.tiles, c.inChannels);

/** Image → V; buffers x, V. Pieces are blocks of tiles × slices of the channels. */
function imageKernel(c: Convolution, grid: Grid, tiles: number, features: Features): Kernel {
  const channels = sliceOf(c.inChannels);
  const slices = c.inChannels / channels;
  const { count: blocks, last } = cut(grid.tiles, tiles);
  const name = `winograd image ${describeConvolution(c, grid)}`;
  return {
    name,
    key: `${name} ${JSON.stringify([c, tiles, features])}`,
    buffers: 2,
    pieces: blocks * slices,
    scratch: zeroBytes(c, grid),
    flops: 6 * grid.planes * grid.tiles * c.inChannels,
    bytes: traffic(c) + imageBytes(c, grid),
    emit(m) {
      const spec = { convolution: c, grid, planeTiles: grid.tiles, planeChannels: c.inChannels, channels, features };
      const transform = emitImageTransform(m, spec);
      m.func('k', ['i32', 'i32', 'i32', 'i32'], [], (f) => {
        const [piece, zeros, x, v] = f.params;
        const [block, slice, first, count] = f.locals('i32', 4);
        f.set(block, i32.div_u(piece, i32.const(slices)));
        f.set(slice, i32.sub(piece, i32.mul(block, i32.const(slices))));
        f.set(first, i32.mul(block, i32.const(tiles)));
        f.set(count, i32.const(tiles));
        f.if(i32.eq(block, i32.const(blocks - 1)), () => f.set(count, i32.const(last)));
        f.inc(x, i32.mul(slice, i32.const(channels * 4)));
        f.inc(v, i32.add(i32.mul(slice, i32.const(channels * grid.tiles * 4)), i32.mul(first, i32.const(PANEL * 4))));
        f.push(call(transform, x, first, count, v, zeros));
      });
    },
  };
}

/**
 * Filter → U, and V·U → M → output block by block, with U and M in scratch; buffers V, filter, y. With a steady filter
 * the second buffer is U of all channels.
 */
function sliceKernel(c: Convolution, grid: Grid, cuts: ChannelCuts, rotated: boolean, features: Features): Kernel {
  const { inChannels } = c;
  const { panels, block, steady, epilogue, moments } = cuts;
  const extras = outcomePointers(cuts);
  const outChannels = panels * PANEL;
  const { count: blocks, last } = cut(grid.tiles, block);
  const uBytes = steady ? 0 : align(grid.planes * planeBytes(inChannels, outChannels));
  const mBytes = align(grid.planes * planeBytes(block, outChannels));
  const name = `winograd channels ${describeConvolution(c, grid)}${describeOutcome(cuts)}`;
  return {
    name,
    key: `${name} ${JSON.stringify([c, cuts, rotated, features])}`,
    buffers: 3 + extras,
    pieces: c.outChannels / outChannels,
    scratch: uBytes + mBytes + (steady ? 0 : filterScratch(rotated)),
    flops: productFlops(c, grid),
    bytes: imageBytes(c, grid) + traffic(c) + (steady ? filterBytes(c, grid) : 0),
    emit(m) {
      const transform = steady
        ? -1
        : emitFilterPanel(m, c, grid, planeBytes(inChannels, outChannels), rotated, features);
      const uChannels = steady ? c.outChannels : outChannels;
      const shape = {
        inChannels,
        outChannels,
        uChannels,
        vTiles: grid.tiles,
        mTiles: block,
        touches: steady ? ('filter' as const) : ('nothing' as const),
        features,
      };
      const products = emitProducts(m, shape, [blocks > 1 ? block : last, last]);
      const tiles = { convolution: c, grid, planeTiles: block, planeChannels: outChannels, features };
      const result = emitOutputTransform(m, { ...tiles, channels: outChannels, epilogue, moments });
      const types = Array.from({ length: 5 + extras }, () => 'i32' as const);
      m.func('k', types, [], (f) => {
        const [piece, base, v, filter, y, ...inputs] = f.params;
        const [u, out, scratch, panel, first, count, isLast] = f.locals('i32', 7);
        f.set(out, i32.add(base, i32.const(uBytes)));
        if (steady) f.set(u, i32.add(filter, i32.mul(piece, i32.const(panels * inChannels * PANEL * 4))));
        else {
          f.set(u, base);
          f.set(scratch, i32.add(out, i32.const(mBytes)));
          f.for(panel, 0, panels, 1, () => {
            const index = i32.add(i32.mul(piece, i32.const(panels)), panel);
            const at = i32.add(u, i32.mul(panel, i32.const(inChannels * PANEL * 4)));
            f.push(call(transform, filter, index, i32.const(0), i32.const(inChannels), at, scratch));
          });
        }
        for (const pointer of [y, ...inputs]) f.inc(pointer, i32.mul(piece, i32.const(outChannels * 4)));
        f.set(count, i32.const(block));
        f.for(first, 0, grid.tiles, block, () => {
          f.set(isLast, i32.eq(first, i32.const((blocks - 1) * block)));
          f.if(isLast, () => f.set(count, i32.const(last)));
          const rows = i32.add(v, i32.mul(first, i32.const(PANEL * 4)));
          const none = i32.const(0);
          f.drop(call(products, rows, u, out, isLast, i32.const(grid.planes), none, none, none));
          f.push(call(result, out, first, count, y, ...inputs));
          if (moments) f.inc(inputs[extras - 1], chunkBytes(c.outChannels));
        });
      });
    },
  };
}

/** Channels that a piece of a transform takes: 256 bytes of a pixel where they divide the channels. */
export function sliceOf(channels: number): number {
  return [64, 48, 32].find((slice) => channels % slice === 0) ?? PANEL;
}
