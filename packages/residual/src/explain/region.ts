/** Which part of a picture the network saw, after its resizing and its cut: where a heat map belongs.
 *  Pure, for pages and files alike. */

import { beforeCut } from '../data/cut.ts';
import type { Preprocessing } from '../models/info.ts';

/** In parts of the picture's width and height; a picture that was padded lies inside, and x or y are negative. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * The region that the network's input covers.
 *
 * @param picture in pixels, upright as its EXIF orientation says
 * @example seenRegion({ width: 400, height: 200 }, { inputShape: [8, 8, 3], resize: 'cover' }) // the middle half
 */
export function seenRegion(
  picture: { readonly width: number; readonly height: number },
  preprocessing: Pick<Preprocessing, 'inputShape' | 'resize' | 'crop'>,
): Region {
  const { inputShape, resize, crop } = preprocessing;
  const [rows, columns] = beforeCut(inputShape, { crop });
  const [down, across] = [rows / picture.height, columns / picture.width];
  const [scaleY, scaleX] = {
    stretch: [down, across],
    cover: Array<number>(2).fill(Math.max(down, across)),
    contain: Array<number>(2).fill(Math.min(down, across)),
  }[resize] as [number, number];
  const height = inputShape[0] / scaleY / picture.height;
  const width = inputShape[1] / scaleX / picture.width;
  return { x: (1 - width) / 2, y: (1 - height) / 2, width, height };
}
