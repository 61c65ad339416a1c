/** Who may ask: bearer tokens, and pages of other origins. Both are off unless told: the server binds to loopback by default. */

import bearerAuth from '@fastify/bearer-auth';
import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import { ServeError } from './errors.ts';

export interface AccessOptions {
  /** Any of these opens the door; several let one be exchanged without a gap. Default: none is needed. */
  readonly tokens?: readonly string[];
  /** Origins whose pages may ask, or `*` for all. Default: none. */
  readonly origins?: readonly string[];
}

/** What tells nothing of models or pictures: probes, the page and the documents. */
const OPEN =
  /^\/($|assets\/|docs(\/|$)|openapi\.json$|health\/|v2\/health\/|[\w.-]+\.(html|js|css|svg|png|ico|woff2|webmanifest)$)/;

export async function guardAccess(app: FastifyInstance, { tokens = [], origins = [] }: AccessOptions): Promise<void> {
  if (origins.length > 0) {
    const all = origins.includes('*');
    await app.register(cors, {
      origin: all ? '*' : [...origins],
      methods: ['GET', 'POST'],
      allowedHeaders: ['content-type', 'authorization', 'x-request-id', 'inference-header-content-length'],
      exposedHeaders: ['retry-after', 'x-request-id', 'inference-header-content-length'],
      maxAge: 600,
    });
  }
  if (tokens.length === 0) return;
  await app.register(bearerAuth, { keys: new Set(tokens), addHook: false, verifyErrorLogLevel: 'debug' });
  const { verifyBearerAuth } = app;
  if (!verifyBearerAuth) throw new Error('internal: the plugin for bearer tokens is not there');
  app.addHook('onRequest', (request, reply, done) => {
    const [path = ''] = request.url.split('?');
    if (request.method === 'OPTIONS' || (request.method === 'GET' && OPEN.test(path))) return done();
    verifyBearerAuth(request, reply, (error) => {
      done(error ? new ServeError(401, 'authorization: a valid bearer token is needed') : undefined);
    });
  });
}
