// The page gives the answers that the model gives in Node, in both runtimes, for a dropped file and from the camera.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { decodeImage, inferenceGraph, predict, resnet18, writeTflite } from 'residual';
import sharp from 'sharp';
import { findChromium, NO_BROWSER } from '../../tools/browser/find.ts';
import { launch } from '../../tools/browser/open.ts';
import { serve } from '../../tools/browser/serve.ts';
import type { Answer } from './main.ts';
import { filesOfExample } from './serve.ts';

const classes = ['circle', 'square', 'triangle', 'star'];
const preprocessing = {
  inputShape: [32, 32, 3],
  resize: 'cover',
  mean: [0.5, 0.4, 0.3],
  std: [0.2, 0.25, 0.3],
} as const;

/** Colour ramps, twice as wide as high where it is to be cut. */
function ramps(width: number, height: number): Promise<Buffer> {
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return [(255 * x) / width, (255 * y) / height, 128 + 120 * Math.sin(x / 9) * Math.cos(y / 7)][i % 3];
  });
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

async function inNode(model: LayersModel, picture: Uint8Array): Promise<Float64Array> {
  const bytes = await decodeImage(picture, { size: 32, resize: 'cover' });
  const { mean, std } = preprocessing;
  const pixels = Float32Array.from(bytes, (byte, i) => (byte / 255 - mean[i % 3]) / std[i % 3]);
  return (await predict(model, pixels))[0];
}

test('a dropped picture and the camera, in LiteRT and in our own engine', {
  skip: findChromium() === undefined && NO_BROWSER,
}, async () => {
  await tf.setBackend('jit');
  const model = resnet18({ inputShape: [32, 32, 3], classes: classes.length, width: 8, seed: 3 });
  const info = { format: 'residual/1', architecture: 'resnet18', classes, preprocessing } as const;
  const file = writeTflite(await inferenceGraph(model, info));
  const [site, browser] = await Promise.all([
    filesOfExample(file).then((files) => serve(files, true)),
    launch('--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'),
  ]);
  try {
    const page = await browser.newPage({ viewport: { width: 700, height: 900 } });
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(site.origin) && !/^(blob|data):/.test(request.url())) faults.push(request.url());
    });
    await page.goto(site.origin);
    await page.getByText('It tells 4 classes apart.').waitFor();

    // At the model's size both see the same pixels; larger, the browser scales otherwise than libvips.
    for (const [picture, tolerance] of [
      [await ramps(32, 32), 1e-4],
      [await ramps(256, 128), 0.02],
    ] as const) {
      const expected = await inNode(model, picture);
      for (const engine of ['litert', 'own'] as const) {
        const { probabilities } = (await page.evaluate(
          async ({ bytes, engine }) => {
            const { classify } = globalThis as unknown as {
              classify(source: ImageBitmap, engine: string): Promise<Answer>;
            };
            return classify(await createImageBitmap(new Blob([Uint8Array.from(bytes)])), engine);
          },
          { bytes: [...picture], engine },
        )) as Answer;
        expected.forEach((value, i) => {
          const difference = Math.abs(probabilities[i] - value);
          assert.ok(difference < tolerance, `${engine}: class ${i} is ${probabilities[i]}, in Node ${value}`);
        });
      }
    }

    await page.setInputFiles('#file', { name: 'ramps.png', mimeType: 'image/png', buffer: await ramps(256, 128) });
    await page.getByText(/ms in LiteRT$/).waitFor();
    assert.equal(await page.locator('#classes li').count(), 4);
    await page.selectOption('#engine', 'own');
    await page.getByText(/ms in Residual$/).waitFor();
    if (process.env.SCREENSHOT !== undefined) await page.screenshot({ path: process.env.SCREENSHOT });

    await page.click('#camera');
    await page.waitForFunction("document.querySelector('#picture').width >= 320");
    await page.click('#camera');
    assert.equal(await page.innerText('#camera'), 'Camera');
    assert.deepEqual(faults, []);
  } finally {
    await browser.close();
    await site.close();
  }
});
