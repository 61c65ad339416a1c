/** What can be said of a picture from its pixels: brightness, contrast, colour, and the fingerprint by which copies are
 *  found. Pure, so that threads and tests say the same. */

import { hashSide, perceptualHash } from './perceptual-hash.ts';
import { resampleSquare } from './resample.ts';

/** Side of the small grey picture by which candidates for copies are compared. */
export const tinySide = 16;

export interface PictureFacts {
  /** Mean of the grey values, 0 to 255. */
  readonly brightness: number;
  /** Their standard deviation. */
  readonly contrast: number;
  /** Mean distance between the largest and the smallest of red, green and blue; 0 for grey. */
  readonly chroma: number;
  readonly hash: readonly [high: number, low: number];
  /** 16 × 16 grey bytes. */
  readonly tiny: Uint8Array;
}

/** @param pixels bytes 0–255, height × width × channels */
export function pictureFacts(pixels: ArrayLike<number>, height: number, width: number, channels: number): PictureFacts {
  const size = height * width;
  const grey = new Float64Array(size);
  let chroma = 0;
  for (let i = 0; i < size; i++) {
    if (channels === 1) {
      grey[i] = pixels[i];
      continue;
    }
    const [r, g, b] = [pixels[i * channels], pixels[i * channels + 1], pixels[i * channels + 2]];
    grey[i] = 0.299 * r + 0.587 * g + 0.114 * b;
    chroma += Math.max(r, g, b) - Math.min(r, g, b);
  }
  const brightness = grey.reduce((a, b) => a + b, 0) / size;
  const variance = grey.reduce((sum, value) => sum + (value - brightness) ** 2, 0) / size;
  const small = resampleSquare(grey, height, width, hashSide);
  return {
    brightness,
    contrast: Math.sqrt(variance),
    chroma: chroma / size,
    hash: perceptualHash(small),
    tiny: Uint8Array.from(resampleSquare(small, hashSide, hashSide, tinySide), Math.round),
  };
}

/**
 * The correlation of two small pictures, −1 to 1: 1 for copies, whatever their brightness and contrast. Two pictures
 * without any contrast are alike.
 */
export function likeness(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [sa, sb, aa, bb, ab] = [0, 0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    sa += a[i];
    sb += b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
    ab += a[i] * b[i];
  }
  const n = a.length;
  const [va, vb] = [aa - (sa * sa) / n, bb - (sb * sb) / n];
  if (va < 1e-9 && vb < 1e-9) return 1;
  if (va < 1e-9 || vb < 1e-9) return 0;
  return (ab - (sa * sb) / n) / Math.sqrt(va * vb);
}
