/** For tests of the page: a server with its files and, behind them, real answers of a real network. */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { decodeImage } from '../../data/node/decode.ts';
import { finishBatch } from '../../data/produce.ts';
import { gradCam } from '../../explain/grad-cam.ts';
import { predict } from '../../models/inference.ts';
import type { ModelInfo } from '../../models/info.ts';
import { pageHeaders } from './policy.ts';

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

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

function pageFile(path: string): Uint8Array {
  return readFileSync(join(import.meta.dirname, 'dist', normalize(path === '/' ? '/index.html' : path)));
}

export async function startServer(models: Readonly<Record<string, ServedModel>>, token = ''): Promise<TestServer> {
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const json = (status: number, body: object) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    if (!pathname.startsWith('/v1/')) {
      const type = types[extname(pathname)] ?? types['.html'];
      return response.writeHead(200, { ...pageHeaders, 'Content-Type': type }).end(pageFile(pathname));
    }
    if (token !== '' && request.headers.authorization !== `Bearer ${token}`) {
      return json(401, { error: 'a bearer token is needed' });
    }
    if (pathname === '/v1/models') {
      const list = Object.entries(models).map(([name, { info, explains = true }]) => {
        const { classes, preprocessing } = info;
        return { name, version: 1, versions: [1], classes, inputShape: preprocessing.inputShape, explains };
      });
      return json(200, { models: list });
    }
    const [, inPath, verb] = /^\/v1\/models\/([^/:]+)(:explain|\/metadata)$/.exec(pathname) ?? [];
    const name = decodeURIComponent(inPath ?? searchParams.get('model') ?? '');
    const served = models[name];
    if (served === undefined) return json(404, { error: `there is no ${request.url}` });
    if (verb === '/metadata') return json(200, { metadata: { residual: served.info } });
    try {
      const bytes = Buffer.concat(await Array.fromAsync(request));
      const wanted = verb === ':explain';
      const { classes, ...rest } = await answer(served, bytes, wanted, searchParams.get('class'));
      const top = classes.slice(0, Number(searchParams.get('top') ?? 5));
      return json(200, { model: name, version: 1, classes: top, ...rest });
    } catch (error) {
      return json(400, { error: (error as Error).message });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Class probabilities, most probable first, and the heat map of the class named, or the first. */
export async function answer({ model, info }: ServedModel, bytes: Uint8Array, explain = true, name?: string | null) {
  const start = performance.now();
  const { inputShape, resize, crop, interpolation } = info.preprocessing;
  const [height, width, channels] = inputShape;
  const options = { size: [height, width], channels: channels === 1 ? 1 : 3, resize, crop, interpolation } as const;
  const decoded = Uint8Array.from(await decodeImage(bytes, options));
  const indices = Int32Array.of(0);
  const { images } = finishBatch({ images: decoded, indices, requested: indices }, inputShape, {
    ...{ indices, seed: 0, epoch: 0, transforms: [], corrupt: 'drop' },
    normalize: info.preprocessing,
  });
  const [probabilities] = await predict(model, images);
  const classes = info.classes
    .map((name, i) => ({ name, probability: probabilities[i] }))
    .sort((a, b) => b.probability - a.probability);
  const milliseconds = performance.now() - start;
  if (!explain) return { classes, milliseconds };
  const image = tf.tensor4d(images, [1, ...inputShape]);
  const map = await gradCam(model, image, name ? info.classes.indexOf(name) : undefined);
  image.dispose();
  const { classIndex, width: columns, height: rows, values } = map;
  const heatmap = { width: columns, height: rows, values: Array.from(values) };
  return { classes, milliseconds, class: info.classes[classIndex], heatmap };
}
