/**
 * One spatial axis of a convolution as a sliding window, forward or transposed.
 * A strided input gradient falls apart into `stride` windows of stride 1, one for each remainder of the position.
 */
import type { Conv2DShape } from './conv-shape.ts';

/** Output i, tap t reads source position `start + i·step + t·tapStep` (zero where there is none). */
export interface Axis {
  readonly outputs: number;
  /** Output i is written to position `outStart + i·outStep`. */
  readonly outStart: number;
  readonly outStep: number;
  readonly start: number;
  readonly step: number;
  /** Taps of the window; 0: these outputs are zeros. */
  readonly taps: number;
  readonly tapStep: number;
  /** Tap t is number `filterStart + t·filterStep` of the filter. */
  readonly filterStart: number;
  readonly filterStep: number;
}

export interface AxisShape {
  readonly inSize: number;
  readonly outSize: number;
  readonly filter: number;
  readonly stride: number;
  readonly dilation: number;
  readonly pad: number;
}

export const heightOf = (s: Conv2DShape): AxisShape => ({
  inSize: s.inHeight,
  outSize: s.outHeight,
  filter: s.filterHeight,
  stride: s.strideHeight,
  dilation: s.dilationHeight,
  pad: s.padTop,
});

export const widthOf = (s: Conv2DShape): AxisShape => ({
  inSize: s.inWidth,
  outSize: s.outWidth,
  filter: s.filterWidth,
  stride: s.strideWidth,
  dilation: s.dilationWidth,
  pad: s.padLeft,
});

/** y from x. */
export function forwardAxis(s: AxisShape): Axis {
  return {
    outputs: s.outSize,
    outStart: 0,
    outStep: 1,
    start: -s.pad,
    step: s.stride,
    taps: s.filter,
    tapStep: s.dilation,
    filterStart: 0,
    filterStep: 1,
  };
}

/**
 * dx from dy. y[o] reads x[o·stride + k·dilation − pad], so dx[i] gathers dy[(i + pad − k·dilation) / stride] over the
 * k that divide. With i + pad = stride·q + r, those k depend on r alone: one axis for each r, over q.
 */
export function gradientAxes(s: AxisShape): Axis[] {
  const { inSize, filter, stride, dilation, pad } = s;
  const axes: Axis[] = [];
  for (let r = 0; r < stride; r++) {
    const first = Math.ceil((pad - r) / stride);
    const last = Math.floor((inSize - 1 + pad - r) / stride);
    if (last < first) continue;
    const taps = Array.from({ length: filter }, (_, k) => k).filter((k) => (r - k * dilation) % stride === 0);
    const filterStart = taps.at(-1) ?? 0;
    const filterStep = taps.length > 1 ? taps[0] - taps[1] : -1;
    axes.push({
      outputs: last - first + 1,
      outStart: stride * first + r - pad,
      outStep: stride,
      start: first + (r - filterStart * dilation) / stride,
      step: 1,
      taps: taps.length,
      tapStep: taps.length > 1 ? (-filterStep * dilation) / stride : 1,
      filterStart,
      filterStep,
    });
  }
  return axes;
}

/** Every position, reached by no tap: zeros. */
export function wholeAxis(size: number): Axis {
  const nothing = { start: 0, step: 1, taps: 0, tapStep: 1, filterStart: 0, filterStep: 1 };
  return { outputs: size, outStart: 0, outStep: 1, ...nothing };
}

/** How an axis of the source is copied: every `read`-th position from the window's start, and what is then where. */
export interface PackedAxis {
  readonly read: number;
  /** Packed positions from one output to the next, and from one tap to the next. */
  readonly step: number;
  readonly tapStep: number;
  /** Packed positions that `outputs` neighbouring outputs read. */
  extent(outputs: number): number;
}

/** Positions that no tap reads (1×1 filters of stride 2 skip half of them) are left out. */
export function packAxis(axis: Axis): PackedAxis {
  const read = axis.taps === 1 ? axis.step : gcd(axis.step, axis.tapStep);
  const step = axis.step / read;
  const tapStep = axis.taps === 1 ? 1 : axis.tapStep / read;
  return { read, step, tapStep, extent: (outputs) => (outputs - 1) * step + (axis.taps - 1) * tapStep + 1 };
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
