/** Whether the process works and whether to send it requests, for Kubernetes and the Open Inference Protocol; and metrics. */

import type { FastifyInstance } from 'fastify';
import { docs } from './protocols/docs.ts';
import type { Services } from './work.ts';

export function healthRoutes(
  app: FastifyInstance,
  { batcher, store, metrics }: Services,
  draining: () => boolean,
): void {
  const config = { protocol: 'health', quiet: true };
  const reasonNotReady = (): string | undefined => {
    if (draining()) return 'the server is going down';
    if (batcher.broken) return 'the engine fails';
    return store.names.every((name) => store.versions(name).length > 0) ? undefined : 'a model is not loaded';
  };
  for (const [path, key] of [
    ['/health', 'status'],
    ['/v2/health', undefined],
  ] as const) {
    app.get(`${path}/live`, { schema: docs.live, config }, (_, reply) => {
      const live = !batcher.broken;
      reply.code(live ? 200 : 503);
      return key ? { status: live ? 'live' : 'the engine fails' } : { live };
    });
    app.get(`${path}/ready`, { schema: docs.ready, config }, (_, reply) => {
      const reason = reasonNotReady();
      reply.code(reason === undefined ? 200 : 503);
      return key ? { status: reason ?? 'ready' } : { ready: reason === undefined };
    });
  }
  app.get('/metrics', { schema: docs.metrics, config }, async (_, reply) => {
    const text = await metrics.registry.metrics();
    return reply.type(metrics.registry.contentType).send(text);
  });
}
