import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients
import { type AdamWOptions, adamW } from './adamw.ts';
import { cosineDecay } from './schedules.ts';

/** Six steps down 1.5·w² + sin(w), beside the formula of Keras on doubles. */
function compare(options: AdamWOptions, shape: number[] = [2, 1], name?: string) {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, weightDecay = 0.004, decay = 'kernels' } = options;
  const optimizer = adamW(options);
  const variable = tf.variable(tf.fill(shape, 2), true, name);
  const decays = (decay === 'all' || shape.length > 1) && !options.exclude?.some((pattern) => pattern === name);
  let [w, m, v] = [2, 0, 0];
  for (let step = 1; step <= 6; step++) {
    const rate = optimizer.learningRate;
    optimizer.minimize(() => tf.sum(tf.add(tf.mul(1.5, tf.square(variable)), tf.sin(variable))) as tf.Scalar, false, [
      variable,
    ]);
    const g = 3 * w + Math.cos(w);
    if (decays) w -= w * weightDecay * rate;
    m += (g - m) * (1 - beta1);
    v += (g * g - v) * (1 - beta2);
    w -= (m * ((rate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step))) / (Math.sqrt(v) + epsilon);
    const actual = variable.dataSync()[0] ?? Number.NaN;
    assert.ok(Math.abs(actual - w) < 2e-6, `step ${step}: ${actual}, expected ${w}`);
  }
  variable.dispose();
  optimizer.dispose();
}

test('updates follow the formula of Keras', () => {
  compare({ learningRate: 0.1 });
  compare({});
  compare({ learningRate: 0.1, beta1: 0.8, beta2: 0.95, epsilon: 0.01, weightDecay: 0 });
  compare({ learningRate: cosineDecay(0.2, 6, { warmupSteps: 2 }), weightDecay: 0.3 });
});

test('the decay is decoupled, and spares biases, scales and what is excluded', () => {
  compare({ learningRate: 0.1, weightDecay: 0.5 });
  compare({ learningRate: 0.1, weightDecay: 0.5 }, [3]);
  compare({ learningRate: 0.1, weightDecay: 0.5, decay: 'all' }, [3]);
  compare({ learningRate: 0.1, weightDecay: 0.5, exclude: ['head/kernel'] }, [2, 1], 'head/kernel');
});

test('impossible options end in one clear line', () => {
  assert.throws(() => adamW({ beta1: 1 }), /adamW: beta1 must be at least 0 and less than 1, received 1/);
  assert.throws(() => adamW({ epsilon: 0 }), /adamW: epsilon must be more than 0, received 0/);
  assert.throws(() => adamW({ weightDecay: -1 }), /adamW: weightDecay must be 0 or more, received -1/);
});
