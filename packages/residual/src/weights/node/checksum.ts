/** Whether a file is the one that it should be: its size and its checksums, as far as anyone states them.
 *  Read as a stream; a file of 100 MB takes a tenth of a second. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** What a file must be. Absent: not known. */
export interface Expected {
  /** In bytes. */
  readonly size?: number | undefined;
  /** Hexadecimal, whole or its first digits. */
  readonly sha256?: string | undefined;
  readonly md5?: string | undefined;
}

/** What a file is. */
export interface Measured {
  readonly size: number;
  readonly sha256: string;
  readonly md5: string;
}

export async function measure(file: string, signal?: AbortSignal): Promise<Measured> {
  const sha256 = createHash('sha256');
  const md5 = createHash('md5');
  let size = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20, ...(signal && { signal }) })) {
    sha256.update(chunk);
    md5.update(chunk);
    size += (chunk as Uint8Array).length;
  }
  return { size, sha256: sha256.digest('hex'), md5: md5.digest('hex') };
}

/** The first way in which a file is not what it must be, e.g. `has 12 bytes, must have 46,830,571`. */
export function difference(is: Measured, must: Expected): string | undefined {
  if (must.size !== undefined && is.size !== must.size) {
    return `has ${is.size.toLocaleString('en-US')} bytes, must have ${must.size.toLocaleString('en-US')}`;
  }
  const sha256 = must.sha256?.toLowerCase();
  if (sha256 !== undefined && !is.sha256.startsWith(sha256)) {
    return `has the SHA-256 ${is.sha256.slice(0, Math.max(8, Math.min(16, sha256.length)))}…, must have ${sha256.slice(0, 16)}…`;
  }
  if (must.md5 !== undefined && is.md5 !== must.md5.toLowerCase())
    return `has the MD5 ${is.md5}, must have ${must.md5}`;
  return undefined;
}

/** How far a file that shows no difference is known to be the right one. */
export function certainty(must: Expected): 'sha256' | 'sha256 prefix' | 'md5' | 'size' | 'none' {
  if (must.sha256 !== undefined) return must.sha256.length === 64 ? 'sha256' : 'sha256 prefix';
  if (must.md5 !== undefined) return 'md5';
  return must.size === undefined ? 'none' : 'size';
}
