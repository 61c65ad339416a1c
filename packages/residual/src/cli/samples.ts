/** A few held-out pictures, put into the run's folder and predicted from their files, as a user would predict his own.
 *  It proves the whole path, and gives a first picture to try `residual predict` with. */

import { join } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Dataset } from '../data/dataset.ts';
import { loadSharp } from '../data/node/decode.ts';
import { writeAside } from '../models/files.ts';
import type { ModelInfo } from '../models/info.ts';
import { predictFiles } from './predict-files.ts';

export interface Sample {
  readonly file: string;
  /** The name of its class. */
  readonly actual: string;
  readonly probabilities: ArrayLike<number>;
}

/** One picture from each of `most` classes, spread over all classes. */
export async function predictSamples(
  folder: string,
  model: LayersModel,
  info: ModelInfo,
  dataset: Dataset,
  most = 4,
): Promise<Sample[]> {
  const indices = spread(dataset.labels, info.classes.length, most);
  const files =
    dataset.fileOf === undefined ? await writeSamples(folder, dataset, indices) : indices.map(dataset.fileOf);
  const predicted = await predictFiles(model, info, files);
  return predicted.flatMap((one, i) =>
    'probabilities' in one
      ? [
          {
            file: one.file,
            actual: info.classes[dataset.labels[indices[i] ?? 0] ?? 0] ?? '',
            probabilities: one.probabilities,
          },
        ]
      : [],
  );
}

/** The first sample of each of `most` classes at even distances. */
function spread(labels: Int32Array, classes: number, most: number): number[] {
  const shown = Math.min(most, classes);
  return Array.from({ length: shown }, (_, i) => labels.indexOf(Math.floor((i * classes) / shown))).filter(
    (i) => i >= 0,
  );
}

async function writeSamples(folder: string, dataset: Dataset, indices: readonly number[]): Promise<string[]> {
  const sharp = await loadSharp();
  const { images } = await dataset.read(indices);
  const [height, width, channels] = dataset.imageShape;
  const length = height * width * channels;
  return Promise.all(
    indices.map(async (index, i) => {
      const name = dataset.classes[dataset.labels[index] ?? 0] ?? '';
      const raw = { height, width, channels: channels === 1 ? 1 : 3 } as const;
      const png = await sharp(images.subarray(i * length, (i + 1) * length), { raw })
        .png()
        .toBuffer();
      const file = join(folder, 'samples', `${name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-')}-${index}.png`);
      await writeAside(file, [png]);
      return file;
    }),
  );
}
