/** For tests of the server: a classifier so simple that its answer can be told from the picture, and that waits when told to.
 *  Not part of the program. */

import sharp from 'sharp';
import type { ServedClassifier } from './classifier.ts';
import { createServer, type InferenceServer, type ServerOptions } from './server.ts';

export interface FakeClassifier extends ServedClassifier {
  /** The sizes of all batches since its start, blank pictures included. */
  readonly batches: number[];
  readonly disposed: boolean;
  /** Batches wait from now on, until the function that it returns is called. */
  hold(): () => void;
}

/** Tells bright pictures of 4 × 4 pixels from dark ones: the probability of `bright` is the mean of all bytes / 255. */
export function brightness({ classes = ['dark', 'bright'], fails = false } = {}): FakeClassifier {
  const batches: number[] = [];
  let gate: Promise<void> | undefined;
  let disposed = false;
  return {
    classes,
    preprocessing: { inputShape: [4, 4, 3], resize: 'stretch', mean: [0, 0, 0], std: [1, 1, 1] },
    range: 'bytes',
    batches,
    get disposed() {
      return disposed;
    },
    async classify(images, count) {
      if (disposed) throw new Error('internal: used after it was disposed of');
      await gate;
      if (fails) throw new Error('a secret of the engine');
      batches.push(count);
      return Array.from({ length: count }, (_, n) => {
        const bright = images.subarray(n * 48, (n + 1) * 48).reduce((sum, byte) => sum + byte, 0) / 48 / 255;
        return [1 - bright, bright];
      });
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return () => {
        gate = undefined;
        resolve();
      };
    },
    dispose() {
      disposed = true;
    },
  };
}

/** A PNG of one grey, 0–255. */
export async function greyPng(grey: number, side = 4): Promise<Buffer<ArrayBuffer>> {
  const background = { r: grey, g: grey, b: grey };
  return Buffer.from(
    await sharp({ create: { width: side, height: side, channels: 3, background } })
      .png()
      .toBuffer(),
  );
}

/** A server of fake models. Names are paths that exist: nothing on disk is read but their state. */
export async function fakeServer(
  models: Readonly<Record<string, ServedClassifier>>,
  options: Partial<ServerOptions> = {},
): Promise<InferenceServer> {
  let opened = 0;
  const all = Object.values(models);
  return createServer({
    models: Object.keys(models).map((name) => ({ name, path: import.meta.filename })),
    open: async () => all[opened++] ?? Promise.reject(new Error('opened once too often')),
    reload: 0,
    ...options,
  });
}

/** Waits until something holds, which must be soon. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`still not so: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
