/** The engine without a server, in a process of its own: decodes JPEGs and classifies them in full batches, decoding the
 *  next batch while one is computed. What a server can reach at best. Answers `{ pictures }` with a rate and `{}` with a time. */

import { readFile } from 'node:fs/promises';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import { decodeImage, loadModel, predict } from 'residual';

const [folder = '', size = '16', ...files] = process.argv.slice(2);
const batchSize = Number(size);
await tf.setBackend('jit');
const { model, info } = await loadModel(folder);
const { inputShape, mean, std } = info.preprocessing;
const [height, width, channels] = inputShape;
const length = height * width * channels;
const jpegs = await Promise.all(files.map((file) => readFile(file)));
let next = 0;

const tables = mean.map((m, c) => Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - m) / (std[c] ?? 1)));

async function prepare(count: number): Promise<Float32Array> {
  const images = new Float32Array(count * length);
  const chosen = Array.from({ length: count }, () => jpegs[next++ % jpegs.length] as Buffer);
  const pictures = await Promise.all(chosen.map((jpeg) => decodeImage(jpeg, { size: [height, width] })));
  for (const [n, bytes] of pictures.entries()) {
    for (let i = 0; i < length; i++) images[n * length + i] = tables[i % channels]?.[bytes[i] as number] as number;
  }
  return images;
}

/** Pictures a second in full batches. */
async function throughput(pictures: number): Promise<number> {
  const start = performance.now();
  let ready = prepare(batchSize);
  let done = 0;
  while (done < pictures) {
    const images = await ready;
    const answer = predict(model, images, { batchSize });
    done += batchSize;
    if (done < pictures) ready = prepare(batchSize);
    await answer;
  }
  return (1000 * done) / (performance.now() - start);
}

/** Milliseconds of one picture from its file's bytes to its probabilities. */
async function single(): Promise<number> {
  const start = performance.now();
  await predict(model, await prepare(1), { batchSize: 1 });
  return performance.now() - start;
}

for (let i = 0; i < 3; i++) {
  await throughput(batchSize);
  await single();
}
process.on('message', async (asked: { readonly pictures?: number }) => {
  process.send?.({ value: asked.pictures === undefined ? await single() : await throughput(asked.pictures) });
});
process.send?.({ value: 0 });
