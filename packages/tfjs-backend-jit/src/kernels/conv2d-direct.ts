/**
 * 2-D convolution and its two gradients as direct matrix products, right for every shape, stride, dilation and padding.
 * TF's Conv2D, Conv2DBackpropInput and Conv2DBackpropFilter on NHWC images and HWIO filters.
 */
import { type Conv2DShape, describe } from './conv-shape.ts';
import { forwardAxis, gradientAxes, wholeAxis } from './conv2d-direct-axis.ts';
import { convolve } from './conv2d-direct-pass.ts';
import type { Image } from './conv2d-direct-window.ts';
import type { Features, Recipe } from './kernel.ts';

export { conv2dBackpropFilterDirect } from './conv2d-direct-filter.ts';

/** y [batch, outHeight, outWidth, outChannels] from inputs x [batch, inHeight, inWidth, inChannels] and filter. */
export function conv2dDirect(shape: Conv2DShape, features: Features): Recipe {
  const { height, width } = axes(shape);
  const filter = {
    row: shape.filterWidth * shape.inChannels * shape.outChannels * 4,
    column: shape.inChannels * shape.outChannels * 4,
    k: shape.outChannels * 4,
    n: 4,
  };
  const what = { name: `conv2d ${describe(shape)}`, key: `conv2dDirect ${JSON.stringify(shape)}` };
  const grids = [[forwardAxis(height), forwardAxis(width)]] as const;
  return convolve(what, inputImage(shape), outputImage(shape), grids, filter, features);
}

/**
 * dx [batch, inHeight, inWidth, inChannels] from inputs dy [batch, outHeight, outWidth, outChannels] and filter.
 * Stride s: s² grids with the taps that reach them, no multiplication by inserted zeros; what no tap reaches is 0.
 */
export function conv2dBackpropInputDirect(shape: Conv2DShape, features: Features): Recipe {
  const { height, width } = axes(shape);
  const filter = {
    row: shape.filterWidth * shape.inChannels * shape.outChannels * 4,
    column: shape.inChannels * shape.outChannels * 4,
    k: 4,
    n: shape.outChannels * 4,
  };
  const what = { name: `conv2d dx ${describe(shape)}`, key: `conv2dBackpropInputDirect ${JSON.stringify(shape)}` };
  const columns = gradientAxes(width);
  const grids = gradientAxes(height).flatMap((y) =>
    (y.taps === 0 ? [wholeAxis(shape.inWidth)] : columns).map((x) => [y, x] as const),
  );
  return convolve(what, outputImage(shape), inputImage(shape), grids, filter, features);
}

function axes(s: Conv2DShape) {
  const height = {
    inSize: s.inHeight,
    outSize: s.outHeight,
    filter: s.filterHeight,
    stride: s.strideHeight,
    dilation: s.dilationHeight,
    pad: s.padTop,
  };
  const width = {
    inSize: s.inWidth,
    outSize: s.outWidth,
    filter: s.filterWidth,
    stride: s.strideWidth,
    dilation: s.dilationWidth,
    pad: s.padLeft,
  };
  return { height, width };
}

const inputImage = (s: Conv2DShape): Image => ({
  batch: s.batch,
  height: s.inHeight,
  width: s.inWidth,
  channels: s.inChannels,
});

const outputImage = (s: Conv2DShape): Image => ({
  batch: s.batch,
  height: s.outHeight,
  width: s.outWidth,
  channels: s.outChannels,
});
