/**
 * A few training steps of ResNet18 that Node and a page run alike, and what came of them, small enough to hand over.
 * In Node: `node resnet-run.ts '{"width":16,…}'` prints it.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type ResNetOptions, resnet18 } from '../../../../residual/src/models/resnet.ts';
import { sgd } from '../../../../residual/src/train/sgd.ts';
import { trainingStep } from '../../../../residual/src/train/step.ts';
import type { JitBackend } from '../../index.ts';
import { Random } from './compare.ts';

export interface RunRequest {
  readonly model: ResNetOptions & { readonly classes: number };
  readonly batch: number;
  readonly steps: number;
}

export interface RunResult {
  readonly losses: readonly number[];
  /** SHA-256 of all weights and moving averages, in order. */
  readonly hash: string;
  /** Some of them, evenly spread. */
  readonly sample: readonly number[];
  /** What the engine has found that it can do. */
  readonly relaxed: boolean;
  readonly wide: boolean;
  readonly shared: boolean;
  readonly threads: number;
}

const SAMPLES = 5000;

export async function resnetRun({ model: options, batch, steps }: RunRequest): Promise<RunResult> {
  if (!(await tf.setBackend('jit'))) throw new Error('the backend did not start');
  const model = resnet18(options);
  const step = trainingStep(model, { optimizer: sgd({ learningRate: 0.02, momentum: 0.9 }) });
  const random = new Random(7);
  const pixels = options.inputShape.reduce((a, b) => a * b, batch);
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const images = Float32Array.from({ length: pixels }, () => 4 * random.next() - 2);
    const labels = Int32Array.from({ length: batch }, () => random.int(options.classes));
    losses.push((await step({ images, labels, size: batch })).loss);
  }
  const values = await Promise.all(model.weights.map((weight) => weight.read().data() as Promise<Float32Array>));
  model.dispose();
  const all = new Float32Array(values.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of values) {
    all.set(part, at);
    at += part.length;
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', all));
  const { features, pool } = (tf.backend() as JitBackend).engine;
  return {
    losses,
    hash: Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join(''),
    sample: Array.from({ length: SAMPLES }, (_, i) => all[Math.floor((i * all.length) / SAMPLES)]),
    relaxed: features.relaxed,
    wide: features.wide,
    shared: features.shared ?? true,
    threads: pool.threads,
  };
}

const [, file, request] = globalThis.process?.argv ?? [];
if (file?.endsWith('resnet-run.ts')) {
  await import('../../index.ts');
  console.log(JSON.stringify(await resnetRun(JSON.parse(request) as RunRequest)));
}
