/**
 * Winograd's convolution for 3×3 filters of stride 1: a quarter (F(4×4)) or 4/9 (F(2×2)) of the multiplications.
 * TF's Conv2D, Conv2DBackpropInput and Conv2DBackpropFilter on NHWC images and HWIO filters.
 */
import type { Conv2DShape } from './conv-shape.ts';
import type { Features, Recipe } from './kernel.ts';
import { forward, inputGradient } from './winograd-grid.ts';
import { convolve, convolveGradient, type WinogradOptions } from './winograd-plan.ts';

export type { WinogradOptions } from './winograd-plan.ts';

/** Whether the three functions below can compute `shape`: 3×3, stride 1, padding 0 to 2, channels in multiples of 16. */
export function winogradApplies(s: Conv2DShape): boolean {
  const unit = [s.strideHeight, s.strideWidth, s.dilationHeight, s.dilationWidth].every((x) => x === 1);
  const padded = [s.padTop, s.padLeft].every((pad) => pad >= 0 && pad <= 2);
  const channels = [s.inChannels, s.outChannels].every((x) => x >= 16 && x % 16 === 0);
  return s.filterHeight === 3 && s.filterWidth === 3 && unit && padded && channels;
}

/** y [batch, outHeight, outWidth, outChannels] from inputs x and filter. */
export function winogradForward(shape: Conv2DShape, features: Features, options: WinogradOptions = {}): Recipe {
  return convolve(forward(shape), false, features, options);
}

/** dx [batch, inHeight, inWidth, inChannels] from inputs dy and filter. */
export function winogradBackpropInput(shape: Conv2DShape, features: Features, options: WinogradOptions = {}): Recipe {
  return convolve(inputGradient(shape), true, features, options);
}

/** The filter's gradient [3, 3, inChannels, outChannels] from inputs x and dy. */
export function winogradBackpropFilter(shape: Conv2DShape, features: Features, options: WinogradOptions = {}): Recipe {
  return convolveGradient(forward(shape), features, options);
}
