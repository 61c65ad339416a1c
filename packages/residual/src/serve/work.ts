/** One request's work: its pictures take places in the queue, are decoded, batched, and classified, as long as somebody
 *  waits for the answer. All protocols come through here. */

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Batcher } from './batcher.ts';
import { overloaded, ServeError } from './errors.ts';
import type { Limits } from './limits.ts';
import type { Metrics } from './metrics.ts';
import type { ModelStore } from './model-store.ts';
import type { Decoder, SentPicture } from './picture.ts';
import type { Servable } from './servable.ts';

/** What the routes are given. */
export interface Services {
  readonly store: ModelStore;
  readonly batcher: Batcher;
  readonly decoder: Decoder;
  readonly metrics: Metrics;
  readonly limits: Limits;
}

/** Probabilities of one picture, or why there are none. */
export type Outcome = { readonly row: ArrayLike<number> } | { readonly error: unknown };

/** A request's time and its client: aborted when either is gone. */
export function signalOf(request: FastifyRequest, reply: FastifyReply, { limits, metrics }: Services): AbortSignal {
  const controller = new AbortController();
  const timer = setTimeout(
    () => {
      metrics.refusal('timeout');
      controller.abort(overloaded(`not answered within ${limits.timeout} seconds; try again later`, 1));
    },
    limits.timeout * 1000 - reply.elapsedTime,
  );
  reply.raw.once('close', () => {
    clearTimeout(timer);
    if (!reply.raw.writableFinished) controller.abort(new ServeError(499, `${request.ip} went away`));
  });
  return controller.signal;
}

/**
 * Classifies all pictures of a request; each has its own outcome.
 *
 * @throws ServeError 413, 503 where they are too many
 */
export async function classifyEach(
  services: Services,
  servable: Servable,
  pictures: readonly SentPicture[],
  signal: AbortSignal,
): Promise<Outcome[]> {
  const { batcher, decoder, metrics } = services;
  const { preprocessing } = servable.classifier;
  const places = batcher.reserve(pictures.length, servable.plan.perPicture);
  return Promise.all(
    pictures.map(async (picture, i): Promise<Outcome> => {
      const place = places[i];
      if (!place) throw new Error('internal: a picture has no place');
      try {
        const start = performance.now();
        const prepared = await decoder.prepare(picture, preprocessing, signal);
        metrics.prepared((performance.now() - start) / 1000);
        return { row: await batcher.classify(servable, prepared, place, signal) };
      } catch (error) {
        return { error };
      } finally {
        place.free();
      }
    }),
  );
}

/**
 * Classifies all pictures of a request.
 *
 * @throws ServeError; where more than one picture fails, that of the first
 */
export async function classifyAll(
  services: Services,
  servable: Servable,
  pictures: readonly SentPicture[],
  signal: AbortSignal,
): Promise<ArrayLike<number>[]> {
  const outcomes = await classifyEach(services, servable, pictures, signal);
  return outcomes.map((outcome, i) => {
    if ('row' in outcome) return outcome.row;
    const { error } = outcome;
    if (error instanceof ServeError && error.status < 499 && pictures.length > 1) {
      throw new ServeError(error.status, `picture ${i}: ${error.message}`, error.retryAfter);
    }
    throw error;
  });
}
