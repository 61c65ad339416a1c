/** Brings one file of weights into the cache: whole and checked, or not at all.
 *  Broken connections are taken up where they broke; what is served must be what was announced and published. */

import { readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../../models/files.ts';
import { WeightsError } from '../errors.ts';
import { certainty, difference, type Expected, measure } from './checksum.ts';
import { type Answer, get } from './http-get.ts';
import { proxyNote, shownUrl, Transient } from './network-errors.ts';
import { FINISHED_NOTES, type Origin, Part } from './part.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** How far a download is. */
export interface DownloadProgress {
  /** Bytes that are there, those of earlier attempts included. */
  readonly received: number;
  /** Bytes of the whole file, where known. */
  readonly total: number | undefined;
  /** Why the last attempt ended, while the next one waits. */
  readonly retrying?: string;
}

/** Where a file lies, or will lie, inside the cache. */
export interface CachePlace {
  /** The cache's own folder. */
  readonly home: string;
  /** The file's folder in it; one name. */
  readonly key: string;
  /** The file's name. */
  readonly file: string;
}

export interface DownloadRequest extends CachePlace {
  readonly url: URL;
  /** For messages: the entry's name, or the URL. */
  readonly label: string;
  readonly expected: Expected;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Stops it; what has arrived is kept for the next time. */
  readonly signal?: AbortSignal | undefined;
  /** Attempts in a row that bring nothing new, before it is given up. Default 5. */
  readonly retries?: number | undefined;
  /** Milliseconds before the first retry; it doubles each time, up to 15 s. Default 500. */
  readonly backoff?: number | undefined;
  /** Milliseconds without a byte that end an attempt. Default 30,000. */
  readonly silence?: number | undefined;
  /** Names the proxies. Default: the process's own. */
  readonly env?: Environment | undefined;
}

/** However much each attempt brings, there is an end to it. */
const MOST_ATTEMPTS = 100;
const LONGEST_WAIT = 15_000;

/**
 * The path of a file in the cache, if it is there and whole: by its expected size and checksum, and by those that were
 * noted when it arrived. A file that was put there by hand is as good.
 *
 * @param options.quick the size alone is enough, where it is known
 *
 * @returns the path, `damaged` for a file that is not what it should be, or undefined
 */
export async function cached(
  { home, key, file }: CachePlace,
  expected: Expected,
  { signal, quick = false }: { readonly signal?: AbortSignal | undefined; readonly quick?: boolean } = {},
): Promise<{ readonly path: string } | { readonly damaged: string } | undefined> {
  const path = join(home, key, file);
  try {
    const found = await stat(path);
    if (!found.isFile()) return undefined;
    const noted = await notedFor(join(home, key));
    if (quick && found.size === (noted.size ?? expected.size)) return { path };
    const is = await measure(path, signal);
    const damage = difference(is, noted) ?? difference(is, expected);
    return damage === undefined ? { path } : { damaged: damage };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new WeightsError(`${path}: cannot be read (${code ?? (error as Error).message})`, { cause: error });
  }
}

async function notedFor(folder: string): Promise<Expected> {
  const text = await readFile(join(folder, FINISHED_NOTES), 'utf8').catch(() => 'null');
  try {
    const value = JSON.parse(text) as { size?: unknown; sha256?: unknown } | null;
    return {
      ...(typeof value?.size === 'number' ? { size: value.size } : {}),
      ...(typeof value?.sha256 === 'string' ? { sha256: value.sha256 } : {}),
    };
  } catch {
    return {};
  }
}

/**
 * Downloads a file into the cache and checks it.
 *
 * @returns its path
 * @throws WeightsError, in one line, for what a server refuses, a file that is not the published one, no network, a full
 *   disk; the signal's reason when it is aborted
 */
export async function download(request: DownloadRequest): Promise<string> {
  const { home, key, file, label, expected, signal } = request;
  signal?.throwIfAborted();
  const part = await Part.claim(home, key, file);
  let keep = true;
  try {
    const must = await complete(part, request);
    const is = await measure(part.file, signal);
    const damage = difference(is, must);
    if (damage !== undefined) {
      keep = false;
      throw new WeightsError(
        `${label}: ${request.url.host} serves another file than the published one: it ${damage}; it was thrown away`,
      );
    }
    const notes = {
      url: shownUrl(request.url),
      file,
      size: is.size,
      sha256: is.sha256,
      checked: certainty(expected) === 'none' ? certainty(must) : certainty(expected),
      date: new Date().toISOString(),
    };
    const target = join(home, key);
    await makeWay(target, { home, key, file }, expected);
    await part.publish(target, notes);
    return join(target, file);
  } catch (error) {
    await (keep ? part.release() : part.discard()).catch(() => {});
    throw signal?.aborted ? signal.reason : error;
  }
}

/** Removes a damaged file of an earlier time, or a folder without one; one that is whole stays, and wins. */
async function makeWay(target: string, place: CachePlace, expected: Expected): Promise<void> {
  const before = await cached(place, expected);
  if (before === undefined ? !(await exists(target)) : 'path' in before) return;
  const aside = `${target}.part-old-${process.pid}`;
  const moved = await rename(target, aside).then(
    () => true,
    () => false,
  );
  if (moved) await rm(aside, { recursive: true, force: true });
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Asks until the part is whole; returns what it must be, with what the server announced. */
async function complete(part: Part, request: DownloadRequest): Promise<Expected> {
  const { label, signal, retries = 5, backoff = 500, env = process.env } = request;
  let failures = 0;
  for (let attempt = 1; ; attempt++) {
    const before = part.received;
    try {
      return await once(part, request);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!(error instanceof Transient)) throw named(error, label);
      failures = part.received > before ? 1 : failures + 1;
      // Nothing was ever reached: that will not change within seconds.
      const hopeless = error.unreachable && part.received === 0 && failures > 1;
      if (failures > retries || attempt >= MOST_ATTEMPTS || hopeless) throw givenUp(error, request, attempt, env);
      const wait = error.wait ?? Math.min(LONGEST_WAIT, backoff * 2 ** (failures - 1)) * (0.75 + Math.random() / 2);
      request.onProgress?.({ received: part.received, total: part.origin?.size, retrying: error.message });
      await sleep(wait, undefined, signal ? { signal } : {}).catch(() => {
        throw signal?.reason;
      });
    }
  }
}

/** One request, from where the part ends. */
async function once(part: Part, request: DownloadRequest): Promise<Expected> {
  const { url, expected, signal, silence = 30_000, env = process.env, onProgress } = request;
  const shown = shownUrl(url);
  if (part.origin?.url !== shown || part.received > (part.origin.size ?? Number.POSITIVE_INFINITY)) {
    await part.restart(undefined);
  }
  const { origin, received } = part;
  if (origin?.size !== undefined && received === origin.size) return { size: origin.size, ...defined(expected) };
  const version = origin?.etag ?? origin?.lastModified;
  // Without a version, only a checksum can tell that the rest belongs to what is there.
  const goOn = received > 0 && (version !== undefined || expected.sha256 !== undefined || expected.md5 !== undefined);
  const headers = goOn
    ? { range: `bytes=${received}-`, ...(version === undefined ? {} : { 'if-range': version }) }
    : undefined;
  const answer = await get(url, { ...(headers && { headers }), signal, silence, env });
  try {
    checkStatus(answer, url);
    const must = { ...answer.announced, ...defined(expected) };
    const size = await prepare(part, answer, goOn, shown, must);
    onProgress?.({ received: part.received, total: size });
    for await (const chunk of answer.body) {
      if (part.received + chunk.length > (size ?? Number.POSITIVE_INFINITY)) {
        await part.restart(undefined);
        throw new WeightsError(`${url.host} sends more than the ${size?.toLocaleString('en-US')} bytes of the file`);
      }
      await part.append(chunk);
      onProgress?.({ received: part.received, total: size });
    }
    if (size !== undefined && part.received < size) throw new Transient('the connection ended early');
    if (part.received === 0) throw new WeightsError(`${url.host} sends an empty file`);
    return must;
  } finally {
    answer.close();
  }
}

/** Finds out what the body is: the rest of what is there, or the file from its beginning. */
async function prepare(
  part: Part,
  answer: Answer,
  asked: boolean,
  shown: string,
  must: Expected,
): Promise<number | undefined> {
  const { headers, status } = answer;
  const etag = headers.etag?.startsWith('"') ? headers.etag : undefined;
  if (asked && status === 206) {
    const [, first, last, whole] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? [];
    const size = part.origin?.size ?? must.size;
    const sameVersion = etag === undefined || part.origin?.etag === undefined || etag === part.origin.etag;
    const samePlace = Number(first) === part.received && Number(last) >= part.received;
    const sameSize = whole === '*' || size === undefined || Number(whole) === size;
    if (!samePlace || !sameVersion || !sameSize) {
      await part.restart(undefined);
      throw new Transient('the file changed on the server while it was fetched; beginning anew');
    }
    return size ?? (whole === undefined || whole === '*' ? undefined : Number(whole));
  }
  if (status === 416) {
    await part.restart(undefined);
    throw new Transient('the server has no such part of the file; beginning anew');
  }
  if (status !== 200)
    throw new WeightsError(`${answer.url.host} answers with status ${status}, which is not understood`);
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new WeightsError(`${answer.url.host} sends the file as ${encoding}, though asked for it as it is`);
  }
  const length = headers['content-length'];
  const size = length === undefined ? must.size : Number(length);
  if (must.size !== undefined && size !== must.size) {
    throw new WeightsError(
      `${answer.url.host} announces ${size?.toLocaleString('en-US')} bytes, the published file has ${must.size.toLocaleString('en-US')}`,
      { hint: 'a login page of the network, or a mirror with another file, may stand between' },
    );
  }
  const unknown = must.sha256 === undefined && must.md5 === undefined;
  if (unknown && /^text\/html\b/i.test(headers['content-type'] ?? '')) {
    throw new WeightsError(`${shown} is a web page, not a file of weights`, {
      hint: 'on huggingface.co and github.com, a file itself is at the address of its download button',
    });
  }
  const lastModified = headers['last-modified'];
  const origin: Origin = {
    url: shown,
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
    ...(size === undefined ? {} : { size }),
  };
  await part.restart(origin);
  return size;
}

const refusals: Readonly<Record<number, readonly [message: string, hint?: string]>> = {
  401: ['asks for a login', 'download it with your browser and name the file instead: --weights FILE'],
  403: ['refuses it', 'download it with your browser and name the file instead: --weights FILE'],
  404: ['does not have it', 'is the address right?'],
  407: ['cannot be asked: the proxy wants a login', 'HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT names it'],
  410: ['does not have it any more'],
  451: ['may not give it out'],
};

function checkStatus({ status, headers, url }: Answer, asked: URL): void {
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const seconds = Number(headers['retry-after']);
    const wait = Number.isFinite(seconds) && seconds >= 0 ? Math.min(60, seconds) * 1000 : undefined;
    throw new Transient(`${url.host} answers with status ${status}`, { wait });
  }
  if (status >= 400 && status !== 416) {
    const [reason, hint] = refusals[status] ?? ['refuses it'];
    throw new WeightsError(
      `${url.host} ${reason} (status ${status}): ${shownUrl(asked)}`,
      hint === undefined ? {} : { hint },
    );
  }
}

function defined(expected: Expected): Expected {
  return Object.fromEntries(Object.entries(expected).filter(([, value]) => value !== undefined));
}

function named(error: unknown, label: string): unknown {
  if (!(error instanceof WeightsError) || error.message.startsWith(label)) return error;
  return new WeightsError(`${label}: ${error.message}`, {
    cause: error,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

/** The proxies of the environment are honoured by Node's own http from 24.5 on. */
const knowsProxies = (() => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 5);
})();

function givenUp(error: Transient, request: DownloadRequest, attempts: number, env: Environment): WeightsError {
  const { url, label, home, key, file } = request;
  const proxy = proxyNote(url, env);
  const about = proxy === undefined ? '' : knowsProxies ? ` (${proxy})` : ` (${proxy}; Node honours it from 24.5 on)`;
  const place = `get ${shownUrl(url)} by other means, and put it at ${join(home, key, file)}`;
  if (error.unreachable) {
    return new WeightsError(`${label}: no network: ${error.message}${about}`, {
      cause: error,
      hint: `${place}, name the file itself (--weights FILE), or name a proxy (HTTPS_PROXY) or a mirror (RESIDUAL_WEIGHTS_MIRROR)`,
    });
  }
  const times = attempts === 1 ? '' : ` ${attempts} times, the last time since`;
  return new WeightsError(`${label}: the download from ${url.host} failed${times}: ${error.message}${about}`, {
    cause: error,
    hint: `what has arrived is kept: repeat the command to go on; or ${place}`,
  });
}
