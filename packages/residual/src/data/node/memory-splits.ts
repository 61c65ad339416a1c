/** Splits of a data set that fits in memory: its pixels lie once in shared memory, whichever parts and threads use them. */
import type { ImageShape, ResizeDetails, ResizeMode, Splits } from '../dataset.ts';
import { DataError } from '../errors.ts';
import { stratifiedSplit } from '../split.ts';
import { checkDetails, loadSharp, targetShape } from './decode.ts';
import type { MemorySource, ResizedImages } from './source.ts';
import { isAsStored } from './source.ts';
import { WorkerDataset } from './worker-dataset.ts';

export interface MemoryOptions extends ResizeDetails {
  /** Height and width in pixels that the images are brought to; one number for a square. Default: as stored. */
  readonly size?: number | readonly [height: number, width: number];
  /** Default: as stored. */
  readonly channels?: 1 | 3;
  /** How, where `size` differs. Default `cover`. */
  readonly resize?: ResizeMode;
  /** The part of the training images to hold out, 0 ≤ x < 1. Default 0.1. */
  readonly validation?: number;
  /** The part to hold out for a test, only where the set has no test images of its own. Default 0. */
  readonly test?: number;
  /** Of the splits. Default 0. */
  readonly seed?: number;
}

/** Images of one size with their labels. */
export interface LabelledPixels {
  /** NHWC. */
  readonly pixels: Uint8Array<SharedArrayBuffer>;
  readonly labels: Int32Array;
}

/**
 * @param name of the whole set
 * @param stored the size of the images in `pixels`
 * @throws DataError for impossible options, labels without a class, or sharp missing where images must be resized
 */
export async function memorySplits(
  name: string,
  classes: readonly string[],
  stored: ImageShape,
  parts: { readonly train: LabelledPixels; readonly test?: LabelledPixels | undefined },
  options: MemoryOptions,
): Promise<Splits> {
  const { resize = 'cover', seed = 0, crop, interpolation } = options;
  const { size = [stored[0], stored[1]], channels = stored[2] === 1 ? 1 : 3 } = options;
  const shape = targetShape({ size, channels });
  checkDetails(options);
  const asStored = isAsStored({ stored, shape, crop });
  if (!asStored) await loadSharp(); // must be loaded here before a worker loads it
  const part = (suffix: string, { pixels, labels }: LabelledPixels, rows: Int32Array) => {
    const wrong = labels.find((label) => label >= classes.length);
    if (wrong !== undefined) {
      throw new DataError(`${name}/${suffix} has the label ${wrong}, but there are only ${classes.length} classes`);
    }
    const source: MemorySource = {
      kind: 'memory',
      origin: pixels === parts.test?.pixels ? 'test' : 'train',
      pixels,
      stored,
      rows,
      labels: Int32Array.from(rows, (row) => labels[row]),
      classes,
      shape,
      resize,
      crop,
      interpolation,
      resized: asStored ? undefined : roomFor(rows.length, shape),
    };
    return new WorkerDataset(`${name}/${suffix}`, source);
  };
  const fractions = holdOut(options, parts.test !== undefined, 0.1);
  const forTest = stratifiedSplit(parts.train.labels, fractions.test, seed);
  const rest = Int32Array.from(forTest.kept, (row) => parts.train.labels[row]);
  const forValidation = stratifiedSplit(rest, fractions.validation, seed + 1);
  const ofRest = (indices: Int32Array) => indices.map((i) => forTest.kept[i]);
  const test =
    parts.test !== undefined
      ? part('test', parts.test, Int32Array.from(parts.test.labels.keys()))
      : forTest.held.length > 0
        ? part('test', parts.train, forTest.held)
        : undefined;
  return {
    classes,
    imageShape: shape,
    resize,
    crop,
    interpolation,
    train: part('train', parts.train, ofRest(forValidation.kept)),
    ...(forValidation.held.length > 0
      ? { validation: part('validation', parts.train, ofRest(forValidation.held)) }
      : {}),
    ...(test === undefined ? {} : { test }),
  };
}

/**
 * The fractions to hold out: first `test` of the whole, then `validation` of what is left, so that both are parts of
 * the whole as the user gave them.
 *
 * @throws DataError for fractions that leave nothing to train on
 */
export function holdOut(
  options: { readonly validation?: number; readonly test?: number },
  hasTest: boolean,
  usual: number,
): { validation: number; test: number } {
  const test = hasTest ? 0 : (options.test ?? 0);
  const validation = options.validation ?? usual;
  if (!(test >= 0 && validation >= 0 && test + validation < 1)) {
    throw new DataError(
      `validation and test are the parts to hold out, at least 0 and together less than 1, received ${validation} and ${test}`,
    );
  }
  return { test, validation: validation / (1 - test) };
}

/** Resized images are kept up to this size: all of CIFAR at 56 pixels, or of MNIST at 96. */
const MOST_RESIZED_BYTES = 2 ** 29;

function roomFor(count: number, shape: ImageShape): ResizedImages | undefined {
  const bytes = shape.reduce((a, b) => a * b, count);
  if (bytes > MOST_RESIZED_BYTES) return undefined;
  return {
    pixels: new Uint8Array(new SharedArrayBuffer(bytes)),
    filled: new Uint8Array(new SharedArrayBuffer(count)),
  };
}

/** A copy in memory that threads can share. */
export function shared(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
