/** The inference server: models, queue and routes put together, and taken down again without dropping what was accepted. */

import { randomUUID } from 'node:crypto';
import multipart from '@fastify/multipart';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyServerOptions, LogController } from 'fastify';
import { type AccessOptions, guardAccess } from './access.ts';
import { admitBodies, BodyBudget } from './admission.ts';
import { answerBrokenRequest, answerErrors } from './answer-errors.ts';
import { Batcher } from './batcher.ts';
import type { OpenClassifier } from './classifier.ts';
import { healthRoutes } from './health.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { Metrics } from './metrics.ts';
import { type ModelSource, ModelStore } from './model-store.ts';
import { documentRoutes, pageRoutes } from './page.ts';
import { Decoder } from './picture.ts';
import { classifyRoutes } from './protocols/classify.ts';
import { explainRoutes, type GradCam } from './protocols/explain.ts';
import { openInferenceRoutes } from './protocols/open-inference.ts';
import { tfServingRoutes } from './protocols/tf-serving.ts';
import type { Servable } from './servable.ts';
import type { Services } from './work.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** For metrics. */
    readonly protocol?: string;
    /** Not in the log unless it fails: probes come every second. */
    readonly quiet?: boolean;
  }
  interface FastifyRequest {
    /** The model that answers. */
    servable: Servable | undefined;
  }
}

export interface ServerOptions extends AccessOptions {
  readonly models: readonly ModelSource[];
  readonly open: OpenClassifier;
  readonly limits?: Partial<Limits>;
  /** Newest versions of a model that are served at once. Default 2. */
  readonly keep?: number;
  /** Seconds between two looks for new versions; 0 for never. Default 2. */
  readonly reload?: number;
  /** Seconds for which it still takes connections when it is closed, while it says that it is not ready. Default 0. */
  readonly linger?: number;
  /** Explains answers. Default: `:explain` is not offered. */
  readonly gradCam?: GradCam;
  /** PEM texts. Default: plain HTTP. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer };
  /** Fastify's logger: pino's options, or false. */
  readonly logger?: FastifyServerOptions['logger'];
}

export interface InferenceServer {
  /** To add routes of one's own, or to test without a network. */
  readonly app: FastifyInstance;
  readonly store: ModelStore;
  /** @returns where it listens, e.g. `http://127.0.0.1:8080` */
  listen(at: { readonly host: string; readonly port: number }): Promise<string>;
  /** Takes no new connections, answers what was accepted, and lets go of the models. */
  close(): Promise<void>;
}

/**
 * Loads the models and makes their server; it does not listen yet.
 *
 * @throws what opening a model throws
 */
export async function createServer(options: ServerOptions): Promise<InferenceServer> {
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const { reload = 2, keep = 2, linger = 0, gradCam, tls } = options;
  const app = makeApp(limits, options.logger ?? false, tls);
  const budget = new BodyBudget(limits.maxBodies);
  const batcher = new Batcher(limits);
  const metrics = new Metrics({
    queueLength: () => batcher.length,
    queueBound: limits.queue,
    bodyBytes: () => budget.bytes,
  });
  batcher.onBatch = (report) => metrics.batch(report);
  const store = new ModelStore({
    sources: options.models,
    open: options.open,
    maxBatch: limits.maxBatch,
    keep,
    onEvent(event) {
      const { name, version } = event.kind === 'failed' ? event : event.servable;
      metrics.loaded(name, version, event.kind);
      if (event.kind === 'failed') app.log.error({ model: name, version, err: event.error }, 'a version does not load');
      else app.log.info({ model: name, version }, `version ${event.kind}`);
    },
  });
  await store.start();
  const decoder = new Decoder(limits.decoders, limits.maxPixels);
  const services: Services = { store, batcher, decoder, metrics, limits };
  let draining = false;

  app.decorateRequest('servable', undefined);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    if (draining) reply.header('connection', 'close');
  });
  answerErrors(app);
  await guardAccess(app, options);
  admitBodies(app, budget, limits, metrics);
  tellOfRequests(app, metrics);
  await documentRoutes(app);
  tfServingRoutes(app, services);
  openInferenceRoutes(app, services);
  classifyRoutes(app, services);
  if (gradCam) explainRoutes(app, services, gradCam);
  healthRoutes(app, services, () => draining);
  await pageRoutes(app);
  await app.ready();

  const watcher = reload > 0 ? setInterval(() => store.refresh(), reload * 1000).unref() : undefined;
  let closing: Promise<void> | undefined;
  return {
    app,
    store,
    listen: ({ host, port }) => app.listen({ host, port }),
    close: () => {
      draining = true;
      closing ??= (async () => {
        clearInterval(watcher);
        await new Promise((resolve) => setTimeout(resolve, linger * 1000));
        await app.close();
        await store.close();
      })();
      return closing;
    },
  };
}

function makeApp(
  limits: Limits,
  logger: NonNullable<FastifyServerOptions['logger']>,
  tls: ServerOptions['tls'],
): FastifyInstance {
  const app = fastify({
    logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.maxBody,
    requestTimeout: limits.receiveTimeout * 1000,
    keepAliveTimeout: 30_000,
    forceCloseConnections: 'idle',
    // Those on open connections are still answered.
    return503OnClosing: false,
    requestIdHeader: false,
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given) ? given : randomUUID();
    },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error, _, reply) => {
      (reply as FastifyReply).code(error.statusCode ?? 400).send({ error: error.message });
    },
    ...(tls ? { https: { ...tls, ...timeouts(limits) } } : { http: timeouts(limits) }),
  } as FastifyServerOptions) as FastifyInstance;
  app.server.maxConnections = limits.connections;
  // Bodies stay bytes: each protocol reads its own, and TensorFlow Serving's clients often name no type or a wrong one.
  app.removeAllContentTypeParsers();
  app.register(multipart);
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  return app;
}

function timeouts({ receiveTimeout }: Limits) {
  return {
    headersTimeout: Math.min(10, receiveTimeout) * 1000,
    requestTimeout: receiveTimeout * 1000,
    connectionsCheckingInterval: Math.min(1000, receiveTimeout * 250),
  };
}

/** One line of log and one count for each request. */
function tellOfRequests(app: FastifyInstance, metrics: Metrics): void {
  app.addHook('onResponse', async (request, reply) => {
    const { protocol = 'other', quiet = false } = request.routeOptions.config;
    const { servable } = request;
    const { statusCode: status, elapsedTime: milliseconds } = reply;
    metrics.request(protocol, servable?.name ?? '', status, milliseconds / 1000);
    if (quiet && status < 400) return;
    const [path] = request.url.split('?');
    request.log.info(
      {
        method: request.method,
        path,
        status,
        milliseconds: Math.round(milliseconds * 10) / 10,
        model: servable?.name,
        version: servable?.version,
      },
      'request',
    );
  });
}
