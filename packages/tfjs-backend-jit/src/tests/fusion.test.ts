/**
 * Random programs give the bits of the cpu backend, whatever is fused, kept, disposed of, read and when: whole
 * numbers make every result exact. Each program runs several times with new inputs and its own earlier results.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { assertClose, type Backend, COMPILED, Random, type Result, snapshot } from './testing/compare.ts';
import { operations, type Source, small, wholeNumbers } from './testing/random-program.ts';

const SHAPES = [
  [],
  [5],
  [64],
  [3, 5],
  [8, 9],
  [2, 3, 4],
  [33, 4],
  [2, 4, 4, 3],
  [1, 5, 5, 2],
  [2, 2, 3, 2, 2],
] as const;
const LARGE = [[64, 64], [7, 999], [2, 16, 16, 8], [3, 70, 33], [9001], [300, 3], [70], [33]] as const;
const NAMES = Object.keys(operations);
const EXACT = { relative: 0, absolute: 0 };

interface Options {
  readonly seeds: number;
  readonly shapes?: readonly (readonly number[])[];
  readonly maxSize?: number;
  readonly steps: number;
  readonly rounds: number;
  /** Chances, for each step, that a tensor is disposed of, is read, and that the turn of the event loop ends. */
  readonly dispose: number;
  readonly read: number;
  readonly pause: number;
}

/** Runs the program of a seed and returns everything that was ever read, in order. */
async function execute(seed: number, backend: Backend, options: Options): Promise<Result[]> {
  await tf.setBackend(backend);
  const start = tf.memory().numTensors;
  const results: (Result | Promise<Result>)[] = [];
  const kept: tf.Tensor[] = [];
  let state: tf.Tensor[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const data = new Random(1000 * seed + round);
    // The same choices in every round: the second finds the program of the first, with other values.
    const random = new Random(seed);
    const inputs = [1, 2, 3].map(() => wholeNumbers(random.pick(options.shapes ?? SHAPES), data));
    const shapes = [random.pick(options.shapes ?? SHAPES), random.pick(options.shapes ?? SHAPES)];
    if (round === 0) state = shapes.map((shape) => wholeNumbers(shape, data));
    const alive = [...inputs, ...state];
    const source: Source = {
      maxSize: options.maxSize ?? 1500,
      random,
      any: () => random.pick(alive),
      like(x) {
        const same = alive.filter((y) => y.shape.join() === x.shape.join());
        return same.length > 0 && random.chance(0.8) ? random.pick(same) : wholeNumbers(x.shape, data);
      },
    };
    for (let step = 0; step < options.steps; step++) {
      const name = random.pick(NAMES);
      alive.push(tf.tidy(() => small(operations[name](source.any(), source), source.maxSize)));
      if (random.chance(options.dispose) && alive.length > 4) alive.splice(random.int(alive.length), 1)[0].dispose();
      if (random.chance(options.read)) results.push(snapshot(source.any()));
      if (random.chance(options.read)) results.push(later(source.any()));
      if (random.chance(options.pause)) await Promise.resolve();
      if (random.chance(options.pause)) await new Promise((resolve) => setImmediate(resolve));
    }
    kept.push(...alive.splice(random.int(alive.length), 1));
    state = shapes.map((shape) => tf.tidy(() => reshaped(random.pick(alive), shape)));
    const order = [...alive].sort(() => (random.chance(0.5) ? 1 : -1));
    for (const tensor of order.slice(0, 1 + random.int(order.length))) {
      results.push(random.chance(0.5) ? snapshot(tensor) : later(tensor));
      if (random.chance(0.3)) results.push(later(tensor)); // the same tensor twice
    }
    tf.dispose(alive); // some of them while they are being read
  }
  results.push(...kept.map(snapshot), ...state.map(snapshot));
  tf.dispose([kept, state]);
  const all = await Promise.all(results);
  assert.equal(tf.memory().numTensors, start, `tensors leak on ${backend}`);
  return all;
}

async function later(tensor: tf.Tensor): Promise<Result> {
  const { shape, dtype } = tensor;
  return { shape, dtype, values: (await tensor.data()) as Result['values'] };
}

/** The first elements of x, repeated as needed, under another shape. */
function reshaped(x: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const flat = tf.tile(tf.reshape(x, [x.size]), [Math.ceil(size / x.size)]);
  return tf.add(tf.reshape(tf.slice(flat, 0, size), [...shape]), 0);
}

async function check(seed: number, options: Options): Promise<void> {
  const expected = await execute(seed, 'cpu', options);
  const actual = await execute(seed, COMPILED, options);
  assert.equal(actual.length, expected.length);
  for (const [i, reference] of expected.entries()) assertClose(actual[i], reference, `seed ${seed}, read ${i}`, EXACT);
}

const BIG = { shapes: LARGE, maxSize: 16_000 };

const KINDS: Readonly<Record<string, Options>> = {
  'short programs': { seeds: 60, steps: 6, rounds: 3, dispose: 0.3, read: 0, pause: 0 },
  'long programs': { seeds: 60, steps: 40, rounds: 3, dispose: 0.7, read: 0, pause: 0 },
  'programs that keep everything': { seeds: 60, steps: 25, rounds: 2, dispose: 0, read: 0, pause: 0 },
  'programs that read in between': { seeds: 60, steps: 25, rounds: 3, dispose: 0.6, read: 0.15, pause: 0.1 },
  'programs over large tensors': { seeds: 40, steps: 15, rounds: 2, dispose: 0.6, read: 0.05, pause: 0.05, ...BIG },
  'programs that end their turn all the time': { seeds: 60, steps: 20, rounds: 3, dispose: 0.6, read: 0.1, pause: 0.6 },
};

for (const [kind, options] of Object.entries(KINDS)) {
  test(`${kind} give the bits of the cpu backend`, async () => {
    for (let seed = 1; seed <= options.seeds; seed++) await check(seed, options);
  });
}
