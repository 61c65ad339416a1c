// In a page the same files are read, from a Blob, and written; HDF5 is bundled with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleForPage } from '../../../../../tools/browser/bundle.ts';
import { findChromium, NO_BROWSER } from '../../../../../tools/browser/find.ts';
import { launch, openPage } from '../../../../../tools/browser/open.ts';
import { difference, expected, fixture } from './testing.ts';

const CODE = `
  import '@tensorflow/tfjs-backend-cpu';
  import * as tf from '@tensorflow/tfjs-core';
  import { kerasH5 } from './write-keras.ts';
  import { modelFromKeras } from './model-from-keras.ts';
  import { noSiblings } from '../reader.ts';
  import { blobSource } from '../source.ts';
  import { readKeras } from './read-keras.ts';
  const open = (bytes) => readKeras(blobSource(new Blob([bytes]), 'page.h5'), noSiblings);
  const outputs = async (bytes, x) => {
    const file = await open(bytes);
    const model = await modelFromKeras(file);
    await file.close();
    return [model, [...model.predict(tf.tensor(x, [2, 4, 4, 3])).dataSync()]];
  };
  globalThis.run = async (base64) => {
    const bytes = Uint8Array.fromBase64(base64);
    const x = Float32Array.from({ length: 96 }, (_, i) => (Math.imul(i, 2654435761 | 0) >>> 0) / 2 ** 32);
    const [model, first] = await outputs(bytes, x);
    const [, second] = await outputs(await kerasH5(model), x);
    const refused = await open(bytes.subarray(0, 9000)).then(() => 'read', (error) => String(error));
    return { first, second, refused };
  };`;

test('a page reads and writes Keras files', { skip: findChromium() === undefined && NO_BROWSER }, async () => {
  const [browser, { code }] = await Promise.all([launch(), bundleForPage(CODE, import.meta.dirname)]);
  try {
    const opened = await openPage(browser, code);
    const base64 = Buffer.from(fixture('tiny3.h5')).toString('base64');
    const run = `globalThis.run(${JSON.stringify(base64)})`;
    const { first, second, refused } = (await opened.page.evaluate(run)) as Record<'first' | 'second', number[]> & {
      readonly refused: string;
    };
    assert.ok(difference(first, expected.tiny.flat()) < 1e-4);
    assert.deepEqual(second, first);
    assert.match(refused, /^WeightsError: page\.h5: is no HDF5 file, or is damaged$/);
    await opened.close();
  } finally {
    await browser.close();
  }
});
