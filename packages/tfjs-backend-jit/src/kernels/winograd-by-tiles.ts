/**
 * Winograd's convolution cut by tiles: each piece takes a block of tiles through all channels. For layers whose
 * filter is small beside the images of a batch.
 */
import { call, i32 } from '../wasm/assembler.ts';
import { describeEpilogue, epilogueInputs, type Outcome } from './epilogue.ts';
import { type Features, input, type Kernel, output, type Recipe, temp } from './kernel.ts';
import { filterBytes, filterKernel } from './winograd-filter.ts';
import { align, type Convolution, cut, describeConvolution, type Grid, planeBytes, traffic } from './winograd-grid.ts';
import { emitProducts, productFlops } from './winograd-products.ts';
import { emitImageTransform, emitOutputTransform, zeroBytes } from './winograd-tiles.ts';

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
  return {
    temps: [filterBytes(c, grid)],
    steps: [
      { kernel: filterKernel(c, grid, rotated, features), args: [input(1), temp(0)], keep: cuts.steady },
      { kernel: blockKernel(c, grid, cuts, features), args: [input(0), temp(0), output(0), ...epilogueInputs(cuts)] },
    ],
  };
}

/** Image → V → M → output of a block, with V and M in scratch; buffers x, U, y, and the epilogue's. */
function blockKernel(c: Convolution, grid: Grid, { block, epilogue }: TileCuts, features: Features): Kernel {
  const { inChannels, outChannels } = c;
  const { count: pieces, last } = cut(grid.tiles, block);
  const vBytes = align(grid.planes * planeBytes(block, inChannels));
  const mBytes = align(grid.planes * planeBytes(block, outChannels));
  const extras = epilogue?.inputs ?? [];
  const name = `winograd tiles ${describeConvolution(c, grid)}${describeEpilogue(epilogue)}`;
  return {
    name,
    key: `${name} ${JSON.stringify([c, block, epilogue, features])}`,
    buffers: 3 + extras.length,
    pieces,
    scratch: vBytes + mBytes + zeroBytes(c, grid),
    flops: productFlops(c, grid),
    bytes: traffic(c) + filterBytes(c, grid),
    emit(m) {
      const tiles = { convolution: c, grid, planeTiles: block, features };
      const image = emitImageTransform(m, { ...tiles, planeChannels: inChannels, channels: inChannels });
      const shape = {
        grid,
        inChannels,
        outChannels,
        uChannels: outChannels,
        vTiles: block,
        mTiles: block,
        fetchAhead: false,
        features,
      };
      const products = emitProducts(m, shape, [pieces > 1 ? block : last, last]);
      const result = emitOutputTransform(m, { ...tiles, planeChannels: outChannels, channels: outChannels, epilogue });
      m.func('k', ['i32', 'i32', 'i32', 'i32', 'i32', ...extras.map(() => 'i32' as const)], [], (f) => {
        const [piece, v, x, u, y, ...inputs] = f.params;
        const [first, count, isLast, out] = f.locals('i32', 4);
        f.set(first, i32.mul(piece, i32.const(block)));
        f.set(isLast, i32.eq(piece, i32.const(pieces - 1)));
        f.set(count, i32.const(block));
        f.if(isLast, () => f.set(count, i32.const(last)));
        f.set(out, i32.add(v, i32.const(vBytes)));
        f.push(call(image, x, first, count, v, i32.add(out, i32.const(mBytes))));
        f.push(call(products, v, u, out, isLast));
        f.push(call(result, out, first, count, y, ...inputs));
      });
    },
  };
}
