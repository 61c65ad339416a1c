/** TF.js programs of other kinds run and learn on jit as on cpu: dense with Adam, LSTM, a graph model from disk. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { floats, Random } from './testing/compare.ts';
import { FEATURES, fromDisk, IMAGE, writeGraphModel } from './testing/graph-model.ts';

/** What a training run shows. */
interface Curve {
  readonly loss: readonly number[];
  readonly accuracy: number;
  readonly predictions: readonly number[];
}

type Program = () => Promise<Curve>;

/** Trains on cpu and on jit from the same weights and data; both must learn, and in the same way. */
async function learnsAlike(program: Program, { accuracy, near }: { accuracy: number; near: number }): Promise<void> {
  const run = async (backend: string) => {
    await tf.setBackend(backend);
    const before = tf.memory().numTensors;
    const curve = await program();
    assert.equal(tf.memory().numTensors, before, `tensors leak on ${backend}`);
    return curve;
  };
  const cpu = await run('cpu');
  const jit = await run('jit');
  assert.ok(jit.accuracy >= accuracy, `it learns: accuracy ${jit.accuracy}`);
  assert.ok(jit.loss[jit.loss.length - 1] < 0.6 * jit.loss[0], `it learns: loss ${jit.loss}`);
  assert.ok(Math.abs(jit.accuracy - cpu.accuracy) <= 0.02, `accuracy ${jit.accuracy}, on cpu ${cpu.accuracy}`);
  assert.equal(jit.loss.length, cpu.loss.length);
  jit.loss.forEach((loss, i) => {
    assert.ok(Math.abs(loss - cpu.loss[i]) <= near * cpu.loss[i], `loss ${i} is ${loss}, on cpu ${cpu.loss[i]}`);
  });
  jit.predictions.forEach((p, i) => {
    assert.ok(Math.abs(p - cpu.predictions[i]) <= near, `prediction ${i} is ${p}, on cpu ${cpu.predictions[i]}`);
  });
}

const glorot = (seed: number) => tfl.initializers.glorotUniform({ seed });

async function fit(model: tfl.Sequential, x: tf.Tensor, y: tf.Tensor, args: tfl.ModelFitArgs): Promise<Curve> {
  const { history } = await model.fit(x, y, { shuffle: false, verbose: 0, ...args });
  const predictions = tf.tidy(() => [...(model.predict(x) as tf.Tensor).dataSync()]);
  const { acc } = history as Record<string, number[]>;
  tf.dispose([x, y]);
  model.dispose();
  return { loss: history.loss as number[], accuracy: acc[acc.length - 1], predictions };
}

/** Points in three rings: a dense network with Adam must bend its borders. */
async function rings(): Promise<Curve> {
  const random = new Random(1);
  const points: number[][] = [];
  const classes: number[] = [];
  for (let i = 0; i < 300; i++) {
    const ring = i % 3;
    const [angle, radius] = [2 * Math.PI * random.next(), 0.3 + ring + 0.4 * random.next()];
    points.push([radius * Math.cos(angle), radius * Math.sin(angle)]);
    classes.push(ring);
  }
  const model = tfl.sequential({
    layers: [
      tfl.layers.dense({ inputShape: [2], units: 32, activation: 'relu', kernelInitializer: glorot(1) }),
      tfl.layers.dense({ units: 32, activation: 'tanh', kernelInitializer: glorot(2) }),
      tfl.layers.dropout({ rate: 0 }),
      tfl.layers.dense({ units: 3, activation: 'softmax', kernelInitializer: glorot(3) }),
    ],
  });
  const optimizer = tf.train.adam(0.01);
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  const y = tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(classes, 'int32'), 3), 'float32'));
  const curve = await fit(model, tf.tensor2d(points), y, { epochs: 25, batchSize: 50 });
  optimizer.dispose();
  return curve;
}

test('a dense network with Adam learns as on cpu', () => learnsAlike(rings, { accuracy: 0.95, near: 0.01 }));

/** Does the sequence rise or fall? The steps are noisy, so that it takes memory to tell. */
async function sequences(): Promise<Curve> {
  const random = new Random(2);
  const x: number[][][] = [];
  const y: number[][] = [];
  for (let i = 0; i < 120; i++) {
    const drift = i % 2 === 0 ? 0.25 : -0.25;
    const steps = Array.from({ length: 8 }, () => drift + 0.6 * (random.next() - 0.5));
    x.push(steps.map((_, t) => [steps.slice(0, t + 1).reduce((a, b) => a + b)]));
    y.push([i % 2]);
  }
  const model = tfl.sequential({
    layers: [
      tfl.layers.lstm({
        inputShape: [8, 1],
        units: 10,
        kernelInitializer: glorot(1),
        recurrentInitializer: glorot(2),
        returnSequences: false,
      }),
      tfl.layers.dense({ units: 1, activation: 'sigmoid', kernelInitializer: glorot(3) }),
    ],
  });
  const optimizer = tf.train.adam(0.03);
  model.compile({ optimizer, loss: 'binaryCrossentropy', metrics: ['accuracy'] });
  const curve = await fit(model, tf.tensor3d(x), tf.tensor2d(y), { epochs: 6, batchSize: 30 });
  optimizer.dispose();
  return curve;
}

test('a small LSTM learns as on cpu', () => learnsAlike(sequences, { accuracy: 0.9, near: 0.01 }));

/** A frozen graph as the body, and a new head that is trained: pictures with a bright half. */
async function graphModel(): Promise<Curve> {
  const folder = await mkdtemp(join(tmpdir(), 'graph-model-'));
  try {
    const body = await loadGraphModel(fromDisk(await writeGraphModel(folder)));
    const [height, width, channels] = IMAGE;
    const side = Array.from({ length: 64 }, (_, i) => i % 2);
    const x = tf.tidy(() => {
      const bright = tf.tensor2d(
        side.map((s) => Array.from({ length: width }, (_, c) => (c < width / 2 === (s === 0) ? 1 : 0))),
      );
      const light = tf.reshape(bright, [64, 1, width, 1]);
      return tf.add(floats([64, height, width, channels], 3, -0.5, 0.5), tf.mul(light, tf.tensor1d([2, -1])));
    });
    const y = tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(side, 'int32'), 2), 'float32'));
    const columns = tf.tidy(() => tf.split(x, 2, 2));
    const features = tf.tidy(() =>
      tf.concat(
        columns.map(
          (half) =>
            body.predict(
              tf.pad(half, [
                [0, 0],
                [0, 0],
                [2, 3],
                [0, 0],
              ]),
            ) as tf.Tensor,
        ),
        1,
      ),
    );
    const w = tf.tidy(() => tf.variable(floats([2 * FEATURES, 2], 5, -0.1, 0.1)));
    const b = tf.tidy(() => tf.variable(tf.zeros([2])));
    const optimizer = tf.train.sgd(1);
    const logits = () => tf.add(tf.matMul(features as tf.Tensor2D, w as unknown as tf.Tensor2D), b);
    const loss: number[] = [];
    for (let step = 0; step < 30; step++) {
      const cost = optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, logits()) as tf.Scalar, true);
      loss.push((await (cost as tf.Scalar).data())[0]);
      cost?.dispose();
    }
    const chosen = tf.tidy(() => [...tf.argMax(logits(), 1).dataSync()]);
    const predictions = tf.tidy(() => [...tf.softmax(logits()).dataSync(), ...features.dataSync()]);
    const accuracy = chosen.filter((c, i) => c === side[i]).length / side.length;
    tf.dispose([x, y, columns, features, w, b]);
    optimizer.dispose();
    body.dispose();
    return { loss, accuracy, predictions };
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('a graph model from disk runs, and its new head learns, as on cpu', () =>
  learnsAlike(graphModel, { accuracy: 0.95, near: 0.01 }));
