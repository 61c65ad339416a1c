/**
 * 2-D convolution and its two gradients as direct matrix products, right for every shape, stride, dilation and padding.
 * TF's Conv2D, Conv2DBackpropInput and Conv2DBackpropFilter on NHWC images and HWIO filters.
 */
import { type Conv2DShape, describe } from './conv-shape.ts';
import { forwardAxis, gradientAxes, heightOf, wholeAxis, widthOf } from './conv2d-direct-axis.ts';
import { inputImage, outputImage } from './conv2d-direct-grid.ts';
import { convolve } from './conv2d-direct-pass.ts';
import type { Outcome } from './epilogue.ts';
import type { Features, Recipe } from './kernel.ts';

export { conv2dBackpropFilterDirect } from './conv2d-direct-filter.ts';

/**
 * y [batch, outHeight, outWidth, outChannels] from inputs x [batch, inHeight, inWidth, inChannels], filter, and those
 * of the epilogue. A packed `steady` filter is kept.
 */
export function conv2dDirect(shape: Conv2DShape, features: Features, outcome: Partial<Outcome> = {}): Recipe {
  const conv = {
    name: `conv2d ${describe(shape)}`,
    key: `conv2dDirect ${JSON.stringify(shape)}`,
    source: inputImage(shape),
    target: outputImage(shape),
    filter: { ...tapStrides(shape), k: shape.outChannels * 4, n: 4 },
    grids: [[forwardAxis(heightOf(shape)), forwardAxis(widthOf(shape))]] as const,
    ...outcome,
  };
  return convolve(conv, features);
}

/**
 * dx [batch, inHeight, inWidth, inChannels] from inputs dy [batch, outHeight, outWidth, outChannels] and filter.
 * Stride s: s² grids with the taps that reach them, no multiplication by inserted zeros; what no tap reaches is 0.
 */
export function conv2dBackpropInputDirect(shape: Conv2DShape, features: Features): Recipe {
  const columns = gradientAxes(widthOf(shape));
  const conv = {
    name: `conv2d dx ${describe(shape)}`,
    key: `conv2dBackpropInputDirect ${JSON.stringify(shape)}`,
    source: outputImage(shape),
    target: inputImage(shape),
    filter: { ...tapStrides(shape), k: 4, n: shape.outChannels * 4 },
    grids: gradientAxes(heightOf(shape)).flatMap((y) =>
      (y.taps === 0 ? [wholeAxis(shape.inWidth)] : columns).map((x) => [y, x] as const),
    ),
  };
  return convolve(conv, features);
}

/** Bytes from one tap of the filter to the next, down and across. */
function tapStrides({ filterWidth, inChannels, outChannels }: Conv2DShape): { row: number; column: number } {
  const column = inChannels * outChannels * 4;
  return { row: filterWidth * column, column };
}
