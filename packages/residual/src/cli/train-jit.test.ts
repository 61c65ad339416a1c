/** Training on the backend that compiles: a step is one program whatever its optimizer, compiled once, with the same bits
 *  on any number of threads, and with the numbers of the plain cpu backend. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import 'tfjs-backend-jit';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { adamW } from '../train/adamw.ts';
import { Averages, averageSettings } from '../train/averages.ts';
import { crossEntropy, distillation, focal, type Loss } from '../train/losses.ts';
import { muon } from '../train/muon.ts';
import { cosineDecay } from '../train/schedules.ts';
import { sgd } from '../train/sgd.ts';
import { type StepOptions, trainingStep } from '../train/step.ts';
import { tinyModel, weightsOf } from '../train/testing.ts';

// A step of so small a network would run without being compiled.
process.env.JIT_COMPILE = 'always';

/** What the backend counts: its fields are its own. */
interface Counted {
  readonly runner: { readonly programs: ReadonlyMap<string, unknown> };
  readonly engine: { run: (...given: readonly unknown[]) => unknown };
}

const images = (seed: number) =>
  tf.tidy(() => tf.randomNormal([12, 8, 8, 1], 0, 1, 'float32', 1 + seed).dataSync() as Float32Array);
const labels = Int32Array.from({ length: 12 }, (_, i) => i % 3);
const rate = cosineDecay(0.02, 30, { warmupSteps: 3 });

const cases: Readonly<Record<string, () => Omit<StepOptions, 'averages'>>> = {
  'sgd with factors and clipping': () => ({
    optimizer: sgd({
      learningRate: rate,
      momentum: 0.9,
      nesterov: true,
      weightDecay: 1e-3,
      learningRateFactors: { '*/bias': 8 },
      clip: { globalNorm: 1 },
    }),
  }),
  'adamW with the focal loss': () => ({
    optimizer: adamW({ learningRate: rate }),
    loss: focal(),
    classWeights: [1, 2, 1],
  }),
  'muon with smoothing': () => ({
    optimizer: muon({ learningRate: rate, others: sgd({ learningRate: rate, momentum: 0.9 }) }),
    loss: crossEntropy({ labelSmoothing: 0.1 }),
  }),
  'adamW with a teacher': () => ({
    optimizer: adamW({ learningRate: rate }),
    loss: distillation({ teacher: tinyModel() }),
  }),
};

for (const [name, make] of Object.entries(cases)) {
  test(`${name}: one program per step, compiled once, whatever the step and its learning rate`, async () => {
    await tf.setBackend('jit');
    const backend = tf.backend() as unknown as Counted;
    const model = tinyModel();
    const averages = new Averages(model, averageSettings({ ema: 0.99 }));
    const options = make();
    const step = trainingStep(model, { ...options, averages });
    for (let i = 0; i < 2; i++) await step({ images: images(i), labels, size: 12 });
    const [programs, { run }] = [backend.runner.programs.size, backend.engine];
    let runs = 0;
    backend.engine.run = (...given) => {
      runs++;
      return run.apply(backend.engine, given as never);
    };
    const inputs = Array.from({ length: 4 }, (_, i) => images(10 + i));
    runs = 0;
    for (const one of inputs) await step({ images: one, labels, size: 12 });
    backend.engine.run = run;
    assert.equal(runs, 4);
    assert.equal(backend.runner.programs.size, programs);
    for (const owned of [averages, options.optimizer, model]) owned.dispose();
  });

  test(`${name}: the same numbers as on the plain cpu backend`, async () => {
    const weightsOn = async (backend: string) => {
      await tf.setBackend(backend);
      const model = tinyModel();
      const options = make();
      const step = trainingStep(model, options);
      const losses: number[] = [];
      for (let i = 0; i < 4; i++) losses.push((await step({ images: images(i), labels, size: 12 })).loss);
      return { losses, weights: await weightsOf(model) };
    };
    const [jit, cpu] = [await weightsOn('jit'), await weightsOn('cpu')];
    jit.losses.forEach((loss, i) => {
      assert.ok(Math.abs(loss - (cpu.losses[i] ?? 9)) < 1e-4, `${jit.losses} and ${cpu.losses}`);
    });
    for (const [weight, values] of Object.entries(jit.weights)) {
      values.forEach((value, i) => {
        assert.ok(Math.abs(value - (cpu.weights[weight]?.[i] ?? 9)) < 2e-3, `${weight}: ${value}`);
      });
    }
  });
}

test('micro-batches share one program, and lookahead has a small one of its own', async () => {
  await tf.setBackend('jit');
  const backend = tf.backend() as unknown as Counted;
  const model = tinyModel();
  const averages = new Averages(model, averageSettings({ lookahead: { every: 2 } }));
  const optimizer = sgd({ learningRate: rate, momentum: 0.9 });
  const step = trainingStep(model, { optimizer, averages, microBatch: 3 });
  for (let i = 0; i < 4; i++) await step({ images: images(i), labels, size: 12 });
  const programs = backend.runner.programs.size;
  for (let i = 0; i < 6; i++) await step({ images: images(i), labels, size: 12 });
  assert.equal(backend.runner.programs.size, programs);
  step.dispose();
  for (const owned of [averages, optimizer, model]) owned.dispose();
});

test('model.compile and model.fit take them on jit', async () => {
  await tf.setBackend('jit');
  const x = tf.add(
    tf.randomNormal([12, 8, 8, 1], 0, 0.3, 'float32', 1),
    tf.reshape(tf.cast(labels, 'float32'), [12, 1, 1, 1]),
  );
  const y = tf.oneHot(labels, 3);
  const compiled: readonly (string | Loss)[] = [
    'categoricalCrossentropy',
    focal(),
    crossEntropy({ labelSmoothing: 0.1 }),
  ];
  for (const loss of compiled) {
    const model = tinyModel();
    model.compile({ optimizer: adamW({ learningRate: cosineDecay(0.05, 40) }), loss, metrics: ['accuracy'] });
    const { history } = await model.fit(x, y, { epochs: 12, batchSize: 6, shuffle: false });
    assert.ok((history.loss?.at(-1) as number) < 0.5 * (history.loss?.[0] as number), JSON.stringify(history));
    model.dispose();
  }
});

/** A run with everything that has a state, on so many threads. Prints a checksum of the weights that it ends with. */
const program = `
  import 'tfjs-backend-jit';
  import { crc32 } from 'node:zlib';
  import * as tf from '@tensorflow/tfjs-core';
  const at = (path) => import(new URL(path, ${JSON.stringify(import.meta.url)}));
  const { halvesSplits, tinyModel, weightsOf } = await at('../train/testing.ts');
  const { train } = await at('../train/train.ts');
  const { adamW } = await at('../train/adamw.ts');
  const { muon } = await at('../train/muon.ts');
  await tf.setBackend('jit');
  const model = tinyModel();
  const optimizer = muon({ learningRate: 0.02, others: adamW({ learningRate: 0.01 }), clip: { globalNorm: 1 } });
  const averages = { ema: 0.9, lookahead: true };
  await train(model, halvesSplits(), { epochs: 2, batchSize: 12, seed: 3, optimizer, ...averages, microBatch: 5 });
  let sum = 0;
  for (const values of Object.values(await weightsOf(model))) sum = crc32(new Uint8Array(values.buffer), sum);
  console.log('weights ' + sum.toString(16));
`;

async function checksum(threads: number): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, JIT_THREADS: String(threads) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await new Promise((resolve) => child.once('close', resolve));
  return /weights ([0-9a-f]+)/.exec(text)?.[1] ?? assert.fail(text);
}

test('every optimizer and average gives the same bits on one thread and on two', async () => {
  assert.equal(await checksum(1), await checksum(2));
});
