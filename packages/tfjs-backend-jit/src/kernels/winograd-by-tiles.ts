/**
 * Winograd's convolution cut by tiles: each piece takes a block of tiles through all channels. For layers whose
 * filter is small beside the images of a batch.
 */
import { call, i32, type Local } from '../wasm/assembler.ts';
import { describeOutcome, type Outcome, outcomeArgs, outcomePointers } from './epilogue.ts';
import { type Features, input, type Kernel, output, type Recipe, temp } from './kernel.ts';
import { chunkBytes, withMoments } from './moments.ts';
import { planAhead, touchFrom } from './winograd-ahead.ts';
import { filterBytes, filterKernel } from './winograd-filter.ts';
import { align, type Convolution, cut, describeConvolution, type Grid, planeBytes, traffic } from './winograd-grid.ts';
import { emitImageTransform, zeroBytes } from './winograd-image.ts';
import { bandsOf, mostPlanes, stretchesOf } from './winograd-lanes.ts';
import { matrices } from './winograd-matrix.ts';
import { emitOutputBands, partPlanes } from './winograd-output.ts';
import { emitProducts, productFlops, touchedPerPlane } from './winograd-products.ts';

export interface TileCuts extends Outcome {
  /** Tiles per piece. */
  readonly block: number;
}

/** Filter → U (kept, if it is steady), then blocks of `block` tiles. With `rotated`, `c` computes an input gradient from dy. */
export function convolveByTiles(
  c: Convolution,
  grid: Grid,
  cuts: TileCuts,
  rotated: boolean,
  features: Features,
): Recipe {
  const { moments, steady } = cuts;
  const results = [output(0), ...outcomeArgs(cuts, temp(1))];
  const recipe = {
    temps: [filterBytes(c, grid)],
    steps: [
      { kernel: filterKernel(c, grid, rotated, features), args: [input(1), temp(0)], keep: steady },
      { kernel: blockKernel(c, grid, cuts, features), args: [input(0), temp(0), ...results] },
    ],
  };
  if (!moments) return recipe;
  return withMoments(recipe, describeConvolution(c, grid), cut(grid.tiles, cuts.block).count, c.outChannels);
}

/**
 * Image → V → M → output of a block, band by band, in scratch: so V and M of a band are still in the cache when they are
 * read, though U streams by in between. Buffers x, U, y, and the epilogue's.
 */
function blockKernel(c: Convolution, grid: Grid, { block, epilogue, moments }: TileCuts, features: Features): Kernel {
  const { inChannels, outChannels } = c;
  const { count: pieces, last } = cut(grid.tiles, block);
  const bands = bandsOf(matrices(grid.m).image);
  const planes = mostPlanes(bands, grid.n);
  const vPlane = planeBytes(block, inChannels);
  const mPlane = planeBytes(block, outChannels);
  const uPlane = planeBytes(inChannels, outChannels);
  const vBytes = align(planes * vPlane);
  const mBytes = align(planes * mPlane);
  const partBytes = align(partPlanes(grid, bands) * mPlane);
  const ahead = planAhead(c, grid, block, touchedPerPlane({ inChannels, outChannels, features }, block));
  const extras = outcomePointers({ epilogue, moments });
  const name = `winograd tiles ${describeConvolution(c, grid)}${describeOutcome({ epilogue, moments })}`;
  return {
    name,
    key: `${name} ${JSON.stringify([c, block, epilogue, moments, features])}`,
    buffers: 3 + extras,
    pieces,
    scratch: vBytes + mBytes + partBytes + zeroBytes(c, grid),
    flops: productFlops(c, grid),
    bytes: traffic(c) + filterBytes(c, grid),
    emit(m) {
      const tiles = { convolution: c, grid, planeTiles: block, features };
      const images = bands.map((band) =>
        emitImageTransform(m, { ...tiles, planeChannels: inChannels, channels: inChannels }, band),
      );
      const shape = {
        inChannels,
        outChannels,
        uChannels: outChannels,
        vTiles: block,
        mTiles: block,
        touches: ahead === undefined ? ('nothing' as const) : ('images' as const),
        features,
      };
      const products = emitProducts(m, shape, [pieces > 1 ? block : last, last]);
      const output = { ...tiles, planeChannels: outChannels, channels: outChannels, epilogue, moments };
      const results = emitOutputBands(m, output, bands);
      const types = Array.from({ length: 5 + extras }, () => 'i32' as const);
      m.func('k', types, [], (f) => {
        const [piece, v, x, u, y, ...inputs] = f.params;
        if (moments) f.inc(inputs[extras - 1], i32.mul(piece, i32.const(chunkBytes(outChannels))));
        const [first, count, isLast, out, parts, zeros] = f.locals('i32', 6);
        f.set(first, i32.mul(piece, i32.const(block)));
        f.set(isLast, i32.eq(piece, i32.const(pieces - 1)));
        f.set(count, i32.const(block));
        f.if(isLast, () => f.set(count, i32.const(last)));
        f.set(out, i32.add(v, i32.const(vBytes)));
        f.set(parts, i32.add(out, i32.const(mBytes)));
        f.set(zeros, i32.add(parts, i32.const(partBytes)));
        const [touched, limit, gap] = f.locals('i32', 3);
        if (ahead) {
          // Of the image what the block after the next reads, since two threads take turns, and of the output what this one
          // writes; both within their tensors.
          f.set(touched, touchFrom(ahead, x, i32.add(first, i32.const(2 * block))));
          f.set(limit, i32.add(touched, i32.const(ahead.span)));
          f.set(gap, i32.sub(touchFrom(ahead, y, first), touched));
        }
        bands.forEach((band, b) => {
          f.push(call(images[b], x, first, count, v, zeros));
          for (const { first, place, planes } of stretchesOf(band, grid.n)) {
            const at = (base: Local, bytes: number) => i32.add(base, i32.const(bytes));
            const operands = [at(v, place * vPlane), at(u, first * uPlane), at(out, place * mPlane)];
            f.set(touched, call(products, ...operands, isLast, i32.const(planes), touched, limit, gap));
          }
          if (band.kind === 'pair') f.push(call(results[b], out, parts));
          else f.push(call(results[b], out, first, count, y, parts, ...inputs));
        });
      });
    },
  };
}
