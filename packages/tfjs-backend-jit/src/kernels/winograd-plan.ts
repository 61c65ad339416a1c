/**
 * How a convolution is computed by Winograd's method: tile size, and the cutting into pieces. Rules from measurements;
 * functions of the shape alone, so that the same program gives the same bits on any number of threads.
 */
import { type Convolution, gridOf, PANEL } from './winograd-grid.ts';
import type { TileSize } from './winograd-matrix.ts';

/** For measurements and tests: what the rules would choose. */
export interface WinogradOptions {
  /** Outputs per tile and axis. */
  readonly m?: TileSize;
  /** Tiles per block. */
  readonly block?: number;
  /** Stage by stage for the whole batch, instead of block by block. */
  readonly staged?: boolean;
}

export interface ConvolutionPlan {
  readonly m: TileSize;
  /** Tiles per block of products. */
  readonly block: number;
  /** Set if each stage runs for the whole batch: tiles per piece of the transforms, panels per piece of the products. */
  readonly stages: { readonly tiles: number; readonly panels: number } | undefined;
}

export function planConvolution(c: Convolution, options: WinogradOptions): ConvolutionPlan {
  const m = options.m ?? tileSize(c);
  const { tiles } = gridOf(c, m);
  const staged = options.staged ?? tiles < 192;
  if (staged) {
    return { m, block: options.block ?? 96, stages: { tiles: 8, panels: sliceOfPanels(c.outChannels / PANEL) } };
  }
  return { m, block: options.block ?? 48, stages: undefined };
}

function tileSize(c: Convolution): TileSize {
  return Math.min(c.outHeight, c.outWidth) > 2 ? 4 : 2;
}

/** Panels of output channels per piece of the products: a divisor of all panels. */
function sliceOfPanels(panels: number): number {
  return [8, 6, 5, 4, 3, 2].find((slice) => panels % slice === 0) ?? 1;
}
