/** Loads the guide's network at full size as Keras saved it, compares its outputs, and writes ours for Keras to load.
 *  Run save_keras.py --full before it, and check_keras.py after it. */

import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import '../../packages/tfjs-backend-jit/src/index.ts';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { resnet18 } from '../../packages/residual/src/models/resnet.ts';
import type { KerasFile } from '../../packages/residual/src/weights/keras/keras-file.ts';
import { modelFromKeras } from '../../packages/residual/src/weights/keras/model-from-keras.ts';
import { readKeras } from '../../packages/residual/src/weights/keras/read-keras.ts';
import { writeKerasH5 } from '../../packages/residual/src/weights/keras/write-keras.ts';
import { fileSource } from '../../packages/residual/src/weights/node/file-source.ts';
import { noSiblings } from '../../packages/residual/src/weights/reader.ts';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node interop/weights/check-keras.ts FOLDER');
await tf.setBackend('jit');
const expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as {
  readonly inputShape: [number, number, number];
  readonly classes: number;
  readonly logits: number[][];
};
const { inputShape, classes } = expected;
const count = 2 * inputShape.reduce((product, n) => product * n, 1);
const picture = Float32Array.from({ length: count }, (_, i) => (Math.imul(i, 2654435761 | 0) >>> 0) / 2 ** 32);
const x = tf.tensor(picture, [2, ...inputShape]);

async function logits(model: tfl.LayersModel): Promise<Float32Array> {
  const [before, dense] = model.layers.slice(-2) as [tfl.layers.Layer, tfl.layers.Layer];
  const pooled = tfl.model({ inputs: model.inputs, outputs: before.output as tfl.SymbolicTensor });
  const [kernel, bias] = dense.getWeights() as [tf.Tensor2D, tf.Tensor];
  const y = tf.tidy(() => tf.add(tf.matMul(pooled.predict(x) as tf.Tensor2D, kernel), bias));
  return (await y.data()) as Float32Array;
}

/** The n-th convolution into the n-th convolution, and so on: what every layout keeps. */
async function loadInOrder(model: tfl.LayersModel, file: KerasFile): Promise<void> {
  const ours = Map.groupBy(
    model.layers.filter(({ weights }) => weights.length > 0),
    (layer) => layer.getClassName(),
  );
  for (const { className = '', tensors } of file.layers) {
    const values = [];
    for (const { read, shape } of tensors) values.push(tf.tensor(await read(), [...shape]));
    ours.get(className)?.shift()?.setWeights(values);
    tf.dispose(values);
  }
}

const wanted = expected.logits.flat();
const range = Math.max(...wanted) - Math.min(...wanted);
for (const name of (await readdir(folder)).filter((file) => /^keras.*\.(?:h5|keras)$/.test(file))) {
  const file = await readKeras(await fileSource(join(folder, name)), noSiblings);
  const models = { 'resnet18({convention: keras})': resnet18({ inputShape, classes, convention: 'keras' }) };
  await loadInOrder(models['resnet18({convention: keras})'], file);
  if (file.modelConfig !== undefined) Object.assign(models, { modelFromKeras: await modelFromKeras(file) });
  for (const [how, model] of Object.entries(models)) {
    const found = await logits(model);
    const off = Math.max(...wanted.map((value, i) => Math.abs(value - (found[i] ?? Number.NaN)))) / range;
    console.log(`${name}, ${how}: off by ${off.toExponential(1)} of the range of the logits`);
    if (!(off < 1e-4)) process.exitCode = 1;
    model.dispose();
  }
  await file.close();
}

for (const convention of ['keras', 'torchvision'] as const) {
  const model = resnet18({ inputShape, classes, convention, seed: 7 });
  // Averages and shifts as training leaves them, so that an order mistaken would show.
  const values = model.getWeights().map((weight, i) => {
    const noise = tf.randomUniform(weight.shape, 0.5, 1.5, 'float32', i);
    return weight.shape.length === 1 ? noise : tf.mul(weight, noise);
  });
  model.setWeights(values);
  tf.dispose(values);
  await writeKerasH5(model, join(folder, `ours-${convention}.h5`));
  await writeKerasH5(model, join(folder, `ours-${convention}.weights-only.h5`), { weightsOnly: true });
  await writeFile(join(folder, `ours-${convention}.json`), JSON.stringify([...(await logits(model))]));
  console.log(`wrote ours-${convention}.h5; now run check_keras.py`);
  model.dispose();
}
