/** Sharpness as Pillow's ImageEnhance has it: away from, or towards, a smoothed copy.
 *  One of the operations of the automatic augmentations. */
import { toByte } from './color.ts';
import { blank, type Picture } from './transform.ts';

/** @param factor 0 smooths (the 3 × 3 neighbourhood, the middle five times), 1 changes nothing, 2 sharpens */
export function sharpen(picture: Picture, factor: number): Picture {
  const { data, height, width, channels } = picture;
  const out = blank(picture, height, width);
  out.data.set(data); // the outermost pixels have no neighbourhood and stay
  const bytes = out.data instanceof Uint8Array;
  const line = width * channels;
  for (let y = 1; y < height - 1; y++) {
    for (let at = y * line + channels; at < (y + 1) * line - channels; at++) {
      const [up, down] = [at - line, at + line];
      const around =
        data[up - channels] +
        data[up] +
        data[up + channels] +
        data[at - channels] +
        data[at + channels] +
        data[down - channels] +
        data[down] +
        data[down + channels];
      const smooth = (around + 5 * data[at]) / 13;
      const value = smooth + (data[at] - smooth) * factor;
      out.data[at] = bytes ? toByte(value) : value;
    }
  }
  return out;
}
