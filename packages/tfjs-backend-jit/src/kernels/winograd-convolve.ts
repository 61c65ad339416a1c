/**
 * Winograd's convolution as a recipe: transform the filter, then the image, the products and the output; either all
 * three for one block of tiles after the other, or stage by stage for the whole batch.
 */
import { call, type Expr, type Func, i32, type Local, type ModuleBuilder, v128 } from '../wasm/assembler.ts';
import { type Features, input, type Kernel, output, type Recipe, temp } from './kernel.ts';
import { filterBytes, filterKernel } from './winograd-filter.ts';
import { align, type Convolution, cut, type Grid, gridOf, PANEL, planeBytes } from './winograd-grid.ts';
import type { ConvolutionPlan } from './winograd-plan.ts';
import { emitProduct } from './winograd-products.ts';
import { emitImageTransform, emitOutputTransform, type TileSpec, zeroBytes } from './winograd-tiles.ts';

/** y from inputs x and filter; with `rotated`, `c` computes an input gradient from dy and the layer's own filter. */
export function convolve(c: Convolution, plan: ConvolutionPlan, rotated: boolean, features: Features): Recipe {
  const grid = gridOf(c, plan.m);
  const filter = { kernel: filterKernel(c, grid, rotated, features), args: [input(1), temp(0)] };
  const u = filterBytes(c, grid);
  if (plan.stages === undefined) {
    const blocks = blockKernel(c, grid, plan.block, features);
    return { temps: [u], steps: [filter, { kernel: blocks, args: [input(0), temp(0), output(0)] }] };
  }
  const stages = { c, grid, ...plan.stages, block: plan.block, features };
  return {
    temps: [u, productBytes(c.inChannels, grid), productBytes(c.outChannels, grid)],
    steps: [
      { kernel: imageStage(stages), args: [input(0), temp(1)] },
      filter,
      { kernel: productStage(stages), args: [temp(1), temp(0), temp(2)] },
      { kernel: outputStage(stages), args: [temp(2), output(0)] },
    ],
  };
}

const describe = (c: Convolution, grid: Grid): string =>
  `F${grid.m} ${c.batch}x${c.inHeight}x${c.inWidth}x${c.inChannels}->${c.outHeight}x${c.outWidth}x${c.outChannels}`;

/** Bytes of V or M for all tiles. */
const productBytes = (channels: number, grid: Grid): number => grid.planes * planeBytes(grid.tiles, channels);

const imageSize = (c: Convolution): number => c.batch * c.inHeight * c.inWidth * c.inChannels * 4;
const outputSize = (c: Convolution): number => c.batch * c.outHeight * c.outWidth * c.outChannels * 4;
const productFlops = (c: Convolution, grid: Grid): number =>
  2 * grid.planes * grid.tiles * c.inChannels * c.outChannels;

const params = (count: number) => Array.from({ length: count }, () => 'i32' as const);

/** Pieces are blocks of tiles: image → V → M → output, with V and M in scratch; buffers x, U, y. */
function blockKernel(c: Convolution, grid: Grid, block: number, features: Features): Kernel {
  const { count: pieces, last } = cut(grid.tiles, block);
  const vBytes = align(grid.planes * planeBytes(block, c.inChannels));
  const mBytes = align(grid.planes * planeBytes(block, c.outChannels));
  const name = `winograd ${describe(c, grid)}`;
  return {
    name,
    key: `${name} ${JSON.stringify([c, block, features])}`,
    buffers: 3,
    pieces,
    scratch: vBytes + mBytes + align(zeroBytes(c, grid)),
    flops: productFlops(c, grid),
    bytes: imageSize(c) + filterBytes(c, grid) + outputSize(c),
    emit(m) {
      const spec = { convolution: c, grid, planeTiles: block, features };
      const image = emitImageTransform(m, { ...spec, planeChannels: c.inChannels, channels: c.inChannels });
      const products = { planeTiles: block, inChannels: c.inChannels, features };
      const whole = emitPlanes(m, c, grid, block, emitProduct(m, products, Math.min(block, grid.tiles)));
      const rest =
        last === block || pieces === 1 ? whole : emitPlanes(m, c, grid, block, emitProduct(m, products, last));
      const result = emitOutputTransform(m, { ...spec, planeChannels: c.outChannels, channels: c.outChannels });
      const zero = emitZero(m, zeroBytes(c, grid));
      m.func('k', params(5), [], (f) => {
        const [piece, v, x, u, y] = f.params;
        const [first, count, out, zeros] = f.locals('i32', 4);
        f.set(first, i32.mul(piece, i32.const(block)));
        f.set(out, i32.add(v, i32.const(vBytes)));
        f.set(zeros, i32.add(out, i32.const(mBytes)));
        f.set(count, i32.const(block));
        f.if(i32.eq(piece, i32.const(pieces - 1)), () => f.set(count, i32.const(last)));
        f.push(call(zero, zeros));
        f.push(call(image, x, first, count, v, zeros));
        f.if(
          i32.eq(piece, i32.const(pieces - 1)),
          () => f.push(call(rest, v, u, out)),
          () => f.push(call(whole, v, u, out)),
        );
        f.push(call(result, out, first, count, y));
      });
    },
  };
}

/** Emits `planes(v, u, m)`: the products of a block in every plane. */
function emitPlanes(m: ModuleBuilder, c: Convolution, grid: Grid, block: number, product: number): number {
  return m.func(null, params(3), [], (f) => {
    const [v, u, out] = f.params;
    const plane = f.local('i32');
    f.for(plane, 0, grid.planes, 1, () => {
      f.push(call(product, v, u, out, i32.const(c.outChannels / PANEL)));
      f.inc(v, planeBytes(block, c.inChannels));
      f.inc(u, planeBytes(c.inChannels, c.outChannels));
      f.inc(out, planeBytes(block, c.outChannels));
    });
  });
}

/** Emits `zero(at)`: writes `bytes` zeros, a multiple of 32. */
export function emitZero(m: ModuleBuilder, bytes: number): number {
  return m.func(null, params(1), [], (f) => {
    const at = f.param(0);
    const end = f.local('i32');
    f.set(end, i32.add(at, i32.const(bytes)));
    f.for(at, at, end, 32, () => {
      f.push(v128.store(at, v128.const_f32x4(0), 16));
      f.push(v128.store(at, v128.const_f32x4(0)));
    });
  });
}

/** What the three stages share. */
interface Stages {
  readonly c: Convolution;
  readonly grid: Grid;
  /** Tiles per piece of the products. */
  readonly block: number;
  /** Tiles per piece of the two transforms. */
  readonly tiles: number;
  /** Panels of output channels per piece of the products. */
  readonly panels: number;
  readonly features: Features;
}

/** Image → V; buffers x, V. */
function imageStage({ c, grid, tiles, features }: Stages): Kernel {
  const channels = sliceOf(c.inChannels);
  const spec = { convolution: c, grid, planeTiles: grid.tiles, planeChannels: c.inChannels, channels, features };
  const name = `winograd image ${describe(c, grid)}`;
  return {
    name,
    key: `${name} ${JSON.stringify([c, tiles, features])}`,
    buffers: 2,
    pieces: cut(grid.tiles, tiles).count * (c.inChannels / channels),
    scratch: zeroBytes(c, grid),
    flops: 12 * grid.planes * grid.tiles * c.inChannels,
    bytes: imageSize(c) + productBytes(c.inChannels, grid),
    emit(m) {
      const zero = emitZero(m, zeroBytes(c, grid));
      const transform = emitImageTransform(m, spec);
      m.func('k', params(4), [], (f) => {
        const [piece, zeros, x, v] = f.params;
        const { first, count, slice } = tilesAndSlice(f, piece, spec, tiles, c.inChannels);
        f.push(call(zero, zeros));
        f.inc(x, i32.mul(slice, i32.const(channels * 4)));
        f.push(call(transform, x, first, count, slicePlace(v, spec, first, slice), zeros));
      });
    },
  };
}

/** M = V·U; buffers V, U, M. Pieces are planes × blocks of tiles × panels of output channels. */
function productStage({ c, grid, block, panels, features }: Stages): Kernel {
  const { count: blocks, last } = cut(grid.tiles, block);
  const slices = c.outChannels / PANEL / panels;
  const name = `winograd products ${describe(c, grid)}`;
  return {
    name,
    key: `${name} ${JSON.stringify([c, block, panels, features])}`,
    buffers: 3,
    pieces: grid.planes * blocks * slices,
    scratch: 0,
    flops: productFlops(c, grid),
    bytes: productBytes(c.inChannels, grid) + filterBytes(c, grid) + productBytes(c.outChannels, grid),
    emit(m) {
      const products = { planeTiles: grid.tiles, inChannels: c.inChannels, features };
      const whole = emitProduct(m, products, Math.min(block, grid.tiles));
      const rest = last === block || blocks === 1 ? whole : emitProduct(m, products, last);
      m.func('k', params(5), [], (f) => {
        const [piece, , v, u, out] = f.params;
        const [tiles, plane, slice] = f.locals('i32', 3);
        f.set(slice, i32.div_u(piece, i32.const(blocks)));
        f.set(tiles, i32.sub(piece, i32.mul(slice, i32.const(blocks))));
        f.set(plane, i32.div_u(slice, i32.const(slices)));
        f.set(slice, i32.sub(slice, i32.mul(plane, i32.const(slices))));
        const rows = i32.mul(tiles, i32.const(block * PANEL * 4));
        const columns = (bytes: number) => i32.mul(slice, i32.const(panels * PANEL * bytes));
        f.inc(v, i32.add(i32.mul(plane, i32.const(planeBytes(grid.tiles, c.inChannels))), rows));
        f.inc(
          u,
          i32.add(i32.mul(plane, i32.const(planeBytes(c.inChannels, c.outChannels))), columns(c.inChannels * 4)),
        );
        f.inc(out, i32.add(i32.mul(plane, i32.const(planeBytes(grid.tiles, c.outChannels))), rows));
        f.inc(out, columns(grid.tiles * 4));
        f.if(
          i32.eq(tiles, i32.const(blocks - 1)),
          () => f.push(call(rest, v, u, out, i32.const(panels))),
          () => f.push(call(whole, v, u, out, i32.const(panels))),
        );
      });
    },
  };
}

/** M → output; buffers M, y. */
function outputStage({ c, grid, tiles, features }: Stages): Kernel {
  const channels = sliceOf(c.outChannels);
  const spec = { convolution: c, grid, planeTiles: grid.tiles, planeChannels: c.outChannels, channels, features };
  const name = `winograd output ${describe(c, grid)}`;
  return {
    name,
    key: `${name} ${JSON.stringify([c, tiles, features])}`,
    buffers: 2,
    pieces: cut(grid.tiles, tiles).count * (c.outChannels / channels),
    scratch: 0,
    flops: 10 * grid.planes * grid.tiles * c.outChannels,
    bytes: productBytes(c.outChannels, grid) + outputSize(c),
    emit(m) {
      const transform = emitOutputTransform(m, spec);
      m.func('k', params(4), [], (f) => {
        const [piece, , products, y] = f.params;
        const { first, count, slice } = tilesAndSlice(f, piece, spec, tiles, c.outChannels);
        f.inc(y, i32.mul(slice, i32.const(channels * 4)));
        f.push(call(transform, slicePlace(products, spec, first, slice), first, count, y));
      });
    },
  };
}

/** Channels that a piece of a transform takes: 256 bytes of a pixel where they divide the channels. */
export function sliceOf(channels: number): number {
  return [64, 48, 32, PANEL].find((slice) => channels % slice === 0) ?? PANEL;
}

/** What piece `piece` of a transform works on: `count` tiles from tile `first`, and a slice of the channels. */
export function tilesAndSlice(f: Func, piece: Local, spec: TileSpec, tiles: number, channels: number) {
  const [first, count, slice] = f.locals('i32', 3);
  const slices = channels / spec.channels;
  f.set(first, i32.div_u(piece, i32.const(slices)));
  f.set(slice, i32.sub(piece, i32.mul(first, i32.const(slices))));
  f.set(first, i32.mul(first, i32.const(tiles)));
  f.set(count, i32.sub(i32.const(spec.grid.tiles), first));
  f.if(i32.gt_u(count, i32.const(tiles)), () => f.set(count, i32.const(tiles)));
  return { first, count, slice };
}

/** Where the panels of a slice of channels begin, at row `tile`. */
export function slicePlace(planes: Local, spec: TileSpec, tile: Local, slice: Local): Expr {
  const panels = i32.mul(slice, i32.const(spec.planeTiles * spec.channels * 4));
  return i32.add(planes, i32.add(panels, i32.mul(tile, i32.const(PANEL * 4))));
}
