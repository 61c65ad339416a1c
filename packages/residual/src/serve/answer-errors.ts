/** Every error as one JSON object, `{"error": …}`, which is the form of both public protocols. Our own faults are logged in
 *  full and told without details. */

import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { ServeError } from './errors.ts';

export function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof ServeError) {
      if (error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter);
      if (error.status === 401) reply.header('www-authenticate', 'Bearer');
      return reply.code(error.status).send({ error: error.message });
    }
    const { code = '', statusCode = 500, message } = error as Error & { code?: string; statusCode?: number };
    // Fastify's own, about a request that it could not read.
    if (statusCode >= 400 && statusCode < 500) {
      const large = code === 'FST_ERR_CTP_BODY_TOO_LARGE';
      return reply.code(statusCode).send({ error: large ? 'the body has more bytes than are allowed' : message });
    }
    if (request.raw.destroyed && !request.raw.complete) return reply.code(400).send({ error: 'the body was cut off' });
    request.log.error({ err: error }, 'a fault of the server');
    return reply.code(500).send({ error: `internal: a fault of the server; its log tells more of ${request.id}` });
  });
  app.setNotFoundHandler((request, reply) => {
    const [path] = request.url.split('?');
    return reply
      .code(404)
      .send({ error: `there is no ${request.method} ${path?.slice(0, 200)}; GET /openapi.json tells what there is` });
  });
}

const REASONS: Readonly<Record<string, readonly [status: string, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request did not arrive in time'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are too large'],
};

/** What Node's parser refuses never becomes a request: it is answered on the bare connection. */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.destroyed) {
    socket.destroy();
    return;
  }
  const [status, message] = REASONS[error.code ?? ''] ?? ['400 Bad Request', 'this is not a valid HTTP request'];
  const body = JSON.stringify({ error: message });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  setTimeout(() => socket.destroy(), 1000).unref();
}
