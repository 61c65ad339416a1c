/** `residual predict --heatmap`: a PNG for each picture, lit where the network looked. */

import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import sharp from 'sharp';
import { saveModel } from '../models/saved-model.ts';
import { residual, temporaryFolder } from './testing.ts';

let folder = '';

before(async () => {
  folder = await temporaryFolder();
  // A network whose one map is the red channel and whose other is the blue: it looks where it is red, or blue.
  await tf.setBackend('cpu');
  const model = tfl.sequential();
  model.add(tfl.layers.conv2d({ inputShape: [16, 16, 3], filters: 2, kernelSize: 1, useBias: false }));
  model.add(tfl.layers.globalAveragePooling2d({ dataFormat: 'channelsLast' }));
  model.add(tfl.layers.dense({ units: 2, activation: 'softmax' }));
  const kernel = tf.tensor4d([1, 0, 0, 0, 0, 1], [1, 1, 3, 2]);
  model.setWeights([kernel, tf.tensor2d([9, 0, 0, 8], [2, 2]), tf.zeros([2])]);
  const preprocessing = { inputShape: [16, 16, 3], resize: 'cover', mean: [0, 0, 0], std: [1, 1, 1] } as const;
  const info = { format: 'residual/1', architecture: 'colours', classes: ['red', 'blue'], preprocessing } as const;
  await saveModel(model, info, join(folder, 'model'));
  // Grey, with a red spot on the left and a blue one on the right; twice as wide as what the network sees.
  const spot = (input: string, left: number) => ({
    input: { create: { width: 8, height: 8, channels: 3 as const, background: input } },
    ...{ left, top: 8 },
  });
  const grey = sharp({ create: { width: 64, height: 32, channels: 3, background: '#000' } });
  await grey
    .composite([spot('#f00', 18), spot('#00f', 40)])
    .png()
    .toFile(join(folder, 'spots.png'));
  await writeFile(join(folder, 'broken.png'), 'no picture');
});

after(() => rm(folder, { recursive: true }));

/** Where a PNG of 448 × 224 is brightest, in parts of it. */
async function brightest(file: string): Promise<readonly [x: number, y: number]> {
  const { data, info } = await sharp(file).greyscale().raw().toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height], [448, 224]);
  const at = data.indexOf(data.reduce((a, b) => Math.max(a, b)));
  return [(at % 448) / 448, Math.floor(at / 448) / 224];
}

test('each picture gets a PNG that is bright where the class is; what cannot be read is said', async () => {
  const args = ['predict', 'model', 'spots.png', 'broken.png', '--backend', 'cpu', '--heatmap', 'why', '--json'];
  const ended = await residual(args, { cwd: folder });
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /^error: broken\.png: not a JPEG/);
  const [spots, broken] = JSON.parse(ended.stdout).predictions;
  assert.equal(spots.predictions[0].class, 'red');
  assert.deepEqual(spots.heatmap, { file: join('why', 'spots.png'), class: 'red' });
  assert.equal(broken.heatmap, undefined);
  assert.deepEqual(await readdir(join(folder, 'why')), ['spots.png']);
  const [x, y] = await brightest(join(folder, 'why', 'spots.png'));
  assert.ok(x > 0.28 && x < 0.41 && y > 0.25 && y < 0.5, `${x}, ${y}`);
});

test('a class is chosen by name, and pictures of one name do not overwrite each other', async () => {
  const args = ['predict', 'model', 'spots.png', './spots.png', '--backend', 'cpu', '--heatmap', 'blue'];
  const ended = await residual([...args, '--class', 'blue'], { cwd: folder });
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stdout, /^spots\.png {2}blue\/spots\.png shows what speaks for blue\n {2}red /);
  const files = (await readdir(join(folder, 'blue'))).sort();
  assert.deepEqual(files, ['spots-2.png', 'spots.png']);
  const [x] = await brightest(join(folder, 'blue', 'spots-2.png'));
  assert.ok(x > 0.62 && x < 0.75, `${x}`);
  assert.deepEqual(
    await readFile(join(folder, 'blue', 'spots.png')),
    await readFile(join(folder, 'blue', 'spots-2.png')),
  );
});

test('mistakes are said in a line', async () => {
  const run = (...args: readonly string[]) =>
    residual(['predict', 'model', 'spots.png', '--backend', 'cpu', ...args], { cwd: folder });
  const [lonely, unknown] = await Promise.all([run('--class', 'red'), run('--heatmap', 'no', '--class', 'bleu')]);
  assert.deepEqual([lonely.code, unknown.code], [2, 2]);
  assert.match(lonely.stderr, /^error: --class says what heat maps explain\n.*add --heatmap DIR/);
  assert.match(unknown.stderr, /^error: --class bleu: the model knows no such class\n.*did you mean blue\?/);
  assert.ok(!(await readdir(folder)).includes('no'));
});
