/** Reading whole files and folders, with the errors of the file system turned into one clear line each. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, gunzip } from 'node:zlib';
import { DataError } from '../errors.ts';

/** @throws DataError that names the path */
export async function readBytes(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error) => Promise.reject(pathProblem(path, error)));
}

/**
 * A file's bytes, unpacked if they are gzip (by content, not by name). Of a file that was cut off it gives what there
 * is: the reader of the format knows what is missing.
 *
 * @throws DataError that names the path
 */
export async function readUnpacked(path: string): Promise<Uint8Array> {
  const bytes = await readBytes(path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await promisify(gunzip)(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    throw new DataError(`${path} is a damaged gzip file: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * The names in a folder, sorted by code unit, so that the order is the same on every machine.
 *
 * @throws DataError that names the path
 */
export async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch((error) => Promise.reject(pathProblem(folder, error)))).sort();
}

/** What is at a path, links followed; `nothing` where there is nothing or it may not be looked at. */
export async function kindOf(path: string): Promise<'file' | 'folder' | 'nothing'> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? 'nothing' : found.isDirectory() ? 'folder' : 'file';
}

/** What a failed file operation means for a user, or the error itself. */
export function pathProblem(path: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') return new DataError(`there is no file or folder ${path}`);
  if (code === 'ENOTDIR') return new DataError(`${path} is not a folder`);
  if (code === 'EISDIR') return new DataError(`${path} is a folder, not a file`);
  if (code === 'EACCES' || code === 'EPERM') return new DataError(`no permission to read ${path}`);
  return error;
}
