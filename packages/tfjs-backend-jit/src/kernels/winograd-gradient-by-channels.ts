/**
 * The filter's gradient by Winograd's method, cut by channels: V and D of many tiles go to memory, then each piece
 * reduces its block of input × output channels in all planes and gathers it to the filter's gradient, so that dU,
 * 4 times the filter, never goes to memory. Batches too large for that are taken in rounds.
 */
import { call, i32 } from '../wasm/assembler.ts';
import { type Features, input, type Kernel, output, type Recipe, type Step, temp } from './kernel.ts';
import { sliceOf } from './winograd-by-channels.ts';
import { emitFilterGradient } from './winograd-filter.ts';
import { type Convolution, cut, describeConvolution, type Grid, PANEL, planeBytes, traffic } from './winograd-grid.ts';
import { emitImageTransform, zeroBytes } from './winograd-image.ts';
import { emitGradientTransform } from './winograd-output.ts';
import { productFlops } from './winograd-products.ts';
import { emitReduction } from './winograd-reduction.ts';

export interface RoundCuts {
  /** Tiles per round. */
  readonly round: number;
  /** Tiles per piece of the transforms; a piece also takes one slice of the channels of x or of dy. */
  readonly tiles: number;
  /** Input and output channels per piece of the reduction; divisors of all, multiples of 16. */
  readonly inBlock: number;
  readonly outBlock: number;
}

/** Tiles that are reduced at a time, so that their panels of V and D (8 KiB each) stay in the first-level cache. */
const STRETCH = 128;

/** The cursor's two numbers: the round to transform, and the round to reduce. Each step moves the other's. */
const NEXT = 0;
const CURRENT = 4;

export function gradientByChannels(c: Convolution, grid: Grid, cuts: RoundCuts, features: Features): Recipe {
  const { count: rounds } = cut(grid.tiles, cuts.round);
  const [v, d, cursor] = [temp(0), temp(1), temp(2)];
  const round: Step[] = [
    { kernel: transformKernel(c, grid, cuts, features), args: [input(0), input(1), v, d, cursor] },
    { kernel: reduceKernel(c, grid, cuts, features), args: [v, d, output(0), cursor] },
  ];
  return {
    temps: [planesOf(grid, cuts, c.inChannels), planesOf(grid, cuts, c.outChannels), 64],
    steps: [{ kernel: startKernel(), args: [cursor] }, ...Array.from({ length: rounds }, () => round).flat()],
  };
}

/** Bytes of V or D in one round. */
const planesOf = (grid: Grid, cuts: RoundCuts, channels: number): number =>
  grid.planes * planeBytes(cuts.round, channels);

/** Puts the cursor on the first round. */
function startKernel(): Kernel {
  const name = 'winograd filter gradient start';
  return {
    name,
    key: name,
    buffers: 1,
    pieces: 1,
    scratch: 0,
    flops: 0,
    bytes: 4,
    emit(m) {
      m.func('k', ['i32', 'i32', 'i32'], [], (f) => f.push(i32.store(f.param(2), i32.const(0), NEXT)));
    },
  };
}

/** A round's x → V and dy → D; buffers x, dy, V, D, cursor. Pieces are blocks of tiles × slices of channels of both. */
function transformKernel(c: Convolution, grid: Grid, cuts: RoundCuts, features: Features): Kernel {
  const { round, tiles } = cuts;
  const inSlice = sliceOf(c.inChannels);
  const outSlice = sliceOf(c.outChannels);
  const inSlices = c.inChannels / inSlice;
  const slices = inSlices + c.outChannels / outSlice;
  const name = `winograd filter gradient transforms ${describeConvolution(c, grid)}`;
  return {
    name,
    key: `${name} ${JSON.stringify([c, cuts, features])}`,
    buffers: 5,
    pieces: cut(round, tiles).count * slices,
    scratch: zeroBytes(c, grid),
    flops: (6 * grid.planes * round * (c.inChannels + c.outChannels)) | 0,
    bytes: traffic(c) / cut(grid.tiles, round).count + planesOf(grid, cuts, c.inChannels + c.outChannels),
    emit(m) {
      const spec = { convolution: c, grid, planeTiles: round, features };
      const image = emitImageTransform(m, { ...spec, planeChannels: c.inChannels, channels: inSlice });
      const gradient = emitGradientTransform(m, { ...spec, planeChannels: c.outChannels, channels: outSlice });
      m.func('k', ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
        const [piece, zeros, x, dy, v, d, cursor] = f.params;
        const [first, slice, row, end] = f.locals('i32', 4);
        f.if(i32.eqz(piece), () => f.push(i32.store(cursor, i32.load(cursor, NEXT), CURRENT)));
        f.set(row, i32.div_u(piece, i32.const(slices)));
        f.set(slice, i32.sub(piece, i32.mul(row, i32.const(slices))));
        f.set(row, i32.mul(row, i32.const(tiles)));
        f.set(first, i32.mul(i32.load(cursor, NEXT), i32.const(round)));
        // The tiles of this piece end with its block, with the round, and with the batch.
        f.set(end, i32.add(row, i32.const(tiles)));
        f.if(i32.gt_u(end, i32.const(round)), () => f.set(end, i32.const(round)));
        f.set(end, i32.add(first, end));
        f.if(i32.gt_u(end, i32.const(grid.tiles)), () => f.set(end, i32.const(grid.tiles)));
        f.set(first, i32.add(first, row));
        f.if(i32.ge_u(first, end), () => f.return());
        const count = i32.sub(end, first);
        const place = (channels: number) =>
          i32.add(i32.mul(slice, i32.const(channels * round * 4)), i32.mul(row, i32.const(PANEL * 4)));
        f.if(
          i32.lt_u(slice, i32.const(inSlices)),
          () => {
            const pixel = i32.add(x, i32.mul(slice, i32.const(inSlice * 4)));
            f.push(call(image, pixel, first, count, i32.add(v, place(inSlice)), zeros));
          },
          () => {
            f.set(slice, i32.sub(slice, i32.const(inSlices)));
            const pixel = i32.add(dy, i32.mul(slice, i32.const(outSlice * 4)));
            f.push(call(gradient, i32.add(d, place(outSlice)), first, count, pixel));
          },
        );
      });
    },
  };
}

/** A round's V, D → dU → filter's gradient, set by the first round; buffers V, D, filter's gradient, cursor. */
function reduceKernel(c: Convolution, grid: Grid, cuts: RoundCuts, features: Features): Kernel {
  const { round, inBlock, outBlock } = cuts;
  const outBlocks = c.outChannels / outBlock;
  const { count: rounds, last } = cut(grid.tiles, round);
  const name = `winograd filter gradient reduction ${describeConvolution(c, grid)}`;
  return {
    name,
    key: `${name} ${JSON.stringify([c, cuts, features])}`,
    buffers: 4,
    pieces: (c.inChannels / inBlock) * outBlocks,
    scratch: grid.planes * planeBytes(inBlock, outBlock),
    flops: (productFlops(c, grid) / grid.tiles) * round,
    bytes: planesOf(grid, cuts, c.inChannels + c.outChannels) + 36 * c.inChannels * c.outChannels,
    emit(m) {
      const block = { grid, inChannels: inBlock, outChannels: outBlock, features };
      const planes = { planeTiles: round, planeIn: c.inChannels, planeOut: c.outChannels };
      const reduce = emitReduction(m, { ...block, ...planes, stretch: STRETCH, touched: 0 });
      const gather = emitFilterGradient(m, { ...block, wholeIn: c.inChannels, wholeOut: c.outChannels });
      m.func('k', ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
        const [piece, du, v, d, filter, cursor] = f.params;
        const [index, row, column, count] = f.locals('i32', 4);
        f.set(index, i32.load(cursor, CURRENT));
        f.if(i32.eqz(piece), () => f.push(i32.store(cursor, i32.add(index, i32.const(1)), NEXT)));
        f.set(row, i32.div_u(piece, i32.const(outBlocks)));
        f.set(column, i32.sub(piece, i32.mul(row, i32.const(outBlocks))));
        f.set(count, i32.const(round));
        f.if(i32.eq(index, i32.const(rounds - 1)), () => f.set(count, i32.const(last)));
        f.inc(v, i32.mul(row, i32.const(inBlock * round * 4)));
        f.inc(d, i32.mul(column, i32.const(outBlock * round * 4)));
        f.inc(filter, i32.mul(row, i32.const(inBlock * c.outChannels * 4)));
        f.inc(filter, i32.mul(column, i32.const(outBlock * 4)));
        const [one, planes, none] = [1, grid.planes, 0].map((n) => i32.const(n));
        f.drop(call(reduce, v, d, du, count, one, planes, none, none));
        f.push(call(gather, du, filter, i32.eqz(index)));
      });
    },
  };
}
