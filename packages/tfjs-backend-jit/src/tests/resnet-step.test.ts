/**
 * One whole training step of ResNet18, in the stems, conventions and shapes that matter (narrower than in use, since
 * the cpu backend takes part): loss, every gradient, every updated weight and moving average as on cpu, to 1e-3.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { type ResNetOptions, resnet18 } from '../../../residual/src/models/resnet.ts';
import { assertClose, floats, ints, type Result, snapshot } from './testing/compare.ts';

const BATCH = 2;
const CLASSES = 10;
/** A bias before a batch norm has no gradient but rounding: hence the absolute part. */
const NEAR = { relative: 1e-3, absolute: 1e-6, ofMax: true };

interface Step {
  readonly loss: Result;
  /** By the weight's name. */
  readonly gradients: ReadonlyMap<string, Result>;
  readonly weights: ReadonlyMap<string, Result>;
  readonly predictions: Result;
}

/** Builds the network from its seed and takes one step of SGD with momentum. */
async function train(backend: 'cpu' | 'jit', options: ResNetOptions): Promise<Step> {
  await tf.setBackend(backend);
  const model = resnet18(options);
  const optimizer = tf.train.momentum(0.05, 0.9);
  const x = floats([BATCH, ...options.inputShape], 1);
  const y = tf.tidy(() => tf.cast(tf.oneHot(ints([BATCH], 2, 0, CLASSES), CLASSES), 'float32'));
  const { value, grads } = tf.variableGrads(() => {
    const logits = model.apply(x, { training: true }) as tf.Tensor;
    return tf.losses.softmaxCrossEntropy(y, logits) as tf.Scalar;
  });
  optimizer.applyGradients(grads as Parameters<typeof optimizer.applyGradients>[0]);
  const gradients = new Map(model.trainableWeights.map((w) => [w.originalName, snapshot(grads[w.name])]));
  const weights = new Map(model.weights.map((w) => [w.originalName, snapshot(w.read())]));
  const output = model.predict(x) as tf.Tensor;
  const predictions = snapshot(output);
  const step = { loss: snapshot(value), gradients, weights, predictions };
  tf.dispose([x, y, value, grads, output]);
  optimizer.dispose();
  model.dispose();
  return step;
}

const COMMON = { classes: CLASSES, width: 16, activation: 'linear', seed: 3 } as const;

const KINDS: Readonly<Record<string, ResNetOptions>> = {
  'cifar stem at 20×20': { ...COMMON, inputShape: [20, 20, 3], stem: 'cifar' },
  'imagenet stem at 56×56': { ...COMMON, inputShape: [56, 56, 3], stem: 'imagenet' },
  'odd sizes, one channel, zero-init': { ...COMMON, inputShape: [29, 37, 1], stem: 'imagenet', zeroInitResidual: true },
  'keras convention': { ...COMMON, inputShape: [14, 14, 3], stem: 'cifar', convention: 'keras', width: 8 },
};

for (const [kind, options] of Object.entries(KINDS)) {
  test(`a step of ResNet18 is as on cpu: ${kind}`, async () => {
    const cpu = await train('cpu', options);
    const jit = await train('jit', options);
    assertClose(jit.loss, cpu.loss, 'loss', NEAR);
    assert.ok(cpu.gradients.size >= 60 && cpu.weights.size >= 100);
    for (const [part, expected] of Object.entries({ gradients: cpu.gradients, weights: cpu.weights })) {
      const actual = jit[part as 'gradients' | 'weights'];
      assert.deepEqual([...actual.keys()], [...expected.keys()]);
      for (const [name, reference] of expected) {
        assertClose(actual.get(name) as Result, reference, `${part} of ${name}`, NEAR);
      }
    }
    assertClose(jit.predictions, cpu.predictions, 'predictions after the step', NEAR);
  });
}
