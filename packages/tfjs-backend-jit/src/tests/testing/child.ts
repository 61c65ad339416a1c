/**
 * Programs that `threads.test.ts` runs in processes of their own: `node child.ts NAME`. Each prints what it found;
 * none ends its process by itself.
 */
import { createHash } from 'node:crypto';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { OutOfMemoryError } from '../../index.ts';
import { floats, ints } from './compare.ts';

const programs: Readonly<Record<string, () => Promise<void> | void>> = {
  /** Trains a small convolutional network and prints a hash of all losses and weights. */
  async train() {
    const model = convNet();
    model.compile({ optimizer: tf.train.momentum(0.05, 0.9), loss: 'categoricalCrossentropy' });
    const hash = createHash('sha256');
    for (let step = 0; step < 6; step++) {
      const x = floats([12, 20, 20, 3], step);
      const y = tf.oneHot(ints([12], step, 0, 10), 10);
      const loss = (await model.trainOnBatch(x, y)) as number;
      hash.update(Float64Array.of(loss));
      tf.dispose([x, y]);
    }
    for (const weight of model.getWeights()) hash.update(weight.dataSync() as Float32Array);
    console.log(hash.digest('hex'));
  },

  /** Reads at the very end, with nothing else to keep the process alive. */
  pending() {
    const x = floats([700, 700]);
    const y = tf.sum(tf.matMul(tf.matMul(x, x), x));
    void y.data().then(([value]) => console.log(`value ${value}`));
  },

  /** Reads later, again and again, when all is quiet in between. */
  async quiet() {
    const x = tf.tensor1d([1, 2, 3]);
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      console.log(`value ${(await tf.mul(x, i).data()).join()}`);
    }
  },

  /** Leaves runs behind that nobody reads. */
  unread() {
    for (let i = 0; i < 5; i++) tf.keep(tf.matMul(floats([300, 300]), floats([300, 300])));
  },

  idle() {},

  fails() {
    tf.keep(tf.add(floats([3000]), 1));
    throw new Error('a mistake of the user');
  },

  /** A step with an absurd batch, and then a small one. */
  async memory() {
    const model = wideNet();
    model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    const before = tf.memory().numTensors;
    const batch = 1500;
    const x = tf.zeros([batch, 64, 64, 3]);
    const y = tf.zeros([batch, 10]);
    try {
      await model.trainOnBatch(x, y);
      console.log('no error');
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
      console.log(JSON.stringify({ ...error, batch, message: error.message }));
    }
    tf.dispose([x, y]);
    const smaller = [tf.zeros([2, 64, 64, 3]), tf.zeros([2, 10])] as const;
    const again = wideNet();
    again.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    console.log(JSON.stringify({ loss: await again.trainOnBatch(...smaller), before }));
  },
};

/** Large activations from small images. */
function wideNet(): tfl.Sequential {
  return tfl.sequential({
    layers: [
      tfl.layers.conv2d({ inputShape: [64, 64, 3], filters: 64, kernelSize: 3, activation: 'relu' }),
      tfl.layers.conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
      tfl.layers.conv2d({ filters: 64, kernelSize: 3, strides: 2 }),
      tfl.layers.globalAveragePooling2d({}),
      tfl.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
}

function convNet(): tfl.Sequential {
  const init = (seed: number) => tfl.initializers.glorotUniform({ seed });
  return tfl.sequential({
    layers: [
      tfl.layers.conv2d({
        inputShape: [20, 20, 3],
        filters: 16,
        kernelSize: 3,
        padding: 'same',
        kernelInitializer: init(1),
        activation: 'relu',
      }),
      tfl.layers.batchNormalization(),
      tfl.layers.conv2d({ filters: 32, kernelSize: 3, strides: 2, kernelInitializer: init(2) }),
      tfl.layers.reLU(),
      tfl.layers.conv2d({
        filters: 32,
        kernelSize: 3,
        padding: 'same',
        kernelInitializer: init(3),
        activation: 'relu',
      }),
      tfl.layers.maxPooling2d({ poolSize: 2, strides: 2 }),
      tfl.layers.flatten(),
      tfl.layers.dense({ units: 10, kernelInitializer: init(4), activation: 'softmax' }),
    ],
  });
}

if (!(await tf.setBackend('jit'))) throw new Error('the backend did not start');
await programs[process.argv[2]]();
