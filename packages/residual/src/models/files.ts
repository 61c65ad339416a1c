/** Writing files so that each appears whole or not at all, whatever kills the process meanwhile.
 *  Node's modules are asked for at run time only: a page can import this library, it just cannot write files with it. */

import { ModelError, WriteError } from './errors.ts';

/** Node's file system, paths and checksums. */
export function node() {
  const get = globalThis.process?.getBuiltinModule;
  if (!get) throw new ModelError('reading and writing folders needs Node; in a page use model.save() and no directory');
  return { fs: get('node:fs'), path: get('node:path'), zlib: get('node:zlib') };
}

let asides = 0;
const ASIDE = /\.tmp-\d+-\d+$/;

/**
 * Writes `parts` one after the other, as they are made, into a file beside `file`, waits until the disk has them, and renames it to
 * `file`. A kill at any moment leaves the old file or the new one.
 *
 * @throws WriteError when that fails, e.g. for a full disk or a folder that may not be written; what making the
 *   parts throws, as it is. Either way the old file stays
 */
export async function writeAside(file: string, parts: Iterable<Uint8Array | string>): Promise<void> {
  const { fs, path } = node();
  const folder = path.dirname(file);
  const aside = `${file}.tmp-${process.pid}-${asides++}`;
  try {
    await fs.promises.mkdir(folder, { recursive: true });
    const handle = await fs.promises.open(aside, 'wx');
    try {
      for (const part of parts) await handle.writeFile(part);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.promises.rename(aside, file);
  } catch (error) {
    await fs.promises.rm(aside, { force: true }).catch(() => {});
    // What making the parts threw is not the disk's fault.
    throw codeOf(error) === undefined ? error : writeError(file, error);
  }
  await syncFolder(folder);
}

/** Removes what killed processes left beside their files. */
export async function removeAsides(folder: string): Promise<void> {
  const { fs, path } = node();
  const names = await fs.promises.readdir(folder).catch((): string[] => []);
  for (const name of names) {
    if (ASIDE.test(name)) await fs.promises.rm(path.join(folder, name), { force: true });
  }
}

/** A renamed file survives a power cut only once its folder is on the disk too. Windows cannot and need not. */
async function syncFolder(folder: string): Promise<void> {
  const { fs } = node();
  try {
    const handle = await fs.promises.open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    // The file itself is in place.
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on the disk',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'part of the path is a file, not a folder',
  EEXIST: 'part of the path is a file, not a folder',
  EISDIR: 'a folder of that name is in the way',
};

/** The one error for a file that could not be written. */
export function writeError(file: string, error: unknown): WriteError {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = (code && reasons[code]) ?? message;
  return new WriteError(`cannot write ${file}: ${reason}`, { cause: error, code });
}

/** The error code of the file system, e.g. `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
