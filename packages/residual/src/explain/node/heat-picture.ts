/** A picture file and its heat map → one PNG of both, to look at and to keep. */

import { readFile } from 'node:fs/promises';
import { decodeLarge, fileProblem, loadSharp } from '../../data/node/decode.ts';
import type { Preprocessing } from '../../models/info.ts';
import { type Heat, paintHeat } from '../paint.ts';
import { seenRegion } from '../region.ts';

/** Pixels on the longer side: of small pictures at least, so that they can be seen, and of large ones at most. */
const [least, most] = [448, 1280];

/**
 * Lays a heat map over the part of a picture that the network saw.
 *
 * @param input a file's path or bytes: JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP
 * @param preprocessing the model's: which part of the picture it was
 * @returns the bytes of a PNG
 * @throws DataError for what is not a readable image
 * @example const map = await gradCam(model, image); await writeFile('why.png', await heatPicture('cat.jpg', map, info.preprocessing));
 */
export async function heatPicture(
  input: string | Uint8Array,
  map: Heat,
  preprocessing: Pick<Preprocessing, 'inputShape' | 'resize' | 'crop'>,
): Promise<Uint8Array> {
  const bytes = typeof input === 'string' ? await readFile(input).catch((e) => Promise.reject(fileProblem(e))) : input;
  const { data, ...shape } = await decodeLarge(bytes, most, 3);
  const longer = Math.max(shape.width, shape.height);
  const scale = Math.min(most, Math.max(least, longer)) / longer;
  const [width, height] = [shape.width, shape.height].map((side) => Math.max(1, Math.round(side * scale)));
  const heat = paintHeat(map, width, height, seenRegion(shape, preprocessing));
  const sharp = await loadSharp();
  return sharp(data, { raw: { width: shape.width, height: shape.height, channels: 3 } })
    .resize({ width, height, fit: 'fill', kernel: scale > 1 ? 'nearest' : 'lanczos3' })
    .composite([{ input: Buffer.from(heat.buffer), raw: { width, height, channels: 4 } }])
    .png()
    .toBuffer();
}
