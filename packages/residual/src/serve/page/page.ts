/** The built page as the server gives it out: its files in memory, with the headers that keep it at its own origin.
 *  `packages/residual/page` has its sources; `npm run build:page` makes what lies in `dist/`. */

import { readdir, readFile } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';

export interface PageFile {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

const folder = join(import.meta.dirname, 'dist');

/** Nothing but the page's own files runs, and it talks to nobody but its own server; a chosen picture is a blob. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * The page's files by path: `/` is the page itself.
 *
 * @example for (const [path, { body, headers }] of await readPage()) app.get(path, () => new Response(body, { headers }));
 */
export async function readPage(): Promise<ReadonlyMap<string, PageFile>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(
      files.sort().map(async (file) => {
        const path = `/${file
          .slice(folder.length + 1)
          .split(sep)
          .join('/')}`;
        return [path === '/index.html' ? '/' : path, { body: await readFile(file), headers: headersOf(path) }] as const;
      }),
    ),
  );
}

function headersOf(path: string): PageFile['headers'] {
  return {
    'Content-Type': types[extname(path)] ?? 'application/octet-stream',
    // What is in assets/ bears a hash of its content in its name.
    'Cache-Control': path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    'Content-Security-Policy': policy,
    'Permissions-Policy': 'camera=(self), microphone=(), geolocation=()',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  };
}
