/** A folder of images as a data set: each sub-folder is a class. Files are decoded when they are needed, on threads. */
import { join } from 'node:path';
import type { ImageShape, ResizeDetails, ResizeMode, SkippedFile, Splits } from '../dataset.ts';
import { DataError } from '../errors.ts';
import { stratifiedSplit } from '../split.ts';
import { checkDetails, loadSharp, targetShape } from './decode.ts';
import { groupCopies } from './duplicates.ts';
import { holdOut } from './memory-splits.ts';
import type { ClassFolder, FoundFile } from './scan.ts';
import { mustBeFolder, scanClasses, subfolders } from './scan.ts';
import type { FileSource } from './source.ts';
import { WorkerDataset } from './worker-dataset.ts';

export interface ImageFolderOptions extends ResizeDetails {
  /** Height and width in pixels; one number for a square. Default 224. */
  readonly size?: number | readonly [height: number, width: number];
  /** 3 for colour, 1 for grey. Default 3. */
  readonly channels?: 1 | 3;
  /** How pictures of another shape become one of `size`. Default `cover`. */
  readonly resize?: ResizeMode;
  /** The part of each class to hold out for validation, 0 ≤ x < 1. Default 0.2. Not used beside a `validation/` folder. */
  readonly validation?: number;
  /** The part of each class to hold out for a test. Default 0. Not used beside a `test/` folder. */
  readonly test?: number;
  /** Of the splits. Default 0. */
  readonly seed?: number;
}

/** Files of one part with their classes. */
interface Part {
  readonly root: string;
  readonly files: readonly FoundFile[];
  readonly labels: Int32Array;
  readonly skipped: readonly SkippedFile[];
  /** Equal for copies of one file; only where there is something to split. */
  readonly groups?: Int32Array | undefined;
}

/**
 * Reads JPEG, PNG, WebP, AVIF, GIF, TIFF and BMP files below `path`, whose sub-folders are the classes, sorted by
 * name, their files at any depth. If the folder has `train/` beside `validation/` (or `val/`, `valid/`) or `test/` and
 * nothing else, these are the splits, and what is missing is held out of `train/`. Splits are stratified and seeded,
 * and copies of one file stay together. Decoding is `decodeImage`'s. A file that turns out corrupt while it is read is
 * recorded in `skipped`, once, and replaced by another of its class.
 *
 * ```ts
 * const photos = await imageFolder('photos/', { size: 224, validation: 0.2, seed: 1 });
 * ```
 *
 * @throws DataError for a wrong path, a folder without class folders, fewer than two classes, a class folder without
 *   images, a part with classes that `train/` lacks, and impossible options
 */
export async function imageFolder(path: string, options: ImageFolderOptions = {}): Promise<Splits> {
  const shape = targetShape(options);
  const { resize = 'cover', seed = 0, crop, interpolation } = options;
  checkDetails(options);
  await mustBeFolder(path);
  await loadSharp();
  const folders = partFolders(await subfolders(path), await subfolders(join(path, 'train')).catch(() => []));
  const root = folders === undefined ? path : join(path, 'train');
  const scan = await scanClasses(root);
  const classes = scan.classes.map(({ name }) => name);
  if (classes.length < 2) {
    throw new DataError(`${root} has only one class, '${classes[0]}': at least two sub-folders are needed`);
  }
  const whole = partOf(root, scan.classes, classes, scan.skipped);
  const ownPart = async (name: string | undefined) =>
    name === undefined ? undefined : readPart(join(path, name), classes);
  const ownValidation = await ownPart(folders?.validation);
  const ownTest = await ownPart(folders?.test);

  const fractions = holdOut(options, ownTest !== undefined, ownValidation === undefined ? 0.2 : 0);
  const validation = ownValidation === undefined ? fractions.validation : 0;
  const groups = validation + fractions.test > 0 ? await groupCopies(root, whole.files) : undefined;
  const [rest, test] = cut({ ...whole, groups }, fractions.test, seed);
  const [train, held] = cut(rest, validation, seed + 1);

  const dataset = (name: string, part: Part) =>
    toDataset(`${path}/${name}`, part, { classes, shape, resize, crop, interpolation });
  const validationPart = ownValidation ?? (held.files.length > 0 ? held : undefined);
  const testPart = ownTest ?? (test.files.length > 0 ? test : undefined);
  return {
    classes,
    imageShape: shape,
    resize,
    crop,
    interpolation,
    train: dataset('train', train),
    ...(validationPart === undefined ? {} : { validation: dataset('validation', validationPart) }),
    ...(testPart === undefined ? {} : { test: dataset('test', testPart) }),
  };
}

/** The sub-folders that are splits, if the folder is laid out so: `train` with classes in it, and nothing else beside. */
function partFolders(names: readonly string[], inTrain: readonly string[]) {
  const validation = names.find((name) => ['validation', 'valid', 'val'].includes(name));
  const test = names.find((name) => name === 'test');
  const known = ['train', validation, test];
  if (inTrain.length === 0 || names.some((name) => !known.includes(name))) return undefined;
  return { validation, test };
}

async function readPart(root: string, classes: readonly string[]): Promise<Part> {
  const scan = await scanClasses(root);
  const unknown = scan.classes.find(({ name }) => !classes.includes(name));
  if (unknown !== undefined) {
    throw new DataError(`${join(root, unknown.name)} is a class that train/ lacks; it has ${classes.join(', ')}`);
  }
  return partOf(root, scan.classes, classes, scan.skipped);
}

function partOf(
  root: string,
  folders: readonly ClassFolder[],
  classes: readonly string[],
  skipped: readonly SkippedFile[],
): Part {
  const files = folders.flatMap((folder) => folder.files);
  const labels = Int32Array.from(folders.flatMap(({ name, files }) => files.map(() => classes.indexOf(name))));
  return { root, files, labels, skipped };
}

/** Splits a part in two; files that were skipped stay with the first. */
function cut(part: Part, fraction: number, seed: number): readonly [kept: Part, held: Part] {
  const { kept, held } = stratifiedSplit(part.labels, fraction, seed, part.groups);
  const choose = (indices: Int32Array, skipped: readonly SkippedFile[]): Part => ({
    root: part.root,
    files: Array.from(indices, (i) => part.files[i]),
    labels: indices.map((i) => part.labels[i]),
    groups: part.groups && Int32Array.from(indices, (i) => part.groups?.[i] ?? i),
    skipped,
  });
  return [choose(kept, part.skipped), choose(held, [])];
}

interface Wanted extends ResizeDetails {
  readonly classes: readonly string[];
  readonly shape: ImageShape;
  readonly resize: ResizeMode;
}

function toDataset(name: string, part: Part, wanted: Wanted) {
  const { root, files, labels, skipped } = part;
  const source: FileSource = {
    kind: 'files',
    root,
    paths: files.map(({ path }) => path),
    labels,
    ...wanted,
  };
  return new WorkerDataset(name, source, skipped);
}
