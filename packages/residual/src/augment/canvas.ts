/** One picture on its way through a list of steps: neighbours of one kind are joined before a pixel is touched.
 *  Crops, flips and warps in a row become one warp, colour changes in a row one matrix or one table. */

import { compose } from './affine.ts';
import type { ColorMatrix, Tables } from './color.ts';
import { applyMatrix, applyTables, chain, chainTables, tablesOf } from './color.ts';
import { isMove, move } from './move.ts';
import { warpSmooth } from './resample.ts';
import type { Picture, Step, WarpStep } from './transform.ts';
import { warp } from './warp.ts';

/** Colour changes that have been asked for and not made yet. */
export type Colors =
  | { readonly kind: 'color'; readonly matrix: ColorMatrix }
  | { readonly kind: 'table'; readonly tables: Tables };

/**
 * Steps are noted down and made as late as possible, so that they can be joined:
 * - Two warps become one where the same comes in at the edges, or where one of them never leaves the picture. What a
 *   shift moved out of the frame and the next moves back in is then there again, not filled in.
 * - Colour matrices are multiplied, and values clamped once at the end; tables are looked up in tables.
 * - The last colours are left to the caller, who normalises in the same pass.
 */
export class Canvas {
  private picture: Picture;
  /** The pixels are this canvas's own: they may be written over. */
  private owned = false;
  private pending: WarpStep | undefined;
  private colors: Colors | undefined;

  /** The picture is left alone. */
  constructor(picture: Picture) {
    this.picture = picture;
  }

  /** As it will be after the steps so far. */
  get size(): { readonly height: number; readonly width: number; readonly channels: number } {
    const { height, width } = this.pending ?? this.picture;
    return { height, width, channels: this.picture.channels };
  }

  add(step: Step): void {
    switch (step.kind) {
      case 'warp':
        this.addWarp(step);
        break;
      case 'color': {
        const { matrix } = step;
        this.addColors({ kind: 'color', matrix: typeof matrix === 'function' ? matrix(this.settle()) : matrix });
        break;
      }
      case 'table': {
        const { tables } = step;
        this.addColors({ kind: 'table', tables: typeof tables === 'function' ? tables(this.settle()) : tables });
        break;
      }
      case 'patch': {
        const picture = this.settle();
        if (!this.owned) this.own({ ...picture, data: picture.data.slice() });
        step.patch(this.picture.data, this.picture);
        break;
      }
      case 'redraw': {
        const picture = this.settle();
        const drawn = step.redraw(picture);
        if (drawn !== picture) this.own(drawn);
        break;
      }
      default:
        step satisfies never;
    }
  }

  /** Makes everything but the last colours, and hands both over. */
  finish(): { readonly picture: Picture; readonly colors: Colors | undefined } {
    this.flushWarp();
    return { picture: this.picture, colors: this.colors };
  }

  /** Makes everything. The result is the picture it was given, if nothing changes. */
  settle(): Picture {
    this.flushWarp();
    const { colors, picture } = this;
    if (colors !== undefined) {
      const data = this.owned ? picture.data : blankLike(picture);
      if (colors.kind === 'color') applyMatrix(picture, data, colors.matrix);
      else applyTables(picture, data, colors.tables);
      this.own({ ...picture, data });
      this.colors = undefined;
    }
    return this.picture;
  }

  private addWarp(step: WarpStep): void {
    // A mirror shows the same pixels in other places: it may as well come before the colours.
    const mirrors = step.edge === undefined && isMove(step.matrix);
    if (this.colors !== undefined && !mirrors) this.settle();
    const joined = this.pending === undefined ? step : join(this.pending, step);
    if (joined === undefined) this.flushWarp();
    this.pending = joined ?? step;
  }

  private addColors(then: Colors): void {
    const first = this.colors;
    const { channels } = this.picture;
    if (first === undefined) {
      this.colors = then;
    } else if (first.kind === 'color' && then.kind === 'color') {
      this.colors = { kind: 'color', matrix: chain(channels, first.matrix, then.matrix) };
    } else {
      const [a, b] = [first, then].map((c) => (c.kind === 'table' ? c.tables : tablesOf(c.matrix, channels)));
      if (a === undefined || b === undefined) {
        this.settle();
        this.colors = then;
      } else {
        this.colors = { kind: 'table', tables: chainTables(a, b) };
      }
    }
  }

  private flushWarp(): void {
    const { pending, picture } = this;
    if (pending === undefined) return;
    this.pending = undefined;
    // For maps that stay inside: rounding may still ask for a hair beyond the last pixel.
    const edge = pending.edge ?? { fillMode: 'nearest', cval: Array<number>(picture.channels).fill(0) };
    const [a, , c, , e, f] = pending.matrix;
    if (isMove(pending.matrix)) {
      const still = a === 1 && e === 1 && c === 0 && f === 0;
      if (still && pending.height === picture.height && pending.width === picture.width) return;
      this.own(move(picture, pending, pending.matrix, edge));
    } else if (pending.antialias) {
      this.own(warpSmooth(picture, pending, pending.matrix, edge));
    } else {
      const { interpolation = 'bilinear' } = pending;
      this.own(warp(picture, pending, pending.matrix, { ...edge, interpolation }));
    }
  }

  private own(picture: Picture): void {
    this.picture = picture;
    this.owned = true;
  }
}

/** One warp for two, or undefined where they differ in what comes in at the edges. */
function join(first: WarpStep, then: WarpStep): WarpStep | undefined {
  const smooth = [first, then].filter((step) => !isMove(step.matrix)).map((step) => step.interpolation ?? 'bilinear');
  const edges = [first.edge, then.edge].filter((edge) => edge !== undefined);
  const [edge] = edges;
  const differs = edges.some((other) => other.fillMode !== edge.fillMode || other.cval.join() !== edge.cval.join());
  if (differs || (smooth.length === 2 && smooth[0] !== smooth[1])) return undefined;
  return {
    kind: 'warp',
    height: then.height,
    width: then.width,
    matrix: compose(first.matrix, then.matrix),
    ...(edge === undefined ? {} : { edge }),
    interpolation: smooth[0] ?? 'bilinear',
    antialias: first.antialias === true || then.antialias === true,
  };
}

function blankLike({ data }: Picture): Picture['data'] {
  return data instanceof Uint8Array ? new Uint8Array(data.length) : new Float32Array(data.length);
}
