/** Why the network says what it says: `POST /v1/models/NAME:explain` gives a picture's classes and a Grad-CAM map.
 *  It needs the network's gradients, so only TF.js models can; one picture at a time, for it is no batch's work. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { FastifyInstance } from 'fastify';
import type { Explanation } from '../../client/types.ts';
import { ModelError } from '../../models/errors.ts';
import { badRequest, ServeError } from '../errors.ts';
import { classifyAll, type Services } from '../work.ts';
import { ranked, readPictures, since } from './classify.ts';
import { docs } from './docs.ts';
import { modelPaths } from './paths.ts';
import { withModel } from './tf-serving.ts';
import { shown } from './values.ts';

/** How much each place of a picture spoke for a class; `values` are height × width. */
export type GradCam = (
  model: LayersModel,
  image: tf.Tensor4D,
  classIndex?: number,
) => Promise<{
  readonly classIndex: number;
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
}>;

export function explainRoutes(app: FastifyInstance, services: Services, gradCam: GradCam): void {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.catch(() => {});
    return turn;
  };
  for (const path of modelPaths('/v1/models')) {
    app.post(`${path}::explain`, { schema: docs.explain, config: { protocol: 'classify' } }, (request, reply) =>
      withModel(services, request, reply, async (servable, signal): Promise<Explanation> => {
        const start = performance.now();
        const { model, classes, preprocessing } = servable.classifier;
        if (!model) throw badRequest(`model ${servable.name}: an exported file has no gradients; serve the run itself`);
        const query = request.query as Readonly<Record<string, unknown>>;
        const wanted = classIndexOf(query.class, classes);
        const { files } = await readPictures(request, services, signal);
        const [only] = files;
        if (!only || files.length > 1) throw badRequest(`explain takes one picture, received ${files.length}`);
        const top = Math.min(Number(query.top) || 5, classes.length);
        const [place] = services.batcher.reserve(1, servable.plan.perPicture);
        try {
          const prepared = await services.decoder.prepare(only.picture, preprocessing, signal);
          // The same picture, now of the network's size, is decoded only once.
          const again = { kind: 'pixels', values: prepared.values } as const;
          place?.free();
          const [row = []] = await classifyAll(services, servable, [again], signal);
          const found = await inTurn(async () => {
            signal.throwIfAborted();
            const image = new Float32Array(servable.length);
            servable.place(prepared, image, 0);
            const tensor = tf.tensor4d(image, [1, ...preprocessing.inputShape]);
            const best = ranked(row, servable, 1)[0]?.name ?? '';
            return gradCam(model, tensor, wanted ?? classes.indexOf(best))
              .catch((error: unknown) => {
                // A network without a spatial map, say.
                throw error instanceof ModelError ? badRequest(error.message) : error;
              })
              .finally(() => tensor.dispose());
          });
          const { width, height, values, classIndex } = found;
          return {
            model: servable.name,
            version: servable.version,
            classes: ranked(row, servable, top),
            class: classes[classIndex] ?? '',
            heatmap: { width, height, values: Array.from(values, (value) => Math.round(value * 1e4) / 1e4) },
            milliseconds: since(start),
          };
        } finally {
          place?.free();
        }
      }),
    );
  }
}

/** @throws ServeError 400 for a class that the model does not know */
function classIndexOf(value: unknown, classes: readonly string[]): number | undefined {
  if (value === undefined || value === '') return undefined;
  const found = classes.indexOf(String(value));
  if (found >= 0) return found;
  const some = classes.slice(0, 10).join(', ');
  throw new ServeError(400, `class: must be one of the model's ${classes.length} (${some}), received ${shown(value)}`);
}
