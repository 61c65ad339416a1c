/**
 * Depthwise convolution and its input gradient as one thing: rows of pixels, each a weighted sum of a few pixels of
 * another image. With stride s the gradient's pixels fall into s phases per axis, each with taps of its own.
 */
import type { Conv2DShape } from './conv-shape.ts';

/** A depthwise convolution: filter [filterHeight, filterWidth, inChannels, channelMultiplier]. */
export interface DepthwiseShape extends Conv2DShape {
  /** outChannels / inChannels; output channel c·multiplier + q belongs to input channel c. */
  readonly channelMultiplier: number;
}

/** Tap `tap` of the filter reads pixel i·inStep + at for the i-th pixel of its phase. */
export interface AxisTap {
  readonly tap: number;
  readonly at: number;
}

/** Pixels first, first + step, … of the target along one axis. */
export interface Phase {
  readonly first: number;
  readonly step: number;
  readonly count: number;
  readonly inStep: number;
  readonly taps: readonly AxisTap[];
}

/** One axis: the target's and the source's size, and the target's phases. */
export interface TapAxis {
  readonly size: number;
  readonly inSize: number;
  readonly phases: readonly Phase[];
}

interface AxisGeometry {
  readonly size: number;
  readonly out: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly pad: number;
}

const height = (s: Conv2DShape): AxisGeometry => ({
  size: s.inHeight,
  out: s.outHeight,
  taps: s.filterHeight,
  stride: s.strideHeight,
  dilation: s.dilationHeight,
  pad: s.padTop,
});

const width = (s: Conv2DShape): AxisGeometry => ({
  size: s.inWidth,
  out: s.outWidth,
  taps: s.filterWidth,
  stride: s.strideWidth,
  dilation: s.dilationWidth,
  pad: s.padLeft,
});

function forwardAxis(g: AxisGeometry): TapAxis {
  const taps = Array.from({ length: g.taps }, (_, tap) => ({ tap, at: tap * g.dilation - g.pad }));
  return { size: g.out, inSize: g.size, phases: [{ first: 0, step: 1, count: g.out, inStep: g.stride, taps }] };
}

/** Pixel first + i·stride of x is reached by tap k from output pixel i + (first + pad − k·dilation) / stride. */
function backwardAxis(g: AxisGeometry): TapAxis {
  const phases = Array.from({ length: Math.min(g.stride, g.size) }, (_, first): Phase => {
    const all = Array.from({ length: g.taps }, (_, tap) => ({
      tap,
      at: (first + g.pad - tap * g.dilation) / g.stride,
    }));
    const taps = all.filter(({ at }) => Number.isInteger(at));
    return { first, step: g.stride, count: Math.ceil((g.size - first) / g.stride), inStep: 1, taps };
  });
  return { size: g.size, inSize: g.out, phases };
}

export interface TapImage {
  readonly batch: number;
  readonly channels: number;
  readonly rows: TapAxis;
  readonly columns: TapAxis;
  readonly filterWidth: number;
}

/** x → y. */
export const forwardTaps = (s: DepthwiseShape): TapImage => ({
  batch: s.batch,
  channels: s.inChannels,
  rows: forwardAxis(height(s)),
  columns: forwardAxis(width(s)),
  filterWidth: s.filterWidth,
});

/** dy → dx. */
export const backwardTaps = (s: DepthwiseShape): TapImage => ({
  batch: s.batch,
  channels: s.inChannels,
  rows: backwardAxis(height(s)),
  columns: backwardAxis(width(s)),
  filterWidth: s.filterWidth,
});

/** Pixels [from, to) of a phase that have the same taps inside the source. */
export interface TapRun {
  readonly from: number;
  readonly to: number;
  readonly taps: readonly AxisTap[];
}

export function tapRuns(axis: TapAxis, phase: Phase): TapRun[] {
  const runs: TapRun[] = [];
  for (let i = 0; i < phase.count; i++) {
    const taps = phase.taps.filter(({ at }) => {
      const pixel = i * phase.inStep + at;
      return pixel >= 0 && pixel < axis.inSize;
    });
    const last = runs.at(-1);
    const same = last && last.taps.length === taps.length && last.taps[0] === taps[0];
    if (same) runs[runs.length - 1] = { ...last, to: i + 1 };
    else runs.push({ from: i, to: i + 1, taps });
  }
  return runs;
}
