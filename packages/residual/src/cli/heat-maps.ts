/** The heat maps of `residual predict --heatmap`: of each picture a PNG that shows what spoke for its class. */

import { basename, extname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { decodeImage } from '../data/node/decode.ts';
import { prepareNormalization } from '../data/normalize.ts';
import { gradCam } from '../explain/grad-cam.ts';
import { heatPicture } from '../explain/node/heat-picture.ts';
import { writeAside } from '../models/files.ts';
import type { ModelInfo } from '../models/info.ts';
import { CommandError, UsageError } from './command.ts';
import type { LoadedClassifier } from './load-classifier.ts';
import { nearest } from './nearest.ts';

export interface WrittenHeatMap {
  readonly file: string;
  /** The class that it explains. */
  readonly class: string;
}

/** Explains one picture and writes the PNG. */
export type HeatMapWriter = (picture: string) => Promise<WrittenHeatMap>;

/**
 * @param typed what the user called the model
 * @param className which class to explain; the most probable one where it is undefined
 * @throws CommandError for an exported file, UsageError for a class that the model does not know
 */
export function heatMapWriter(
  typed: string,
  { model, info }: Pick<LoadedClassifier, 'model' | 'info'>,
  folder: string,
  className: string | undefined,
): HeatMapWriter {
  if ('classify' in model) {
    throw new CommandError(
      `${typed}: an exported file has no gradients to explain it by`,
      'give the run that it was made of',
    );
  }
  const wanted = className === undefined ? undefined : classIndexOf(className, info.classes);
  const names = new Set<string>();
  return async (picture) => {
    const map = await explained(model, info, picture, wanted);
    const file = join(folder, freeName(basename(picture, extname(picture)), names));
    await writeAside(file, [await heatPicture(picture, map, info.preprocessing)]);
    return { file, class: info.classes[map.classIndex] ?? '' };
  };
}

async function explained(
  model: LayersModel,
  { preprocessing }: Pick<ModelInfo, 'preprocessing'>,
  picture: string,
  classIndex: number | undefined,
) {
  const [height, width, channels] = preprocessing.inputShape;
  const { resize, crop, interpolation } = preprocessing;
  const size = { size: [height, width], channels: channels === 1 ? 1 : 3 } as const;
  const data = await decodeImage(picture, { ...size, resize, crop, interpolation });
  const values = new Float32Array(data.length);
  prepareNormalization(preprocessing, channels)({ data, height, width, channels }, undefined, values, 0);
  const image = tf.tensor4d(values, [1, height, width, channels]);
  try {
    return await gradCam(model, image, classIndex);
  } finally {
    image.dispose();
  }
}

function classIndexOf(name: string, classes: readonly string[]): number {
  const found = classes.indexOf(name);
  if (found >= 0) return found;
  const near = nearest(name, classes);
  const some = classes.slice(0, 20).join(', ');
  throw new UsageError(
    `--class ${name}: the model knows no such class`,
    near === undefined ? `it knows ${some}${classes.length > 20 ? ', …' : ''}` : `did you mean ${near}?`,
  );
}

/** Pictures of one name in two folders get files of two names. */
function freeName(stem: string, taken: Set<string>): string {
  let name = `${stem}.png`;
  for (let n = 2; taken.has(name); n++) name = `${stem}-${n}.png`;
  taken.add(name);
  return name;
}
