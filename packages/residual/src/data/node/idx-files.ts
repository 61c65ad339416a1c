/** MNIST, Fashion-MNIST, KMNIST, EMNIST: four idx files, gzipped or not. */
import { join } from 'node:path';
import type { ImageShape, Splits } from '../dataset.ts';
import { DataError } from '../errors.ts';
import type { IdxArray } from '../idx.ts';
import { parseIdx } from '../idx.ts';
import { idxClasses } from '../names.ts';
import { namesIn, readUnpacked } from './files.ts';
import type { LabelledPixels, MemoryOptions } from './memory-splits.ts';
import { memorySplits, shared } from './memory-splits.ts';

export interface IdxPaths {
  readonly trainImages: string;
  readonly trainLabels: string;
  readonly testImages?: string;
  readonly testLabels?: string;
}

export interface IdxOptions extends MemoryOptions {
  /** For people. Default: `fashion-mnist` where the labels are recognised, else `idx`. */
  readonly name?: string;
  /** Class names in the order of the labels. Default: Fashion-MNIST's, where its labels are recognised, else numbers. */
  readonly classes?: readonly string[];
}

/**
 * Reads idx files by their paths; without test files, `options.test` is held out of the training images.
 *
 * @throws DataError for files that are missing, truncated, or do not belong together
 */
export async function idxFiles(paths: IdxPaths, options: IdxOptions = {}): Promise<Splits> {
  const train = await readPair(paths.trainImages, paths.trainLabels);
  const { testImages, testLabels } = paths;
  if ((testImages === undefined) !== (testLabels === undefined)) {
    throw new DataError('test images and test labels must be given together');
  }
  const test = testImages && testLabels ? await readPair(testImages, testLabels) : undefined;
  if (test !== undefined && test.shape.join() !== train.shape.join()) {
    throw new DataError(
      `${paths.testImages} holds images of ${test.shape.join(' x ')}, ${paths.trainImages} of ${train.shape.join(' x ')}`,
    );
  }
  const recognised = idxClasses(train.labelBytes);
  const { classes = recognised, name = recognised[0] === '0' ? 'idx' : 'fashion-mnist' } = options;
  return memorySplits(name, classes, train.shape, { train, test }, options);
}

const PARTS = [
  ['trainImages', /^train-images[-.]idx[34]-ubyte(\.gz)?$/, 'train-images-idx3-ubyte'],
  ['trainLabels', /^train-labels[-.]idx1-ubyte(\.gz)?$/, 'train-labels-idx1-ubyte'],
  ['testImages', /^(t10k|test)-images[-.]idx[34]-ubyte(\.gz)?$/, 't10k-images-idx3-ubyte'],
  ['testLabels', /^(t10k|test)-labels[-.]idx1-ubyte(\.gz)?$/, 't10k-labels-idx1-ubyte'],
] as const;

/** Whether a folder's files look like the MNIST family's. */
export function looksLikeMnist(names: readonly string[]): boolean {
  return names.some((name) => PARTS.some(([, pattern]) => pattern.test(name)));
}

/**
 * A folder with the MNIST family's files under their usual names.
 *
 * @throws DataError as `idxFiles`, and where a file is missing
 */
export async function mnist(folder: string, options: IdxOptions = {}): Promise<Splits> {
  const names = await namesIn(folder);
  const paths: { -readonly [K in keyof IdxPaths]?: string } = {};
  for (const [part, pattern, usual] of PARTS) {
    const name = names.find((candidate) => pattern.test(candidate));
    if (name === undefined && part.startsWith('train')) {
      throw new DataError(`${folder} has no ${usual} (or ${usual}.gz)`);
    }
    if (name !== undefined) paths[part] = join(folder, name);
  }
  return idxFiles(paths as IdxPaths, options);
}

async function readPair(
  imagesPath: string,
  labelsPath: string,
): Promise<LabelledPixels & { shape: ImageShape; labelBytes: Uint8Array }> {
  const [images, labels] = await Promise.all([read(imagesPath), read(labelsPath)]);
  const [count, height, width, channels = 1] = images.dims;
  if (images.dims.length < 3 || count * height * width === 0 || (channels !== 1 && channels !== 3)) {
    throw new DataError(
      `${imagesPath} does not hold images: count x height x width (x 1 or 3) is expected, found ${images.dims.join(' x ')}`,
    );
  }
  if (labels.dims.length !== 1) {
    throw new DataError(
      `${labelsPath} does not hold labels: one dimension is expected, found ${labels.dims.join(' x ')}`,
    );
  }
  if (labels.data.length !== count) {
    throw new DataError(`${imagesPath} holds ${count} images, but ${labelsPath} ${labels.data.length} labels`);
  }
  return {
    pixels: shared(images.data),
    labels: Int32Array.from(labels.data),
    labelBytes: labels.data,
    shape: [height, width, channels],
  };
}

async function read(path: string): Promise<IdxArray> {
  return parseIdx(await readUnpacked(path), path);
}
