/** Files that `residual export` wrote, read back: their bytes, and which format they are of. */

import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ExportFile, ExportFormat } from '../export/format.ts';
import { formats } from '../export/formats.ts';
import { CommandError } from './command.ts';

/** The file of a folder by which it may be named as well. */
const MAINS = ['model.json', 'saved_model.pb'];
/** Beside the model of a run, and of no export. */
const RUN = 'residual.json';

/** Whether a path is a file of `residual export`, or a folder of such files, and not a run. */
export async function isExport(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return false;
  const folder = found.isDirectory() ? path : MAINS.includes(basename(path)) ? dirname(path) : undefined;
  if (folder === undefined) return true;
  const names = await readdir(folder);
  return MAINS.some((name) => names.includes(name)) && !names.includes(RUN);
}

/** A file, or a folder with all that is in it; the folder also by the name of its main file. */
export async function readExport(path: string): Promise<ExportFile[]> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new CommandError(`there is no file ${path}`);
  if (found.isFile() && MAINS.includes(basename(path))) return readExport(dirname(path));
  if (!found.isDirectory()) return [{ path: basename(path), bytes: await readFile(path) }];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    names.sort().map(async (name) => ({ path: name.slice(join(path, '/').length), bytes: await readFile(name) })),
  );
}

/** @throws CommandError for files of no format */
export function formatOf(files: readonly ExportFile[], path: string): ExportFormat {
  const format = formats.find((one) => one.recognises(files));
  if (format) return format;
  const titles = formats.map(({ title }) => title).join(', ');
  throw new CommandError(`${path} is of no format that residual export writes`, `those are ${titles}`);
}
