/** Files that `residual export` wrote, read back: their bytes, and which format they are of. */

import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ExportFile, ExportFormat } from '../export/format.ts';
import { formats } from '../export/formats.ts';
import { CommandError } from './command.ts';

/** A file, or a folder with all that is in it. */
export async function readExport(path: string): Promise<ExportFile[]> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new CommandError(`there is no file ${path}`);
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
