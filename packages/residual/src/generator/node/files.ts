/** What flows from files have in common: how a file becomes a picture, and the data set that reads them on threads. */
import type { ImageShape, Interpolation, SkippedFile } from '../../data/dataset.ts';
import { DataError } from '../../data/errors.ts';
import { loadSharp, targetShape } from '../../data/node/decode.ts';
import { WorkerDataset } from '../../data/node/worker-dataset.ts';
import type { FlowOptions } from '../flow.ts';

export type ColorMode = 'rgb' | 'grayscale' | 'rgba';

export interface FileFlowOptions extends FlowOptions {
  /** Height and width that pictures are brought to. Default [256, 256]. */
  readonly targetSize?: readonly [height: number, width: number];
  /** 3, 1 or 4 channels. Transparency is laid on white unless it is kept as the fourth. Default `rgb`. */
  readonly colorMode?: ColorMode;
  /**
   * How pictures are scaled. Default `lanczos`, as everywhere in this library, so that a prediction sees what training
   * saw; Keras's `nearest` drops most of a large photo's pixels.
   */
  readonly interpolation?: Interpolation;
  /** Crop the centre to the target's proportions instead of stretching. Default false. */
  readonly keepAspectRatio?: boolean;
}

const CHANNELS = { rgb: 3, grayscale: 1, rgba: 4 } as const;
const INTERPOLATIONS: readonly Interpolation[] = ['nearest', 'bilinear', 'bicubic', 'lanczos'];

/** @throws DataError for impossible options */
export function imageShape(options: FileFlowOptions): ImageShape {
  const { targetSize = [256, 256], colorMode = 'rgb', interpolation = 'lanczos' } = options;
  if (!Array.isArray(targetSize) || targetSize.length !== 2) {
    throw new DataError(`targetSize must be [height, width], received ${JSON.stringify(targetSize)}`);
  }
  const [height, width] = targetShape({ size: [targetSize[0], targetSize[1]] });
  if (!Object.hasOwn(CHANNELS, colorMode)) {
    throw new DataError(`colorMode must be one of ${Object.keys(CHANNELS).join(', ')}, received '${colorMode}'`);
  }
  if (!INTERPOLATIONS.includes(interpolation)) {
    throw new DataError(`interpolation must be one of ${INTERPOLATIONS.join(', ')}, received '${interpolation}'`);
  }
  return [height, width, CHANNELS[colorMode]];
}

/** Files with a label each. */
export interface LabelledFiles {
  readonly name: string;
  readonly root: string;
  /** Relative to `root`, or absolute where it is ''. */
  readonly paths: readonly string[];
  readonly labels: Int32Array;
  readonly classes: readonly string[];
  readonly skipped: readonly SkippedFile[];
}

export async function fileDataset(files: LabelledFiles, options: FileFlowOptions): Promise<WorkerDataset> {
  const { name, skipped, ...source } = files;
  const shape = imageShape(options);
  const { keepAspectRatio = false, interpolation = 'lanczos' } = options;
  await loadSharp(); // must be loaded here before a worker loads it
  const resize = keepAspectRatio ? 'cover' : 'stretch';
  return new WorkerDataset(name, { kind: 'files', ...source, shape, resize, interpolation }, skipped);
}
