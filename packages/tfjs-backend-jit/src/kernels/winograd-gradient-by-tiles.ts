/**
 * The filter's gradient by Winograd's method, cut by tiles: each piece reduces a range of tiles to a filter's gradient
 * of its own, and the second step adds these up. For layers whose dU fits in the cache.
 */
import { call, f32x4, i32, type Local, v128 } from '../wasm/assembler.ts';
import { type Features, input, type Kernel, output, type Recipe, temp } from './kernel.ts';
import { planAhead, touchFrom } from './winograd-ahead.ts';
import { emitFilterGradient } from './winograd-filter.ts';
import { align, type Convolution, cut, describeConvolution, type Grid, planeBytes, traffic } from './winograd-grid.ts';
import { emitImageTransform, zeroBytes } from './winograd-image.ts';
import { bandsOf, groupBytes, mostPlanes, stretchesOf } from './winograd-lanes.ts';
import { matrices } from './winograd-matrix.ts';
import { emitGradientTransform } from './winograd-output.ts';
import { productFlops } from './winograd-products.ts';
import { emitReduction, stripsPerPlane } from './winograd-reduction.ts';

/** `range` tiles per piece, transformed and reduced `block` at a time. */
export interface TileCuts {
  readonly range: number;
  readonly block: number;
}

export function gradientByTiles(c: Convolution, grid: Grid, cuts: TileCuts, features: Features): Recipe {
  const { count } = cut(grid.tiles, cuts.range);
  return {
    temps: [count * filterSize(c)],
    steps: [
      { kernel: rangeKernel(c, grid, cuts, features), args: [input(0), input(1), temp(0)] },
      { kernel: sumKernel(c, count, features), args: [temp(0), output(0)] },
    ],
  };
}

const filterSize = (c: Convolution): number => 9 * c.inChannels * c.outChannels * 4;

/**
 * x, dy → V, D → dU → one partial gradient per piece: block by block, and in a block band by band, so that V and D of a
 * band are still in the cache when they are read. Buffers x, dy, partials.
 */
function rangeKernel(c: Convolution, grid: Grid, { range, block }: TileCuts, features: Features): Kernel {
  const { inChannels, outChannels } = c;
  const bands = bandsOf(matrices(grid.m).image);
  const planes = mostPlanes(bands, grid.n);
  const vPlane = planeBytes(block, inChannels);
  const dPlane = planeBytes(block, outChannels);
  const duPlane = planeBytes(inChannels, outChannels);
  const vBytes = align(planes * vPlane);
  const dBytes = align(planes * dPlane);
  const channels = { inChannels, outChannels, planeIn: inChannels, planeOut: outChannels };
  const shape = { planeTiles: block, ...channels, stretch: block, features };
  const strips = grid.planes * stripsPerPlane(shape);
  const ahead = planAhead(c, grid, block, strips * LINE);
  const duBytes = align(grid.planes * duPlane);
  const { count: pieces } = cut(grid.tiles, range);
  const name = `winograd filter gradient ${describeConvolution(c, grid)}`;
  return {
    name,
    key: `${name} ${JSON.stringify([c, range, block, features])}`,
    buffers: 3,
    pieces,
    scratch: vBytes + dBytes + duBytes + zeroBytes(c, grid),
    flops: productFlops(c, grid),
    bytes: traffic(c) + pieces * filterSize(c),
    emit(m) {
      const tiles = { convolution: c, grid, planeTiles: block, features };
      const images = { ...tiles, planeChannels: inChannels, channels: inChannels };
      const gradients = { ...tiles, planeChannels: outChannels, channels: outChannels };
      // So many lines that a block touches all of the next one, but no more than are fetched at once.
      const touched = ahead ? Math.min(Math.ceil(ahead.span / LINE / strips), MOST_LINES) : 0;
      const reduce = emitReduction(m, { ...shape, touched });
      const parts = bands.map((band) => ({
        band,
        image: emitImageTransform(m, images, band),
        gradient: emitGradientTransform(m, gradients, band),
      }));
      const whole = { inChannels, outChannels, wholeIn: inChannels, wholeOut: outChannels };
      const gather = emitFilterGradient(m, { grid, ...whole, features });
      m.func('k', ['i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
        const [piece, v, x, dy, partials] = f.params;
        const [tile, from, to, count, d, du, zeros, next, gap] = f.locals('i32', 9);
        f.set(d, i32.add(v, i32.const(vBytes)));
        f.set(du, i32.add(d, i32.const(dBytes)));
        f.set(zeros, i32.add(du, i32.const(duBytes)));
        f.set(from, i32.mul(piece, i32.const(range)));
        f.set(to, i32.add(from, i32.const(range)));
        f.if(i32.gt_u(to, i32.const(grid.tiles)), () => f.set(to, i32.const(grid.tiles)));
        f.set(gap, i32.sub(dy, x));
        f.for(tile, from, to, block, () => {
          f.set(count, i32.sub(to, tile));
          f.if(i32.gt_u(count, i32.const(block)), () => f.set(count, i32.const(block)));
          if (ahead) f.set(next, touchFrom(ahead, x, i32.add(tile, i32.const(block))));
          for (const { band, image, gradient } of parts) {
            f.push(call(image, x, tile, count, v, zeros));
            f.push(call(gradient, d, tile, count, dy));
            for (const { first, place, planes } of stretchesOf(band, grid.n)) {
              const at = (base: Local, bytes: number) => i32.add(base, i32.const(bytes));
              const operands = [at(v, place * vPlane), at(d, place * dPlane), at(du, first * duPlane)];
              const isFirst = i32.eq(tile, from);
              f.set(next, call(reduce, ...operands, count, isFirst, i32.const(planes), next, gap));
            }
          }
        });
        f.push(call(gather, du, i32.add(partials, i32.mul(piece, i32.const(filterSize(c)))), i32.const(1)));
      });
    },
  };
}

const LINE = 64;

/** More loads from memory than these would queue. */
const MOST_LINES = 4;

/** Output channels' worth of the filter that one piece adds up. */
const SUM_BYTES = 16384;

/** Adds the partial gradients in order; buffers partials, filter's gradient. */
function sumKernel(c: Convolution, parts: number, features: Features): Kernel {
  const size = filterSize(c);
  const step = groupBytes(features);
  const name = `winograd filter gradient sum ${parts} x ${c.inChannels}->${c.outChannels}`;
  return {
    name,
    key: `${name} ${JSON.stringify(features)}`,
    buffers: 2,
    pieces: Math.ceil(size / SUM_BYTES),
    scratch: 0,
    flops: (parts * size) / 4,
    bytes: (parts + 1) * size,
    emit(m) {
      m.func('k', ['i32', 'i32', 'i32', 'i32'], [], (f) => {
        const [piece, , partials, filter] = f.params;
        const [end, part, left] = f.locals('i32', 3);
        const sums = f.locals('v128', step / 16);
        f.set(left, i32.mul(piece, i32.const(SUM_BYTES)));
        f.inc(partials, left);
        f.set(end, i32.const(SUM_BYTES));
        const rest = i32.sub(i32.const(size), left);
        f.if(i32.lt_u(rest, end), () => f.set(end, rest));
        f.inc(filter, left);
        f.inc(end, filter);
        f.for(filter, filter, end, step, () => {
          for (const sum of sums) f.set(sum, v128.const_f32x4(0));
          f.set(part, partials);
          f.set(left, i32.const(parts));
          f.loop((top) => {
            sums.forEach((sum, h) => {
              f.set(sum, f32x4.add(sum, v128.load(part, 16 * h)));
            });
            f.inc(part, size);
            f.set(left, i32.sub(left, i32.const(1)));
            f.brIf(top, left);
          });
          for (let h = sums.length - 1; h >= 0; h--) f.push(v128.store(filter, sums[h], 16 * h));
          f.inc(partials, step);
        });
      });
    },
  };
}
