/** What a page without our package does with the files: stock TF.js, in headless Chromium and in a process of its own. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { bundleForPage } from '../../../../../tools/browser/bundle.ts';
import { findChromium, NO_BROWSER } from '../../../../../tools/browser/find.ts';
import { launch, openPage } from '../../../../../tools/browser/open.ts';
import { resnet } from '../../models/resnet.ts';
import { inferenceGraph } from '../graph/from-model.ts';
import { distance, infoFor, picturesFor, predicted, pretendTrained } from '../graph/testing.ts';
import { writeTfjsLayers } from './layers-write.ts';
import { writeTfjs } from './write.ts';

before(() => tf.setBackend('cpu'));

const SHAPE = [16, 16, 3] as const;

/** A network, two pictures, and what it says of them. */
async function example() {
  const model = pretendTrained(
    resnet('resnet18', { inputShape: [...SHAPE], classes: 4, width: 2, stem: 'imagenet', activation: 'linear' }),
  );
  const info = infoFor(model);
  const { normalised } = picturesFor(info, 2);
  return { model, info, images: [...normalised], expected: await predicted(model, normalised) };
}

const PAGE = `
  import '@tensorflow/tfjs-backend-cpu';
  import * as tf from '@tensorflow/tfjs-core';
  import { loadGraphModel } from '@tensorflow/tfjs-converter';
  globalThis.predict = async (folder, images, shape) => {
    const net = await loadGraphModel(folder + '/model.json');
    const output = net.predict(tf.tensor(images, [images.length / shape.reduce((a, b) => a * b), ...shape]));
    return { values: [...await output.data()], labels: net.metadata.labels, backend: tf.getBackend() };
  };`;

test('a page of stock TF.js loads the shards and gives the model’s logits', {
  skip: findChromium() === undefined && NO_BROWSER,
}, async () => {
  const { model, info, images, expected } = await example();
  const graph = await inferenceGraph(model, info);
  const files: Record<string, Uint8Array> = {};
  for (const weights of ['float32', 'float16', 'uint16', 'uint8'] as const) {
    for (const { path, bytes } of writeTfjs(graph, { weights })) files[`/${weights}/${path}`] = bytes;
  }
  const [browser, { code, inputs }] = await Promise.all([launch(), bundleForPage(PAGE, import.meta.dirname)]);
  try {
    const ours = Object.keys(inputs).filter((file) => /(^|\/)packages\//.test(file) && !file.includes('node_modules/'));
    assert.deepEqual(
      ours.map((file) => file.split('/').at(-1)),
      ['bundle-entry.ts'],
      'nothing of ours is in the page',
    );
    const { page, said, close } = await openPage(browser, code, { files });
    for (const [weights, limit] of [
      ['float32', 1e-5],
      ['float16', 5e-3],
      ['uint16', 1e-3],
      ['uint8', 0.1],
    ] as const) {
      const call = `globalThis.predict(${JSON.stringify(weights)}, ${JSON.stringify(images)}, ${JSON.stringify(SHAPE)})`;
      const { values, labels, backend } = (await page.evaluate(call)) as {
        values: number[];
        labels: string[];
        backend: string;
      };
      assert.ok(distance(expected, values) < limit, `${weights}: ${distance(expected, values)}`);
      assert.deepEqual([labels, backend], [info.classes, 'cpu']);
    }
    assert.deepEqual(said, []);
    await close();
  } finally {
    await browser.close();
  }
});

const STOCK = `
  import '@tensorflow/tfjs-backend-cpu';
  import * as tf from '@tensorflow/tfjs-core';
  import { loadLayersModel } from '@tensorflow/tfjs-layers';
  import { readFile } from 'node:fs/promises';
  const [, folder] = process.argv;
  const json = JSON.parse(await readFile(folder + '/model.json', 'utf8'));
  const [group] = json.weightsManifest;
  const weightData = await Promise.all(group.paths.map(async (path) => Uint8Array.from(await readFile(folder + '/' + path)).buffer));
  const { modelTopology, userDefinedMetadata } = json;
  const load = async () => ({ modelTopology, userDefinedMetadata, weightSpecs: group.weights, weightData });
  const net = await loadLayersModel({ load });
  const { images, shape } = JSON.parse(await readFile(folder + '/images.json', 'utf8'));
  const given = tf.tensor(images, [images.length / shape.reduce((a, b) => a * b), ...shape]);
  const values = [...await net.predict(given).data()];
  net.compile({ optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError' });
  const history = await net.fit(given, tf.zeros([2, 4]), { epochs: 2, verbose: 0 });
  console.log(JSON.stringify({ values, losses: history.history.loss, labels: net.getUserDefinedMetadata().labels }));`;

test('stock TF.js loads a layers model without our package, and goes on training it', async (t) => {
  const { model, info, images, expected } = await example();
  const folder = await mkdtemp(join(tmpdir(), 'residual-layers-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const { path, bytes } of await writeTfjsLayers(model, info)) await writeFile(join(folder, path), bytes);
  await writeFile(join(folder, 'images.json'), JSON.stringify({ images, shape: SHAPE }));
  const args = ['--input-type=module', '--eval', STOCK, folder];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  const { values, losses, labels } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  assert.ok(distance(expected, values) < 1e-5, `${distance(expected, values)}`);
  assert.ok(losses.length === 2 && losses[1] < losses[0], `${losses}`);
  assert.deepEqual(labels, info.classes);
});
