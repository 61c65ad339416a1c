/** The geometry of a 2-D convolution or pooling window, in tfjs's terms: NHWC images, HWIO filters. */

export interface Conv2DShape {
  readonly batch: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly inChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly outChannels: number;
  readonly filterHeight: number;
  readonly filterWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
  /** Zeros above and left of the image; those below and right follow from the sizes. */
  readonly padTop: number;
  readonly padLeft: number;
}

/** `3x3/2 128x28x28x64->128`, for kernel names. */
export function describe(s: Conv2DShape): string {
  const stride = s.strideHeight === s.strideWidth ? `${s.strideHeight}` : `${s.strideHeight},${s.strideWidth}`;
  return `${s.filterHeight}x${s.filterWidth}/${stride} ${s.batch}x${s.inHeight}x${s.inWidth}x${s.inChannels}->${s.outChannels}`;
}
