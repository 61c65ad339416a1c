/** What a folder of images holds: classes from its sub-folders, and their files, in an order that depends on the names
 *  alone. Nothing is decoded here; only empty files and formats that cannot be read are sorted out. */
import { lstat, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { SkippedFile } from '../dataset.ts';
import { DataError } from '../errors.ts';
import { kindOf, namesIn } from './files.ts';

export interface FoundFile {
  /** Relative to the scanned folder. */
  readonly path: string;
  readonly bytes: number;
}

export interface ClassFolder {
  readonly name: string;
  readonly files: readonly FoundFile[];
}

export interface ScanOptions {
  /** Only these sub-folders, in this order. Default: all, sorted. */
  readonly classes?: readonly string[] | undefined;
  /** Whether linked folders inside a class folder are looked into. Default true. */
  readonly followLinks?: boolean;
}

export interface Scan {
  readonly classes: readonly ClassFolder[];
  readonly skipped: readonly SkippedFile[];
}

/** Extensions of the formats that are read; the content decides what a file really is. */
const READABLE = new Set('.jpg .jpeg .jpe .jfif .png .webp .avif .gif .tif .tiff .bmp .dib'.split(' '));
/** Images all the same, which a user would miss if nobody mentioned them. */
const UNREADABLE = new Set('.heic .heif .jp2 .jxl .psd .svg .ico .ppm .pgm .dng .cr2 .nef .arw'.split(' '));

/**
 * The classes of a folder: its sub-folders, sorted; their images at any depth, sorted by path. Hidden files, files
 * that are no images, and macOS's and Windows's litter are passed over.
 *
 * @throws DataError for a path that is not a folder, a folder without class folders, a wanted class that is not there,
 *   and a class without images
 */
export async function scanClasses(root: string, options: ScanOptions = {}): Promise<Scan> {
  await mustBeFolder(root);
  const skipped: SkippedFile[] = [];
  const entries = await listed(root);
  const folders = entries.flatMap(({ name, kind }) => (kind === 'folder' ? name : []));
  const missing = options.classes?.find((name) => !folders.includes(name));
  if (missing !== undefined) {
    throw new DataError(`${root} has no class folder '${missing}'; there are ${folders.join(', ') || 'none'}`);
  }
  const wanted = options.classes ?? folders;
  const classes: ClassFolder[] = [];
  for (const { name, kind } of entries) {
    if (kind === 'folder' && wanted.includes(name)) {
      classes.push({ name, files: await filesBelow(root, name, skipped, options.followLinks ?? true) });
    } else if (kind !== 'folder' && isImageName(name)) {
      skipped.push({ path: join(root, name), reason: 'not in a class folder' });
    }
  }
  classes.sort((a, b) => wanted.indexOf(a.name) - wanted.indexOf(b.name));
  if (classes.length === 0) {
    const found = skipped.length === 0 ? 'no images either' : `${skipped.length} image(s) directly in it`;
    throw new DataError(
      `${root} has no class folders (found ${found}): put each class's images in a sub-folder of its own`,
    );
  }
  const empty = classes.find(({ files }) => files.length === 0);
  if (empty !== undefined) {
    const folder = join(root, empty.name);
    const unusable = skipped.filter(({ path }) => path.startsWith(join(folder, '/')));
    const why = unusable.length === 0 ? '' : ` (${unusable.length} unusable file(s): ${unusable[0].reason})`;
    throw new DataError(`the class folder ${folder} holds no images${why}: fill it or remove it`);
  }
  return { classes, skipped };
}

/** @throws DataError for anything that is not a folder */
export async function mustBeFolder(path: string): Promise<void> {
  const kind = await kindOf(path);
  if (kind === 'nothing') throw new DataError(`there is no folder ${path}`);
  if (kind === 'file') throw new DataError(`${path} is a file; a folder with a sub-folder for each class is expected`);
}

/** The names of a folder's visible sub-folders, sorted. */
export async function subfolders(path: string): Promise<string[]> {
  return (await listed(path)).flatMap(({ name, kind }) => (kind === 'folder' ? name : []));
}

async function filesBelow(
  root: string,
  folder: string,
  skipped: SkippedFile[],
  followLinks: boolean,
  ancestors: readonly string[] = [],
): Promise<FoundFile[]> {
  const real = await realpath(join(root, folder));
  if (ancestors.includes(real)) return []; // a link back to where we came from
  const found: FoundFile[] = [];
  for (const { name, kind, bytes } of await listed(join(root, folder))) {
    const path = join(folder, name);
    if (kind === 'folder') {
      if (!followLinks && (await lstat(join(root, path))).isSymbolicLink()) {
        skipped.push({ path: join(root, path), reason: 'a linked folder, and followLinks is off' });
        continue;
      }
      for (const file of await filesBelow(root, path, skipped, followLinks, [...ancestors, real])) found.push(file);
    } else if (isReadable(name)) {
      if (bytes > 0) found.push({ path, bytes });
      else skipped.push({ path: join(root, path), reason: kind === 'file' ? 'empty file' : kind });
    } else if (isImageName(name)) {
      skipped.push({
        path: join(root, path),
        reason: `${extname(name)} images cannot be read: convert them to JPEG or PNG`,
      });
    }
  }
  return found;
}

interface Listed {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'broken link';
  readonly bytes: number;
}

/** Sorted by code unit, links followed, hidden names and `__MACOSX` left out. */
async function listed(folder: string): Promise<Listed[]> {
  const names = (await namesIn(folder)).filter((name) => !name.startsWith('.') && name !== '__MACOSX');
  return Promise.all(
    names.map(async (name) => {
      const found = await stat(join(folder, name)).catch(() => undefined);
      if (found === undefined) return { name, kind: 'broken link', bytes: 0 };
      return { name, kind: found.isDirectory() ? 'folder' : 'file', bytes: found.size };
    }),
  );
}

/** Whether a file's name is one of a format that is read. */
export function isReadable(name: string): boolean {
  return READABLE.has(extname(name).toLowerCase());
}

function isImageName(name: string): boolean {
  return isReadable(name) || UNREADABLE.has(extname(name).toLowerCase());
}
