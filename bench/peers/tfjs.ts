/**
 * TensorFlow.js as a peer of the bench: this project's ResNet18 on the backend that is named, ours or a stock one.
 * Arguments: the work as JSON, and `jit`, `cpu` or `wasm`.
 */
import * as tf from '@tensorflow/tfjs-core';
import { resnet18 } from '../../packages/residual/src/models/resnet.ts';
import { servePeer } from '../protocol.ts';
import type { Work } from '../work.ts';

const work = JSON.parse(process.argv[2]) as Work;
const backend = process.argv[3];

if (backend === 'jit') await import('tfjs-backend-jit');
else if (backend === 'cpu') await import('@tensorflow/tfjs-backend-cpu');
else await import('@tensorflow/tfjs-backend-wasm');
if (!(await tf.setBackend(backend))) throw new Error(`the backend '${backend}' does not start`);

const { batch, size, classes } = work;
const model = resnet18({
  inputShape: [size, size, 3],
  classes,
  stem: work.stem,
  activation: work.mode === 'train' ? 'linear' : 'softmax',
});
const images = tf.randomNormal([batch, size, size, 3], 0, 1, 'float32', 1);

let step: () => Promise<void>;
if (work.mode === 'train') {
  const indices = tf.randomUniform([batch], 0, classes, 'int32', 2) as tf.Tensor1D;
  const labels = tf.cast(tf.oneHot(indices, classes), 'float32');
  const optimizer = tf.train.momentum(0.01, 0.9);
  step = async () => {
    const loss = optimizer.minimize(
      () => tf.losses.softmaxCrossEntropy(labels, model.apply(images, { training: true }) as tf.Tensor),
      true,
    );
    await loss?.data();
    loss?.dispose();
  };
} else {
  step = async () => {
    const output = model.predict(images, { batchSize: batch }) as tf.Tensor;
    await output.data();
    output.dispose();
  };
}
await servePeer({ version: tf.version_core, parameters: model.countParams() }, batch, step);
