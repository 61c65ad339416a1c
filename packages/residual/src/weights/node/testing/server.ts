/** For tests: an HTTP server on this machine that serves one file in the ways in which servers fail.
 *  Not part of the program. */

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Measured } from '../checksum.ts';

/** Bytes that look like nothing, the same each time. */
export function noise(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state & 255;
  });
}

export function expectedOf(bytes: Uint8Array): Measured {
  const digest = (name: string) => createHash(name).update(bytes).digest('hex');
  return { size: bytes.length, sha256: digest('sha256'), md5: digest('md5') };
}

/** Answers one request; `count` says how many came before. */
export type Behaviour = (request: IncomingMessage, response: ServerResponse, count: number) => void;

export interface TestServer {
  /** E.g. `http://127.0.0.1:12345`. */
  readonly origin: string;
  /** The requests so far: path and, where one was asked for, the range. */
  readonly log: string[];
  close(): Promise<void>;
}

export async function serve(behaviour: Behaviour): Promise<TestServer> {
  const log: string[] = [];
  const server = createServer((request, response) => {
    const { range } = request.headers;
    log.push(range === undefined ? `${request.url}` : `${request.url} ${range}`);
    behaviour(request, response, log.length - 1);
  });
  return { ...(await listen(server)), log };
}

async function listen(server: Server): Promise<Omit<TestServer, 'log'>> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export interface FileOptions {
  readonly etag?: string;
  readonly lastModified?: string;
  /** The connection breaks after so many bytes of the body. */
  readonly breakAfter?: number;
  /** What the head says of the length, whatever comes. */
  readonly length?: number;
  readonly ignoreRange?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Serves a file as a good server does: ranges, If-Range, 416; with the given faults. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
  options: FileOptions = {},
): void {
  const { etag, lastModified, breakAfter, ignoreRange = false, headers = {} } = options;
  const head: Record<string, string | number> = {
    'content-type': 'application/octet-stream',
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { 'last-modified': lastModified }),
    ...headers,
  };
  const condition = request.headers['if-range'];
  const same = condition === undefined || condition === etag || condition === lastModified;
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  let start = 0;
  if (asked !== null && same && !ignoreRange) {
    start = Number(asked[1]);
    if (start >= bytes.length) {
      response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
      return;
    }
    head['content-range'] = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  }
  const body = bytes.subarray(start);
  head['content-length'] = options.length ?? body.length;
  response.writeHead(head['content-range'] === undefined ? 200 : 206, head);
  if (breakAfter === undefined) {
    response.end(body);
    return;
  }
  response.write(body.subarray(0, breakAfter), () => response.destroy());
}

/** A proxy for HTTP: absolute addresses and CONNECT. Its log says what went through. */
export async function serveProxy(): Promise<TestServer> {
  const log: string[] = [];
  const server = createServer(async (request, response) => {
    log.push(`${request.method} ${request.url}`);
    const upstream = await fetch(`${request.url}`);
    response.writeHead(upstream.status, { 'content-type': 'application/octet-stream' });
    response.end(new Uint8Array(await upstream.arrayBuffer()));
  });
  server.on('connect', (request, client: Socket) => {
    log.push(`CONNECT ${request.url}`);
    const { hostname, port } = new URL(`http://${request.url}`);
    const upstream = connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
  });
  return { ...(await listen(server)), log };
}
