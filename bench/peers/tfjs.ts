/**
 * TensorFlow.js as a peer of the bench: this project's ResNet18 on the backend that is named, ours or a stock one.
 * Arguments: the work as JSON, and `jit`, `cpu` or `wasm`.
 */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { resnet18 } from '../../packages/residual/src/models/resnet.ts';
import { sgd } from '../../packages/residual/src/train/sgd.ts';
import { trainingStep } from '../../packages/residual/src/train/step.ts';
import { servePeer } from '../protocol.ts';
import type { Work } from '../work.ts';

const work = JSON.parse(process.argv[2]) as Work;
const backend = process.argv[3];

if (backend === 'jit') await import('tfjs-backend-jit');
else if (backend === 'cpu') await import('@tensorflow/tfjs-backend-cpu');
else await import('@tensorflow/tfjs-backend-wasm');
if (!(await tf.setBackend(backend))) throw new Error(`the backend '${backend}' does not start`);

const { batch, size, classes } = work;
const model = resnet18({ inputShape: [size, size, 3], classes, stem: work.stem });
const images = tf.randomNormal([batch, size, size, 3], 0, 1, 'float32', 1);

let step: () => Promise<void>;
if (work.mode === 'train') {
  const train = trainingStep(model, { optimizer: sgd({ learningRate: 0.01, momentum: 0.9 }) });
  const input = {
    images: (await images.data()) as Float32Array,
    labels: Int32Array.from({ length: batch }, (_, i) => (i * 7919) % classes),
    size: batch,
  };
  images.dispose();
  step = async () => {
    const { loss } = await train(input);
    if (!Number.isFinite(loss)) throw new Error(`the loss is ${loss}`);
  };
} else {
  step = async () => {
    const output = model.predict(images, { batchSize: batch }) as tf.Tensor;
    await output.data();
    output.dispose();
  };
}

const manifest = new URL('../../packages/tfjs-backend-jit/package.json', import.meta.url);
const version =
  backend === 'jit' ? (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version : tf.version_core;
const parameters = model.trainableWeights.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape as number[]), 0);
await servePeer({ version, parameters }, batch, step);
