/** The files of an export that is a folder, by their names within it, wherever the folder itself is. */

import { ModelError } from '../../models/errors.ts';
import { show } from '../../weights/reader.ts';
import type { ExportFile } from '../format.ts';

/** @returns undefined where none of the files, or more than one, has the name */
export function filesBeside(main: string, files: readonly ExportFile[]): Map<string, Uint8Array> | undefined {
  const found = files.filter(({ path }) => path === main || path.endsWith(`/${main}`));
  const [first] = found;
  if (!first || found.length > 1) return undefined;
  const folder = first.path.slice(0, first.path.length - main.length);
  const within = files.filter(({ path }) => path.startsWith(folder));
  return new Map(within.map(({ path, bytes }) => [path.slice(folder.length), bytes]));
}

/** @throws ModelError where it is missing */
export function fileIn(files: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const bytes = files.get(name);
  if (!bytes) throw new ModelError(`${show(name)} is missing beside the other files`);
  return bytes;
}
