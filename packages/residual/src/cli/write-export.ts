/** Puts the files of an export on the disk: a single file, or a folder that appears whole or not at all. */

import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportFile } from '../export/format.ts';
import { writeAside } from '../models/files.ts';
import { CommandError } from './command.ts';

/** What a folder of an export may hold: a folder with anything else is somebody's own, and stays. */
const OURS =
  /^(model\.json|group\d+-shard\d+of\d+\.bin|saved_model\.pb|fingerprint\.pb|variables\/.*|assets\/labels\.txt|assets\.extra\/residual\.json)$/;

/**
 * Writes into `out`. A folder is written beside its place and moved there when it is whole; one of an earlier export
 * goes then.
 *
 * @throws WriteError as `writeAside` does; CommandError where a folder that is no export is in the way
 */
export async function writeExport(out: string, files: readonly ExportFile[]): Promise<void> {
  const folders = new Set(files.map(({ path }) => path.split('/').slice(0, -1)[0]));
  const [folder] = folders;
  if (folder === undefined || folders.size > 1) {
    for (const { path, bytes } of files) await writeAside(join(out, path), [bytes]);
    return;
  }
  const target = join(out, folder);
  const stranger = await strangerIn(target);
  if (stranger !== undefined) {
    throw new CommandError(`cannot write ${target}: it holds ${stranger}, which is of no export`, 'name another --out');
  }
  const aside = `${target}.tmp-${process.pid}`;
  await rm(aside, { recursive: true, force: true });
  try {
    for (const { path, bytes } of files) await writeAside(join(aside, path.slice(folder.length + 1)), [bytes]);
    await rm(target, { recursive: true, force: true });
    await rename(aside, target);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    throw error;
  }
}

/** A file that no export wrote; undefined where there is none, or no folder. */
async function strangerIn(folder: string): Promise<string | undefined> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, '/').length).replaceAll('\\', '/'))
    .find((name) => !OURS.test(name));
}
