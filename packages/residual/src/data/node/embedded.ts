/** The data set that comes with the package: a class-balanced part of Fashion-MNIST (data/fashion-mnist/README.md). */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Splits } from '../dataset.ts';
import { DataError } from '../errors.ts';
import { fashionMnistClasses } from '../names.ts';
import { mnist } from './idx-files.ts';
import type { MemoryOptions } from './memory-splits.ts';

const FOLDER = join('data', 'fashion-mnist');

/**
 * 12,000 training and 2,000 test images of Fashion-MNIST, 28×28 grey, 10 classes of clothes. A tenth of the training
 * images is held out for validation unless `validation` says otherwise.
 */
export async function fashionMnist(options: MemoryOptions = {}): Promise<Splits> {
  return mnist(embeddedFolder(), { ...options, name: 'fashion-mnist', classes: fashionMnistClasses });
}

/** Searched upwards from this file, since sources and published build lie at different depths. */
function embeddedFolder(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const candidate = join(folder, FOLDER);
    if (existsSync(join(candidate, 'train-images-idx3-ubyte.gz'))) return candidate;
    if (dirname(folder) === folder) {
      throw new DataError(`the embedded data set is missing: no ${FOLDER} above ${import.meta.dirname}`);
    }
  }
}
