/** The report as a file: pictures are made into `data:` URIs, and the page is written aside and renamed.
 *  For Node; a page draws its own with `reportPage`. */

import type { Dataset, ImageShape } from '../data/dataset.ts';
import { loadSharp } from '../data/node/decode.ts';
import { writeAside } from '../models/files.ts';
import type { Mistake } from './metrics.ts';
import { reportPage } from './report.ts';
import type { ReportData, ShownMistake } from './report-data.ts';

/** Pictures up to this many pixels on the longer side are kept pixel by pixel; larger ones are scaled down to it. */
const mostPixels = 192;

/**
 * Writes the page that `reportPage` draws.
 *
 * @throws WriteError for a full disk or a folder that may not be written; a report that was there stays
 */
export async function writeReport(file: string, data: ReportData): Promise<void> {
  await writeAside(file, [reportPage(data)]);
}

/** Reads the pictures of mistakes out of the data set that they were made on. */
export async function showMistakes(dataset: Dataset, mistakes: readonly Mistake[]): Promise<ShownMistake[]> {
  if (mistakes.length === 0) return [];
  const { images } = await dataset.read(mistakes.map((mistake) => mistake.index));
  const length = dataset.imageShape.reduce((product, n) => product * n, 1);
  return Promise.all(
    mistakes.map(async (mistake, i) => ({
      ...mistake,
      picture: await pictureUri(images.subarray(i * length, (i + 1) * length), dataset.imageShape),
      source: dataset.fileOf?.(mistake.index) ?? `image ${mistake.index}`,
    })),
  );
}

/**
 * A picture as a `data:` URI: PNG, or WebP where it had to be scaled down (a photograph as PNG is five times larger).
 *
 * @param pixels bytes 0–255, height × width × channels
 * @param format `webp` for photographs, however small
 */
export async function pictureUri(
  pixels: Uint8Array,
  shape: ImageShape,
  format: 'png' | 'webp' = 'png',
): Promise<string> {
  const sharp = await loadSharp();
  const [height, width, channels] = shape;
  const image = sharp(pixels, { raw: { height, width, channels: channels === 1 ? 1 : 3 } });
  if (format === 'png' && Math.max(height, width) <= mostPixels) {
    return `data:image/png;base64,${(await image.png().toBuffer()).toString('base64')}`;
  }
  const small = await image
    .resize(mostPixels, mostPixels, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 80 })
    .toBuffer();
  return `data:image/webp;base64,${small.toString('base64')}`;
}
