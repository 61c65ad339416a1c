/** Which files are copies of each other, byte for byte, so that a split can keep them on one side.
 *  A copy in both training and validation makes validation look better than it is. */
import { createHash } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FoundFile } from './scan.ts';

const HEAD_BYTES = 4096;
const AT_ONCE = 16;

/**
 * A number per file, the same for copies (the index of the first of them). Cheap: only files of equal length are
 * opened, and only those whose first 4 KiB agree are read whole. A file that cannot be read is a group of its own.
 */
export async function groupCopies(root: string, files: readonly FoundFile[]): Promise<Int32Array> {
  const groups = Int32Array.from(files.keys());
  const bySize = partition([...groups], (i) => files[i].bytes);
  const byHead = await partitionBy(
    bySize.flat(),
    async (i) => `${files[i].bytes} ${await digestOf(root, files[i], true)}`,
  );
  for (const copies of await partitionBy(byHead.flat(), (i) => digestOf(root, files[i], false))) {
    for (const index of copies) groups[index] = copies[0];
  }
  return groups;
}

/** Hex SHA-256 of a file or its head; its own path where it cannot be read. */
async function digestOf(root: string, file: FoundFile, headOnly: boolean): Promise<string> {
  try {
    const path = join(root, file.path);
    const bytes = headOnly ? await headOf(path) : await readFile(path);
    return createHash('sha256').update(bytes).digest('hex');
  } catch {
    return file.path;
  }
}

async function headOf(path: string): Promise<Uint8Array> {
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function partitionBy(items: readonly number[], keyOf: (item: number) => Promise<string>): Promise<number[][]> {
  const keys = new Map<number, string>();
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const item = items[next++];
      keys.set(item, await keyOf(item));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return partition(items, (item) => keys.get(item));
}

/** Items that share a key with another, together and in order. */
function partition<K>(items: readonly number[], keyOf: (item: number) => K): number[][] {
  const parts = new Map<K, number[]>();
  for (const item of items) {
    const part = parts.get(keyOf(item));
    if (part === undefined) parts.set(keyOf(item), [item]);
    else part.push(item);
  }
  return [...parts.values()].filter((part) => part.length > 1);
}
