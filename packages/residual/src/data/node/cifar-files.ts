/** Folders with the binary version of CIFAR-10 or CIFAR-100. */
import { join } from 'node:path';
import { CIFAR_SIZE, cifarCount, unpackCifar } from '../cifar.ts';
import type { Splits } from '../dataset.ts';
import { DataError } from '../errors.ts';
import { cifar10Classes, cifar100Classes } from '../names.ts';
import { namesIn, readBytes } from './files.ts';
import type { LabelledPixels, MemoryOptions } from './memory-splits.ts';
import { memorySplits } from './memory-splits.ts';

interface Layout {
  readonly name: string;
  readonly labelBytes: 1 | 2;
  readonly train: readonly string[];
  readonly test: string;
  /** A text file with a class name a line, used where it is there. */
  readonly namesFile: string;
  readonly classes: readonly string[];
  /** The Python version's file names, which people download by mistake. */
  readonly python: readonly string[];
}

const CIFAR10: Layout = {
  name: 'cifar10',
  labelBytes: 1,
  train: [1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`),
  test: 'test_batch.bin',
  namesFile: 'batches.meta.txt',
  classes: cifar10Classes,
  python: ['data_batch_1', 'test_batch'],
};

const CIFAR100: Layout = {
  name: 'cifar100',
  labelBytes: 2,
  train: ['train.bin'],
  test: 'test.bin',
  namesFile: 'fine_label_names.txt',
  classes: cifar100Classes,
  python: ['train', 'test', 'meta'],
};

/**
 * CIFAR-10 from a folder with `data_batch_1.bin` … `data_batch_5.bin` and `test_batch.bin`: 32×32 colour, 50,000 and
 * 10,000 images in 10 classes. A tenth of the training images is held out for validation unless `validation` says
 * otherwise.
 *
 * @throws DataError for files that are missing or truncated
 */
export function cifar10(folder: string, options: MemoryOptions = {}): Promise<Splits> {
  return readCifar(CIFAR10, folder, options);
}

/** CIFAR-100 with its 100 fine labels, from a folder with `train.bin` and `test.bin`; otherwise as `cifar10`. */
export function cifar100(folder: string, options: MemoryOptions = {}): Promise<Splits> {
  return readCifar(CIFAR100, folder, options);
}

/** Which CIFAR, if any, a folder's files look like. */
export function cifarReader(names: readonly string[]): typeof cifar10 | undefined {
  const has = (name: string) => names.includes(name);
  if (has('test_batch.bin') || CIFAR10.train.some(has) || CIFAR10.python.every(has)) return cifar10;
  if (has('train.bin') || has('test.bin')) return cifar100;
  // `train` and `test` alone are a folder of images.
  return CIFAR100.python.every(has) ? cifar100 : undefined;
}

async function readCifar(layout: Layout, folder: string, options: MemoryOptions): Promise<Splits> {
  const names = await namesIn(folder);
  const missing = [...layout.train, layout.test].filter((name) => !names.includes(name));
  if (missing.length > 0) {
    const hint = layout.python.every((name) => names.includes(name))
      ? ': this is the Python version, download the binary version'
      : '';
    throw new DataError(`${folder} lacks ${missing.join(', ')}${hint}`);
  }
  const train = await readBatches(layout, folder, layout.train);
  const test = await readBatches(layout, folder, [layout.test]);
  const classes = names.includes(layout.namesFile) ? await readNames(join(folder, layout.namesFile)) : layout.classes;
  return memorySplits(layout.name, classes, [CIFAR_SIZE, CIFAR_SIZE, 3], { train, test }, options);
}

async function readBatches(layout: Layout, folder: string, files: readonly string[]): Promise<LabelledPixels> {
  const batches = await Promise.all(
    files.map(async (file) => {
      const path = join(folder, file);
      const bytes = await readBytes(path);
      return { bytes, count: cifarCount(bytes, layout.labelBytes, path) };
    }),
  );
  const count = batches.reduce((sum, batch) => sum + batch.count, 0);
  const pixels = new Uint8Array(new SharedArrayBuffer(count * CIFAR_SIZE * CIFAR_SIZE * 3));
  const labels = new Int32Array(count);
  let first = 0;
  for (const batch of batches) {
    unpackCifar(batch.bytes, layout.labelBytes, first, pixels, labels);
    first += batch.count;
  }
  return { pixels, labels };
}

async function readNames(path: string): Promise<string[]> {
  const text = new TextDecoder().decode(await readBytes(path));
  return text.split(/\r?\n/).flatMap((line) => line.trim() || []);
}
