import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { OutOfMemoryError } from 'tfjs-backend-jit';
import { sgd } from '../sgd.ts';
import { fashionPart } from '../testing.ts';
import { train } from '../train.ts';
import { isOutOfMemory, needOf, nextMicroBatch } from './out-of-memory.ts';

test('running out of memory is known on every backend, and nothing else is taken for it', () => {
  for (const message of [
    'out of memory: this step needs 5 GiB',
    'OOM when allocating tensor with shape[4096,64,112,112]',
    'Array buffer allocation failed',
    'Invalid typed array length: 9000000000',
    'WebAssembly.Memory.grow(): Maximum memory size exceeded',
    'Requested texture size [20000x3000] greater than WebGL maximum on this browser / GPU [16384x16384].',
  ]) {
    assert.ok(isOutOfMemory(new Error(message)), message);
  }
  assert.ok(isOutOfMemory(Object.assign(new Error('?'), { name: 'GPUOutOfMemoryError' })));
  assert.ok(isOutOfMemory(new OutOfMemoryError(2 ** 33, 2 ** 32, 128, 50)));
  for (const error of [new Error('tensor is disposed'), new TypeError('x.shape is undefined'), 'out of memory']) {
    assert.ok(!isOutOfMemory(error));
  }
});

test('the next micro-batch follows the advice, else halves, and is even', () => {
  const advised = new OutOfMemoryError(2 ** 33, 2 ** 32, 128, 50);
  assert.equal(nextMicroBatch(advised, 128, 128), 43);
  assert.equal(needOf(advised), 'it needs 8.00 GiB of at most 4.00 GiB');
  const mute = new Error('out of memory');
  assert.equal(nextMicroBatch(mute, 128, 128), 64);
  assert.equal(nextMicroBatch(mute, 43, 128), 19);
  assert.equal(nextMicroBatch(mute, 3, 5), 1);
  assert.equal(nextMicroBatch(mute, 1, 128), undefined);
  assert.equal(needOf(mute), undefined);
  // Advice that is no smaller than what just failed is no advice.
  assert.equal(nextMicroBatch(advised, 43, 128), 19);
});

test('a batch that is larger than the memory of jit is cut before the first step, and learned', async () => {
  await tf.setBackend('jit');
  const size = 2700;
  const layers = [
    tfl.layers.conv2d({ inputShape: [28, 28, 1], filters: 256, kernelSize: 1, activation: 'relu' }),
    tfl.layers.globalAveragePooling2d({}),
    tfl.layers.dense({ units: 10, activation: 'softmax' }),
  ];
  const data = await fashionPart(size, 50);
  const options = { epochs: 2, batchSize: size, seed: 1, optimizer: sgd({ learningRate: 0.05 }) };
  const { steps, troubles, epochs } = await train(tfl.sequential({ layers }), data, options);
  assert.equal(steps, 2);
  assert.match(
    troubles[0]?.message ?? '',
    /needs \d\.\d\d GiB of at most 4.00 GiB\): each batch of 2700 is computed in \d parts/,
  );
  assert.equal(troubles.length, 1);
  assert.ok((epochs[1]?.loss ?? 9) < (epochs[0]?.loss ?? 0), JSON.stringify(epochs));
});
