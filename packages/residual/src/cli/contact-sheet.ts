/** Pictures in rows and columns on one sheet, each with a line of text below it.
 *  The letters are drawn here (`letters.ts`): a machine without fonts shows them as well. */

import type { Picture } from '../augment/transform.ts';
import { letterHeight, letterWidth, textPixels } from './letters.ts';

export interface Cell {
  readonly picture: Picture;
  readonly label: string;
}

/** Small pictures are enlarged by whole factors, up to about this many pixels of height. */
const WANTED = 128;
const GAP = 8;
const TEXT = [40, 40, 40] as const;

/** All pictures must have one size. Colour, on white; text that is too long for its picture is cut. */
export function contactSheet(rows: readonly (readonly Cell[])[]): Picture {
  const [first] = rows.flat();
  const factor = Math.max(1, Math.floor(WANTED / first.picture.height));
  const [h, w] = [first.picture.height * factor, first.picture.width * factor];
  const cell = { height: h + letterHeight + 4 + GAP, width: w + GAP };
  const height = GAP + rows.length * cell.height;
  const width = GAP + Math.max(...rows.map((row) => row.length)) * cell.width;
  const data = new Uint8Array(height * width * 3).fill(255);
  rows.forEach((row, r) => {
    row.forEach(({ picture, label }, c) => {
      const [top, left] = [GAP + r * cell.height, GAP + c * cell.width];
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < w; x++) {
          const from = (Math.floor(y / factor) * picture.width + Math.floor(x / factor)) * picture.channels;
          for (let k = 0; k < 3; k++) {
            data[((top + y) * width + left + x) * 3 + k] = picture.data[from + Math.min(k, picture.channels - 1)];
          }
        }
      }
      const room = Math.floor((w + GAP / 2) / letterWidth);
      const text = label.length > room ? `${label.slice(0, Math.max(1, room - 1))}~` : label;
      for (const [y, x] of textPixels(text)) {
        const at = ((top + h + 3 + y) * width + left + x) * 3;
        data.set(TEXT, at);
      }
    });
  });
  return { data, height, width, channels: 3 };
}
