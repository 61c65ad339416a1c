/** A file on disk as a source of bytes: only the ranges that are asked for are read. */

import { open } from 'node:fs/promises';
import { WeightsError } from '../errors.ts';
import { type ByteSource, checkRange } from '../source.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
};

/**
 * Opens a file for reading.
 *
 * @throws WeightsError where it cannot be opened, or is no regular file
 */
export async function fileSource(path: string): Promise<ByteSource> {
  const fail = (error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    return new WeightsError(`${path}: ${(code && reasons[code]) ?? message}`, { cause: error });
  };
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw fail(error);
  });
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    throw new WeightsError(`${path}: ${stat.isDirectory() ? 'is a folder' : 'is no regular file'}`);
  }
  const { size } = stat;
  return {
    name: path,
    size,
    async read(offset, length) {
      checkRange({ name: path, size }, offset, length);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await handle.read(bytes, done, length - done, offset + done).catch((error: unknown) => {
          throw fail(error);
        });
        if (bytesRead === 0) throw new WeightsError(`${path}: became shorter while it was read`);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}
