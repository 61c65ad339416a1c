/** The page at `/` and the API's documentation at `/docs`. Everything that they show comes from this server: no request goes
 *  to another origin, and their policy says so to the browser. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { version } from './about.ts';
import { pageHeaders } from './page/policy.ts';

/** The page as it was built. */
const FOLDER = fileURLToPath(new URL('./page/dist', import.meta.url));

/** Of the documentation, whose library writes styles of its own. */
const POLICY =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " +
  "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

export async function documentRoutes(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Residual inference server',
        version,
        description:
          'Classifies pictures. Preprocessing comes with the model: send pictures as they are. Speaks TensorFlow ' +
          "Serving's REST protocol, the Open Inference Protocol v2, and plain pictures.",
      },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    },
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    // By default it asks a server of Swagger's to validate the document.
    uiConfig: { validatorUrl: null },
    staticCSP: POLICY,
  });
  app.get('/openapi.json', { schema: { hide: true }, config: { protocol: 'page' } }, () => app.swagger());
}

export async function pageRoutes(app: FastifyInstance, folder = FOLDER): Promise<void> {
  if (!existsSync(folder)) {
    app.get('/', { schema: { hide: true }, config: { protocol: 'page' } }, (_, reply) => reply.redirect('/docs'));
    return;
  }
  await app.register(fastifyStatic, {
    root: folder,
    wildcard: false,
    schemaHide: true,
    setHeaders(reply, path) {
      for (const [name, value] of Object.entries(pageHeaders)) reply.header(name.toLowerCase(), value);
      // Vite names assets by their content.
      if (path.includes('/assets/')) reply.header('cache-control', 'public, max-age=31536000, immutable');
    },
  });
}
