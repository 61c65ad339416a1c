/** A web server for one page and its files, with or without the headers that make a page cross-origin isolated. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a page needs to share memory between threads. */
export const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
} as const;

export interface Site {
  /** `http://127.0.0.1:PORT`: a secure context. */
  readonly origin: string;
  close(): Promise<void>;
}

export type Files = Readonly<Record<string, string | Uint8Array>>;

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  png: 'image/png',
  jpg: 'image/jpeg',
};

/** Serves `files` by path (`/index.html` also as `/`) on a free port of this machine, or on `port`. */
export async function serve(files: Files, isolated: boolean, port = 0): Promise<Site> {
  const server = createServer(({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    const path = pathname === '/' ? '/index.html' : pathname;
    const file = files[path];
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
    response.writeHead(200, { 'Content-Type': type, ...(isolated ? ISOLATION : {}) }).end(file);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
