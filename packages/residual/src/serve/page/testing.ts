/** For tests of the page: the server itself, with networks that are in memory. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { decodeImage } from '../../data/node/decode.ts';
import { prepareNormalization } from '../../data/normalize.ts';
import { gradCam } from '../../explain/grad-cam.ts';
import { predict } from '../../models/inference.ts';
import type { ModelInfo } from '../../models/info.ts';
import { createServer } from '../server.ts';

export interface ServedModel {
  readonly model: LayersModel;
  readonly info: Pick<ModelInfo, 'classes' | 'preprocessing'>;
  /** Default true. */
  readonly explains?: boolean;
}

export interface TestServer {
  readonly origin: string;
  close(): Promise<void>;
}

export async function startServer(models: Readonly<Record<string, ServedModel>>, token = ''): Promise<TestServer> {
  const waiting = Object.values(models);
  const server = await createServer({
    // Paths that exist: nothing on disk is read but their state.
    models: Object.keys(models).map((name) => ({ name, path: import.meta.filename })),
    open: async () => {
      const next = waiting.shift();
      if (next === undefined) throw new Error('opened once too often');
      const { model, info, explains = true } = next;
      return {
        ...info,
        range: 'normalised',
        ...(explains && { model }),
        classify: (images: Float32Array, count: number) => predict(model, images, { batchSize: count }),
        dispose: () => {},
      };
    },
    limits: { maxBatch: 1 },
    reload: 0,
    tokens: token === '' ? [] : [token],
    gradCam,
  });
  const origin = await server.listen({ host: '127.0.0.1', port: 0 });
  return { origin, close: () => server.close() };
}

/** What a server must say of a picture: class probabilities, most probable first, and the heat map. */
export async function answer({ model, info }: ServedModel, bytes: Uint8Array) {
  const { inputShape, resize, crop, interpolation } = info.preprocessing;
  const [height, width, channels] = inputShape;
  const options = { size: [height, width], channels: channels === 1 ? 1 : 3, resize, crop, interpolation } as const;
  const data = await decodeImage(bytes, options);
  const values = new Float32Array(data.length);
  prepareNormalization(info.preprocessing, channels)({ data, height, width, channels }, undefined, values, 0);
  const [probabilities] = await predict(model, values);
  const classes = info.classes
    .map((name, i) => ({ name, probability: probabilities[i] }))
    .sort((a, b) => b.probability - a.probability);
  const image = tf.tensor4d(values, [1, ...inputShape]);
  const heatmap = await gradCam(model, image);
  image.dispose();
  return { classes, class: info.classes[heatmap.classIndex], heatmap };
}
