/** Depthwise convolution over NHWC images, forward and both gradients: the operations that the backend records. */
import { describe } from './conv-shape.ts';
import { emitTapRows, zeroRowBytes } from './depthwise-fast.ts';
import { emitGeneralBackward, emitGeneralForward } from './depthwise-general.ts';
import { backwardTaps, type DepthwiseShape, forwardTaps } from './depthwise-taps.ts';
import { type Features, input, output, type Recipe } from './kernel.ts';
import { cutRows, rowKernel } from './move-pieces.ts';

export { depthwiseBackpropFilter } from './depthwise-filter.ts';
export type { DepthwiseShape } from './depthwise-taps.ts';

/** Filters of up to 7x7 taps, one per channel, are unrolled. */
const isFast = (s: DepthwiseShape): boolean => s.channelMultiplier === 1 && s.filterHeight * s.filterWidth <= 49;

/**
 * `DepthwiseConv2dNative`: x [batch, inHeight, inWidth, inChannels] and filter [filterHeight, filterWidth, inChannels, m]
 * → y [batch, outHeight, outWidth, inChannels · m]. One step; inputs: x, filter; outputs: y.
 */
export function depthwiseConv2d(s: DepthwiseShape, features: Features): Recipe {
  const image = forwardTaps(s);
  const cut = cutRows(s.batch * s.outHeight, s.outWidth * s.outChannels * work(s));
  const about = { ...common('depthwise', s, features), cut };
  const kernel = isFast(s)
    ? rowKernel({ ...about, scratch: zeroRowBytes(image) }, (f, rows) => emitTapRows(f, image, rows, features.relaxed))
    : rowKernel(about, (f, rows) => emitGeneralForward(f, s, rows, features.relaxed));
  return { temps: [], steps: [{ kernel, args: [input(0), input(1), output(0)] }] };
}

/**
 * `DepthwiseConv2dNativeBackpropInput`: dy and filter → dx. Dilation is taken into account (tfjs's cpu backend forgets it).
 * One step; inputs: dy, filter; outputs: dx.
 */
export function depthwiseBackpropInput(s: DepthwiseShape, features: Features): Recipe {
  const image = backwardTaps(s);
  const cut = cutRows(s.batch * s.inHeight, s.inWidth * s.inChannels * work(s));
  const about = { ...common('depthwise-input', s, features), cut };
  const kernel = isFast(s)
    ? rowKernel({ ...about, scratch: zeroRowBytes(image) }, (f, rows) => emitTapRows(f, image, rows, features.relaxed))
    : rowKernel(about, (f, rows) => emitGeneralBackward(f, s, rows));
  return { temps: [], steps: [{ kernel, args: [input(0), input(1), output(0)] }] };
}

/** How much more an element costs than a copy, for the cutting. */
const work = (s: DepthwiseShape): number => Math.max(1, (s.filterHeight * s.filterWidth) / 4);

function common(name: string, s: DepthwiseShape, features: Features) {
  const inputs = s.batch * s.inHeight * s.inWidth * s.inChannels;
  const outputs = s.batch * s.outHeight * s.outWidth * s.outChannels;
  const filter = s.filterHeight * s.filterWidth * s.outChannels;
  return {
    name: `${name} ${describe(s)}`,
    shape: [s, features.relaxed],
    buffers: 3,
    flops: 2 * outputs * s.filterHeight * s.filterWidth,
    bytes: (inputs + outputs + filter) * 4,
  };
}
