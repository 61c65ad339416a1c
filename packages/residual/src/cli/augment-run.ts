/** The work of `residual augment`: pictures as training sees them, epoch by epoch, on one sheet.
 *  They come from `batches()`, with the data's own normalisation, so that the sheet shows no other pixels than training. */

import { parseTransforms } from '../augment/parse.ts';
import type { Picture } from '../augment/transform.ts';
import { batches, shuffledOrder } from '../data/batches.ts';
import { closeSplits, type Dataset } from '../data/dataset.ts';
import { loadSharp } from '../data/node/decode.ts';
import { openData } from '../data/node/open.ts';
import { meanAndStd } from '../data/statistics.ts';
import { plural } from '../evaluate/report-format.ts';
import { writeAside } from '../models/files.ts';
import { type augmentOptions, defaultTransforms } from './augment.ts';
import type { Values } from './command.ts';
import { type Cell, contactSheet } from './contact-sheet.ts';
import { defaultData } from './defaults.ts';
import { parseSize } from './run-plan.ts';

/** Statistics of so many images are near enough for the colour that `mean` fills with. */
const STATISTICS = 500;

export async function augment(positionals: readonly string[], values: Values<typeof augmentOptions>): Promise<number> {
  const { seed = 1, variants = 7, out = 'augmented.png' } = values;
  const transforms = parseTransforms(values.transforms ?? defaultTransforms);
  const splits = await openData(positionals[0] ?? defaultData, {
    ...(values.size === undefined ? {} : { size: parseSize(values.size) }),
    ...(values.channels === undefined ? {} : { channels: values.channels === '1' ? 1 : 3 }),
  });
  try {
    const { train } = splits;
    const count = Math.min(values.images ?? 6, train.size);
    const chosen = subset(train, shuffledOrder(train.size, seed, 0).slice(0, count));
    const normalize = await meanAndStd(train, { sample: STATISTICS, seed });
    const rows: Cell[][] = Array.from({ length: count }, () => []);
    for (let column = 0; column <= variants; column++) {
      const epoch = Math.max(0, column - 1);
      const options = { batchSize: count, seed, epoch, transforms: column === 0 ? [] : transforms, normalize };
      for await (const batch of batches(chosen, options)) {
        const nameOf = (label: number) => train.classes[label] ?? '';
        for (let i = 0; i < batch.size; i++) {
          const name = nameOf(batch.labels[i]);
          const share = batch.shares?.[i] ?? 1;
          // The row's first label names the image itself.
          const mixed = `+ ${Math.round(100 - 100 * share)}% ${nameOf(batch.partners?.[i] ?? 0)}`;
          const label = column === 0 ? name : share < 1 ? mixed : `epoch ${epoch + 1}`;
          rows[i].push({ picture: pictureOf(batch.images, i, train, normalize), label });
        }
      }
    }
    const sheet = contactSheet(rows);
    const sharp = await loadSharp();
    const raw = { height: sheet.height, width: sheet.width, channels: 3 } as const;
    await writeAside(out, [await sharp(sheet.data, { raw }).png().toBuffer()]);
    process.stdout.write(`${out}: ${plural(count, 'image')} of ${train.name}, each in ${plural(variants, 'epoch')}\n`);
    return 0;
  } finally {
    await closeSplits(splits);
  }
}

/** Some samples of a data set. They keep their indices for the random numbers, so that each changes as in training. */
function subset(dataset: Dataset, indices: Int32Array): Dataset {
  const { name, classes, imageShape, labels, skipped } = dataset;
  const own = (request: { readonly indices: Int32Array }) => request.indices.map((i) => indices[i]);
  const { produce } = dataset;
  return {
    name,
    classes,
    size: indices.length,
    imageShape,
    labels: indices.map((i) => labels[i]),
    skipped,
    read: (some) => dataset.read(Array.from(some, (i) => indices[i])),
    ...(produce === undefined
      ? {}
      : {
          produce: async (request, options) => {
            const made = await produce.call(dataset, { ...request, indices: own(request) }, options);
            return { ...made, indices: made.indices.map((_, place) => request.indices[place] ?? 0) };
          },
        }),
    close: async () => {},
  };
}

/** Undoes the normalisation. */
function pictureOf(
  images: Float32Array,
  at: number,
  { imageShape }: Dataset,
  { mean, std }: { readonly mean: readonly number[]; readonly std: readonly number[] },
): Picture {
  const [height, width, channels] = imageShape;
  const length = height * width * channels;
  const values = images.subarray(at * length, (at + 1) * length);
  const byte = (value: number, i: number) =>
    Math.round(255 * (value * (std[i % channels] ?? 1) + (mean[i % channels] ?? 0)));
  return { data: Uint8Array.from(values, (v, i) => Math.max(0, Math.min(255, byte(v, i)))), height, width, channels };
}
