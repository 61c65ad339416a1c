/** Who may send a body, and how much all together: decided from the headers, before a byte of it is kept. */

import type { FastifyInstance } from 'fastify';
import { overloaded, ServeError } from './errors.ts';
import type { Limits } from './limits.ts';
import type { Metrics } from './metrics.ts';

/** The bytes that are set aside for requests under way. */
export class BodyBudget {
  private readonly most: number;
  private taken = 0;

  constructor(most: number) {
    this.most = most;
  }

  get bytes(): number {
    return this.taken;
  }

  /** Sets bytes aside and gives a function that frees them, or undefined where there are not as many left. */
  take(bytes: number): (() => void) | undefined {
    if (this.taken + bytes > this.most) return undefined;
    this.taken += bytes;
    return () => {
      this.taken -= bytes;
    };
  }
}

export function admitBodies(app: FastifyInstance, budget: BodyBudget, limits: Limits, metrics: Metrics): void {
  app.addHook('onRequest', async (request, reply) => {
    const { headers, method } = request;
    if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return;
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      throw new ServeError(
        415,
        `content-encoding: must be identity, received ${JSON.stringify(encoding.slice(0, 40))}`,
      );
    }
    const known = headers['content-length'];
    const bytes = known === undefined ? limits.maxBody : Number(known);
    if (bytes > limits.maxBody) {
      throw new ServeError(413, `the body may have ${limits.maxBody} bytes at most, received ${bytes}`);
    }
    const free = budget.take(bytes);
    if (!free) {
      metrics.refusal('bodies');
      throw overloaded('too many requests are being received; try again later', 1);
    }
    reply.raw.once('close', free);
  });
}
