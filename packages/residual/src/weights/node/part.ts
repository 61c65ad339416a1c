/** A download that is not whole yet: a folder with the bytes so far and what must be known to go on with them.
 *  One process works in a folder at a time: it takes it over by renaming it, which only one can do. */

import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { codeOf } from '../../models/files.ts';
import { WeightsError } from '../errors.ts';

/** Which version of which file the bytes are of. */
export interface Origin {
  /** As asked for, before redirects; without secrets. */
  readonly url: string;
  /** Strong ones only. */
  readonly etag?: string;
  readonly lastModified?: string;
  /** Of the whole file, in bytes. */
  readonly size?: number;
}

/** Names that begin with a dot: no file of weights is called so. */
const NOTES = '.part.json';
export const FINISHED_NOTES = '.download.json';
/** A part that nobody has touched for so long belongs to nobody, whatever its name says. */
const STALE = 60 * 60 * 1000;

const host =
  hostname()
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(0, 40) || 'host';
const own = new Set<string>();
let parts = 0;

export class Part {
  private folder: string;
  private readonly home: string;
  private readonly key: string;
  private readonly name: string;
  private handle: FileHandle | undefined;
  /** Bytes that are there. */
  received: number;
  origin: Origin | undefined;

  private constructor(home: string, key: string, name: string, folder: string, received: number, origin?: Origin) {
    this.home = home;
    this.key = key;
    this.name = name;
    this.folder = folder;
    this.received = received;
    this.origin = origin;
  }

  /**
   * Takes over what an earlier download of `key` left, or begins anew.
   *
   * @throws WeightsError for a cache that cannot be written
   */
  static async claim(home: string, key: string, name: string): Promise<Part> {
    try {
      await mkdir(home, { recursive: true });
      const mine = `${key}.part-${host}-${process.pid}-${parts++}`;
      own.add(mine);
      const folder = join(home, mine);
      for (const left of await leftParts(home, key)) {
        const taken = await rename(join(home, left), folder).then(
          () => true,
          () => false, // another process was quicker
        );
        if (!taken) continue;
        const origin = await readOrigin(folder);
        const size = await stat(join(folder, name)).then(
          (one) => (one.isFile() ? one.size : 0),
          () => 0,
        );
        return new Part(home, key, name, folder, origin === undefined ? 0 : size, origin);
      }
      await mkdir(folder);
      return new Part(home, key, name, folder, 0);
    } catch (error) {
      throw cacheError(home, error);
    }
  }

  get file(): string {
    return join(this.folder, this.name);
  }

  /** Throws away what is there and notes what the bytes to come are of. */
  async restart(origin: Origin | undefined): Promise<void> {
    try {
      await this.close();
      await rm(this.file, { force: true });
      this.received = 0;
      this.origin = origin;
      if (origin === undefined) await rm(join(this.folder, NOTES), { force: true });
      else await writeFile(join(this.folder, NOTES), `${JSON.stringify(origin)}\n`);
    } catch (error) {
      throw cacheError(this.file, error);
    }
  }

  /** Adds bytes at the end. */
  async append(chunk: Uint8Array): Promise<void> {
    try {
      this.handle ??= await open(this.file, this.received === 0 ? 'w' : 'r+');
      for (let done = 0; done < chunk.length; ) {
        const { bytesWritten } = await this.handle.write(chunk, done, chunk.length - done, this.received);
        done += bytesWritten;
        this.received += bytesWritten;
      }
    } catch (error) {
      throw cacheError(this.file, error);
    }
  }

  /**
   * Makes the whole folder the finished one, in one step.
   *
   * @returns false where another process was there first
   */
  async publish(target: string, notes: object): Promise<boolean> {
    try {
      await this.handle?.sync();
      await this.close();
      await rm(join(this.folder, NOTES), { force: true });
      await writeFile(join(this.folder, FINISHED_NOTES), `${JSON.stringify(notes, null, 2)}\n`);
      await rename(this.folder, target);
      own.delete(this.folder.slice(this.home.length + 1));
      return true;
    } catch (error) {
      const there = await stat(target).catch(() => undefined);
      if (there === undefined) throw cacheError(target, error);
      await this.discard();
      return false;
    }
  }

  /** Leaves the bytes for the next attempt, by whichever process. */
  async release(): Promise<void> {
    await this.close();
    if (this.received === 0) return this.discard();
    // Where a part lies already, this one keeps its name, and is found by it once this process has ended.
    await rename(this.folder, join(this.home, `${this.key}.part`)).catch(() => {});
    own.delete(this.folder.slice(this.home.length + 1));
  }

  async discard(): Promise<void> {
    await this.close();
    await rm(this.folder, { recursive: true, force: true }).catch(() => {});
    own.delete(this.folder.slice(this.home.length + 1));
  }

  private async close(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    await handle?.close();
  }
}

/** Folders that earlier downloads left and that no process works in. */
async function leftParts(home: string, key: string): Promise<string[]> {
  const begin = `${key}.part`;
  const names = (await readdir(home)).filter((name) => name === begin || name.startsWith(`${begin}-`));
  const free = await Promise.all(names.map(async (name) => name === begin || (await abandoned(home, name, begin))));
  return names.filter((_, i) => free[i]);
}

async function abandoned(home: string, name: string, begin: string): Promise<boolean> {
  const [where, pid] = name.slice(begin.length + 1).split('-');
  if (where === host) {
    if (Number(pid) === process.pid) return !own.has(name);
    if (!isAlive(Number(pid))) return true;
  }
  const files = await readdir(join(home, name)).catch(() => []);
  const touched = await Promise.all(
    ['', ...files].map((file) =>
      stat(join(home, name, file)).then(
        (one) => one.mtimeMs,
        () => Date.now(),
      ),
    ),
  );
  return Date.now() - Math.max(...touched) > STALE;
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0); // asks only
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

async function readOrigin(folder: string): Promise<Origin | undefined> {
  try {
    const value = JSON.parse(await readFile(join(folder, NOTES), 'utf8')) as Partial<Origin> | null;
    if (typeof value?.url !== 'string') return undefined;
    return {
      url: value.url,
      ...(typeof value.etag === 'string' ? { etag: value.etag } : {}),
      ...(typeof value.lastModified === 'string' ? { lastModified: value.lastModified } : {}),
      ...(typeof value.size === 'number' ? { size: value.size } : {}),
    };
  } catch {
    return undefined; // cut off by a kill: begin anew
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on the disk',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be larger than is allowed',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'part of the path is a file, not a folder',
  EEXIST: 'part of the path is a file, not a folder',
};

/** The one error for a cache that cannot be written. */
export function cacheError(file: string, error: unknown): WeightsError {
  if (error instanceof WeightsError) return error;
  const code = codeOf(error) ?? '';
  const hint =
    code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG'
      ? 'what has arrived is kept: make room and repeat the command, or name another cache by XDG_CACHE_HOME'
      : 'XDG_CACHE_HOME names another place for the cache';
  return new WeightsError(`cannot write ${file}: ${reasons[code] ?? (error as Error).message}`, { cause: error, hint });
}
