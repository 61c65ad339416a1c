/** What `browser.test.ts` calls in a page: as `globalThis.tests`, with arguments and results that survive as JSON. */
import * as tf from '@tensorflow/tfjs-core';
import { type JitBackend, OutOfMemoryError } from '../../index.ts';
import type { Case, Cases } from './cases.ts';
import { contractCases } from './cases-contract.ts';
import { elementwiseCases } from './cases-elementwise.ts';
import { fallbackCases, gradientCases } from './cases-gradient.ts';
import { moveCases } from './cases-move.ts';
import { reduceCases } from './cases-reduce.ts';
import { compare, floats } from './compare.ts';
import { resnetRun } from './resnet-run.ts';

const cases: Cases = {
  ...elementwiseCases,
  ...reduceCases,
  ...moveCases,
  ...contractCases,
  gradients: gradientCases,
  fallback: fallbackCases,
};

const start = async () => {
  if (!(await tf.setBackend('jit'))) throw new Error('the backend did not start');
};

/** How the backend runs here. */
async function facts() {
  await start();
  const { pool, features } = (tf.backend() as JitBackend).engine;
  return { threads: pool.threads, shared: features.shared, wide: features.wide, relaxed: features.relaxed };
}

export const tests = {
  /** Every n-th case of every kernel, on cpu and on jit; how many ran, and what failed. */
  async parity(every: number): Promise<{ count: number; failures: string[] }> {
    const chosen: Case[] = Object.values(cases).flatMap((list) => list.filter((_, i) => i % every === 0));
    const failures: string[] = [];
    for (const { name, run, tolerance } of chosen) {
      try {
        await compare(name, run, tolerance);
      } catch (error) {
        failures.push(`${name}: ${error instanceof Error ? error.message : error}`);
      }
    }
    return { count: chosen.length, failures };
  },

  resnetRun,

  facts,

  /** The facts of a second backend, after the first is gone. */
  async twice() {
    await facts();
    const make = tf.findBackendFactory('jit');
    tf.removeBackend('jit');
    tf.registerBackend('jit', make);
    return facts();
  },

  /** While a long program runs: how long the page was busy at most between two ticks, and how many ticks there were. */
  async responsive(rounds: number) {
    await start();
    const x = floats([512, 512], 1, -0.05, 0.05);
    const program = () =>
      tf.tidy(() => {
        let y: tf.Tensor = x;
        for (let i = 0; i < rounds; i++) y = tf.matMul(y, x);
        return tf.sum(y);
      });
    (await program().data()).slice(); // compiled from here on
    let [ticks, longest, last] = [0, 0, performance.now()];
    let going = true;
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      ticks++;
      if (going) channel.port2.postMessage(0);
    };
    const began = performance.now();
    const result = program();
    channel.port2.postMessage(0);
    const [value] = await result.data();
    going = false;
    channel.port1.close();
    const milliseconds = performance.now() - began;
    tf.dispose([x, result]);
    return { ticks, longest, milliseconds, value };
  },

  /** `dataSync` at once, in the middle of other runs, and again. */
  async sync() {
    await start();
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const first = Array.from(tf.matMul(x, x).dataSync());
    const late = tf.matMul(floats([600, 600]), floats([600, 600])).data();
    const second = Array.from(tf.add(x, 1).dataSync());
    const length = (await late).length;
    let y: tf.Tensor = tf.scalar(0);
    for (let i = 0; i < 200; i++) {
      y = tf.add(y, 1);
      if (i % 3 === 0) y.dataSync();
      else if (i % 3 === 1) await y.data();
    }
    return { first, second, length, count: y.dataSync()[0] };
  },

  /** A step that does not fit, and one that does after it. */
  async memory() {
    await start();
    const give = async (size: number) => {
      const x = tf.zeros([size, 64, 64, 3]);
      const w = tf.zeros([3, 3, 3, 64]);
      const y = tf.tidy(() => tf.sum(tf.relu(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'))));
      try {
        return (await y.data())[0];
      } catch (error) {
        return error instanceof OutOfMemoryError ? error.message : `other: ${error}`;
      } finally {
        tf.dispose([x, w, y]);
      }
    };
    return { large: await give(30_000), small: await give(2) };
  },

  /** Whoever waits when the backend goes gets an error; a new one starts. */
  async dispose() {
    await start();
    const x = floats([900, 900]);
    const waiting = tf
      .matMul(tf.matMul(x, x), x)
      .data()
      .then(
        () => 'a value',
        (error: unknown) => String(error),
      );
    await new Promise((resolve) => setTimeout(resolve, 1));
    tf.removeBackend('jit');
    return { waiting: await waiting };
  },
};

Object.assign(globalThis, { tests });
