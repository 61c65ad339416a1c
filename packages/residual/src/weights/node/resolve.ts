/** From what a user typed for weights to a file on this machine: a name of the registry, a path, or a URL.
 *  What is downloaded once is used without a request afterwards. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WeightsError } from '../errors.ts';
import { weightsEntries } from '../registry/entries.ts';
import type { WeightsEntry } from '../registry/entry.ts';
import { findWeights, nearestWeights } from '../registry/find.ts';
import { entryKey, fileNameOf, weightsCache } from './cache-folder.ts';
import type { Expected } from './checksum.ts';
import { type CachePlace, cached, type DownloadProgress, download } from './download.ts';
import { shownUrl } from './network-errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface ResolveOptions {
  /** Called for each piece that arrives; may be called thousands of times. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Stops a download; what has arrived is kept, and the next call goes on from there. */
  readonly signal?: AbortSignal;
  /** Where downloads are kept. Default: `residual/weights` in the user's cache. */
  readonly cache?: string;
  /** Attempts in a row that bring nothing new, before a download is given up. Default 5. */
  readonly retries?: number;
  /** Milliseconds before the first retry; it doubles each time. Default 500. */
  readonly backoff?: number;
  /** Milliseconds of silence that end an attempt. Default 30,000. */
  readonly silence?: number;
  /**
   * Instead of the process's environment: `RESIDUAL_WEIGHTS_MIRROR`, `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`,
   * `XDG_CACHE_HOME`.
   */
  readonly env?: Environment;
}

export interface ResolvedWeights {
  /** A file, or the folder that the user named. */
  readonly path: string;
  /** What is known of it, where it came by name. */
  readonly entry?: WeightsEntry;
  readonly from: 'package' | 'cache' | 'download' | 'path';
}

/**
 * Finds weights, and downloads them if they are not on this machine yet.
 *
 * Names win over files: `./timm/a1` is a path. With `RESIDUAL_WEIGHTS_MIRROR=https://mirror/base`, what the registry has
 * at `https://HOST/PATH` is fetched from `https://mirror/base/HOST/PATH`. URLs are taken as they are.
 *
 * @param given a name of the registry (`torchvision`, `timm/a1`), a path, or an `https:` or `http:` URL
 * @throws WeightsError for an unknown name, a missing file, a download that fails or is not the published file; the
 *   signal's reason when it is aborted
 * @example const { path, entry } = await resolveWeights('timm/a1');
 */
export async function resolveWeights(given: string, options: ResolveOptions = {}): Promise<ResolvedWeights> {
  const entry = findWeights(given);
  if (entry !== undefined) return resolveEntry(entry, options);
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(given)) return resolveUrl(given, options);
  if (await stat(given).catch(() => undefined)) return { path: given, from: 'path' };
  const close = nearestWeights(given);
  const names = weightsEntries.map(({ name, aliases }) => aliases[0] ?? name).join(', ');
  throw new WeightsError(`there are no weights '${given}': it is no name, no file and no URL`, {
    hint: close === undefined ? `the names are ${names}` : `did you mean ${close}?`,
  });
}

/**
 * An entry's file that is on this machine already; undefined where it is not, or is damaged. Asks no network.
 *
 * @param options.quick only the size is compared, not the checksum. Default false
 */
export async function weightsOnDisk(
  entry: WeightsEntry,
  options: ResolveOptions & { readonly quick?: boolean } = {},
): Promise<string | undefined> {
  if (entry.url === undefined) return packagedFile(entry);
  const found = await cached(placeOf(entry, options), expectedOf(entry), options);
  return found !== undefined && 'path' in found ? found.path : undefined;
}

async function resolveEntry(entry: WeightsEntry, options: ResolveOptions): Promise<ResolvedWeights> {
  if (entry.url === undefined) {
    const path = packagedFile(entry);
    if (path !== undefined) return { path, entry, from: 'package' };
    throw new WeightsError(
      `${entry.name}: its file weights/${entry.file} is missing from this installation of residual`,
      {
        hint: 'it is part of the package from the version on that was published with it; other names: residual weights list',
      },
    );
  }
  const url = mirrored(new URL(entry.url), options.env ?? process.env);
  const path = await bring(url, entry.name, placeOf(entry, options), expectedOf(entry), options);
  return { ...path, entry };
}

async function resolveUrl(given: string, options: ResolveOptions): Promise<ResolvedWeights> {
  const url = URL.parse(given);
  if (url === null) throw new WeightsError(`'${given}' is no URL`);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new WeightsError(
      `weights are fetched by https: or http:, received ${url.protocol} (a file is named by its path)`,
    );
  }
  url.hash = '';
  // The query is part of which file it is, and may be a secret: it goes into the digest only.
  const digest = createHash('sha256').update(url.href).digest('hex').slice(0, 16);
  const place = { home: cacheOf(options), key: `url-${digest}`, file: fileNameOf(url) };
  return bring(url, shownUrl(url), place, {}, options);
}

async function bring(
  url: URL,
  label: string,
  place: CachePlace,
  expected: Expected,
  options: ResolveOptions,
): Promise<ResolvedWeights> {
  options.signal?.throwIfAborted();
  const found = await cached(place, expected, { signal: options.signal });
  if (found !== undefined && 'path' in found) return { path: found.path, from: 'cache' };
  const { onProgress, signal, retries, backoff, silence, env } = options;
  try {
    const path = await download({ ...place, url, label, expected, onProgress, signal, retries, backoff, silence, env });
    return { path, from: 'download' };
  } catch (error) {
    if (!(error instanceof WeightsError) || found === undefined) throw error;
    throw new WeightsError(`${error.message}; the file in the cache is damaged: it ${found.damaged}`, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

function cacheOf({ cache, env }: ResolveOptions): string {
  return cache ?? weightsCache(env ?? process.env);
}

function placeOf(entry: WeightsEntry, options: ResolveOptions): CachePlace {
  return { home: cacheOf(options), key: entryKey(entry), file: entry.file };
}

function expectedOf({ size, sha256, md5 }: WeightsEntry): Expected {
  return { size, sha256, md5 };
}

function mirrored(url: URL, env: Environment): URL {
  const base = env.RESIDUAL_WEIGHTS_MIRROR;
  if (base === undefined || base === '') return url;
  const mirror = URL.parse(base);
  if (mirror === null || (mirror.protocol !== 'https:' && mirror.protocol !== 'http:')) {
    throw new WeightsError(`RESIDUAL_WEIGHTS_MIRROR must be an https: or http: URL, received '${base}'`);
  }
  mirror.pathname = `${mirror.pathname.replace(/\/+$/, '')}/${url.host}${url.pathname}`;
  return mirror;
}

/** Searched upwards from this file, since sources and published build lie at different depths. */
function packagedFile({ file }: WeightsEntry): string | undefined {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const candidate = join(folder, 'weights', file);
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) return undefined;
  }
}
