/** Image files in, probabilities out. All that must be known about preprocessing comes from the model's own info.
 *  A file that cannot be read gives its reason instead, and does not stop the others. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { DataError } from '../data/errors.ts';
import { decodeImage } from '../data/node/decode.ts';
import { finishBatch } from '../data/produce.ts';
import { predict } from '../models/inference.ts';
import type { ModelInfo } from '../models/info.ts';

/** What classifies pictures of the size that its info says: a model, or a file that was exported from one. */
export interface Classifier {
  /** What it is given: pictures normalised, or their bytes 0–255. */
  readonly range: 'normalised' | 'bytes';
  /** Probabilities of each of `count` pictures. */
  classify(images: Float32Array, count: number): Promise<readonly ArrayLike<number>[]>;
}

export type FilePrediction =
  | { readonly file: string; readonly probabilities: ArrayLike<number> }
  | { readonly file: string; readonly problem: string };

/** Pictures that are in memory at once. */
const atOnce = 32;

/** Predicts files in the order given. */
export async function predictFiles(
  model: LayersModel | Classifier,
  info: Pick<ModelInfo, 'preprocessing'>,
  files: readonly string[],
): Promise<FilePrediction[]> {
  const results: FilePrediction[] = [];
  for (let start = 0; start < files.length; start += atOnce) {
    results.push(...(await predictChunk(model, info, files.slice(start, start + atOnce))));
  }
  return results;
}

async function predictChunk(
  model: LayersModel | Classifier,
  info: Pick<ModelInfo, 'preprocessing'>,
  files: readonly string[],
): Promise<FilePrediction[]> {
  const { preprocessing } = info;
  const [height, width, channels] = preprocessing.inputShape;
  const length = height * width * channels;
  const { resize, crop, interpolation } = preprocessing;
  const options = { size: [height, width], channels: channels === 1 ? 1 : 3, resize, crop, interpolation } as const;
  const pictures = await Promise.all(
    files.map(async (file) => {
      try {
        return { file, pixels: await decodeImage(file, options) };
      } catch (error) {
        if (error instanceof DataError) return { file, problem: error.message };
        throw error;
      }
    }),
  );
  const readable = pictures.flatMap((picture) => ('pixels' in picture ? [picture.pixels] : []));
  const decoded = new Uint8Array(readable.length * length);
  readable.forEach((pixels, i) => {
    decoded.set(pixels, i * length);
  });
  const indices = Int32Array.from(readable.keys());
  const { images } = finishBatch({ images: decoded, indices, requested: indices }, preprocessing.inputShape, {
    indices,
    seed: 0,
    epoch: 0,
    transforms: [],
    normalize: preprocessing,
    corrupt: 'drop',
  });
  const count = readable.length;
  const classify = async (): Promise<readonly ArrayLike<number>[]> => {
    if (!('classify' in model)) return predict(model, images, { batchSize: count });
    return model.classify(model.range === 'bytes' ? Float32Array.from(decoded) : images, count);
  };
  const rows = count === 0 ? [] : await classify();
  let next = 0;
  return pictures.map((picture) => {
    if ('problem' in picture) return { file: picture.file, problem: picture.problem };
    return { file: picture.file, probabilities: rows[next++] ?? [] };
  });
}
