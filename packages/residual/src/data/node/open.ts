/** One door for every data set: recognises what a path holds and calls its reader. */
import { join } from 'node:path';
import type { ResizeDetails, ResizeMode, Splits } from '../dataset.ts';
import { DataError } from '../errors.ts';
import { cifarReader } from './cifar-files.ts';
import { fashionMnist } from './embedded.ts';
import { kindOf, namesIn } from './files.ts';
import { looksLikeMnist, mnist } from './idx-files.ts';
import { imageFolder } from './image-folder.ts';

export interface OpenOptions extends ResizeDetails {
  /** Default: as stored for sets of one size, 224 for a folder of images. */
  readonly size?: number | readonly [height: number, width: number];
  /** Default: as stored, or 3. */
  readonly channels?: 1 | 3;
  /** Default `cover`. */
  readonly resize?: ResizeMode;
  /** Default 0.2 for a folder of images, 0.1 for the others. */
  readonly validation?: number;
  /** Where the set has no test images of its own. Default 0. */
  readonly test?: number;
  /** Of the splits. Default 0. */
  readonly seed?: number;
}

const CHOICES =
  "'fashion-mnist' (embedded), a folder of images with a sub-folder for each class, a folder with the idx files of the MNIST family, or a folder with CIFAR's binary batches";

/** Folder names inside the archives that CIFAR is distributed as. */
const CIFAR_FOLDERS = ['cifar-10-batches-bin', 'cifar-100-binary', 'cifar-10-batches-py', 'cifar-100-python'];

/**
 * Opens a data set by name or path.
 *
 * @param spec `fashion-mnist` for the embedded set (`./fashion-mnist` is a folder of that name), or a folder
 * @throws DataError that lists the choices where the path is wrong, or as the set's reader does
 */
export async function openData(spec: string, options: OpenOptions = {}): Promise<Splits> {
  if (spec === 'fashion-mnist') return fashionMnist(options);
  const kind = await kindOf(spec);
  if (kind === 'nothing') throw new DataError(`there is no data at ${spec}: it may be ${CHOICES}`);
  if (kind === 'file') throw new DataError(`${spec} is a file: the data may be ${CHOICES}`);
  const names = await namesIn(spec);
  if (looksLikeMnist(names)) return mnist(spec, options);
  const cifar = cifarReader(names);
  if (cifar !== undefined) return cifar(spec, options);
  const [inside] = CIFAR_FOLDERS.filter((name) => names.includes(name));
  if (inside !== undefined) return openData(join(spec, inside), options);
  if (names.length === 0) throw new DataError(`the folder ${spec} is empty: the data may be ${CHOICES}`);
  return imageFolder(spec, options);
}
