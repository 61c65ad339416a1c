/**
 * Runs one function of TF.js ops on two backends and compares all that comes out: shapes, types and every element.
 * Data come from seeds, so that both backends see the same and a failure can be repeated.
 */
import assert from 'node:assert/strict';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's kernels
import '../../index.ts';
import { JitBackend } from '../../backend.ts';
import { rules } from '../../record/rules.ts';
import { startEngine } from '../../runtime/platform.ts';

/** A backend that compiles every program, small new ones too: `jit` runs those step by step. */
export const COMPILED = 'jit-compiled';
for (const config of tf.getKernelsForBackend('jit')) tf.registerKernel({ ...config, backendName: COMPILED });
tf.registerBackend(COMPILED, async () => new JitBackend(await startEngine(() => {}), rules.Fill, true));

export type Backend = 'cpu' | 'jit' | typeof COMPILED;

export type Tensors = tf.Tensor | readonly tf.Tensor[];

/** What a tensor was, after it is gone. */
export interface Result {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly values: Float32Array | Int32Array | Uint8Array;
}

/** How far two results may lie apart. */
export interface Tolerance {
  /** Relative to each element, or with `ofMax` to the largest magnitude of the reference. Default 1e-5. */
  readonly relative?: number;
  /** Beside the relative part, in absolute terms. Default 0. */
  readonly absolute?: number;
  readonly ofMax?: boolean;
}

/** Runs `run` on a backend and reads what it returns, in order. Disposes of everything. */
export async function evaluate(backend: Backend, run: () => Tensors): Promise<Result[]> {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const tensors = tf.tidy(() => {
    const out = run();
    return out instanceof tf.Tensor ? [out] : [...out];
  });
  const results = tensors.map(snapshot);
  tf.dispose(tensors);
  assert.equal(tf.memory().numTensors, before, `tensors leak on ${backend}`);
  return results;
}

export function snapshot(tensor: tf.Tensor): Result {
  return { shape: tensor.shape, dtype: tensor.dtype, values: tensor.dataSync() as Result['values'] };
}

/** Compares `run`, compiled, with `run` on the cpu backend; on jit, as ordinary code runs, it must have the very same bits. */
export async function compare(name: string, run: () => Tensors, tolerance: Tolerance = {}): Promise<void> {
  const expected = await evaluate('cpu', run);
  const compiled = await evaluate(COMPILED, run);
  const actual = await evaluate('jit', run);
  assert.equal(compiled.length, expected.length, `${name}: number of outputs`);
  expected.forEach((reference, i) => {
    assertClose(compiled[i], reference, `${name}, output ${i}`, tolerance);
    assertSameBits(actual[i], compiled[i], `${name}, output ${i} of jit`);
  });
}

/** Asserts equal shape, type and bits. All NaN are one. */
export function assertSameBits(actual: Result, expected: Result, name: string): void {
  assert.deepEqual([...actual.shape], [...expected.shape], `${name}: shape`);
  assert.equal(actual.dtype, expected.dtype, `${name}: dtype`);
  assert.deepEqual(bitsOf(actual), bitsOf(expected), name);
}

function bitsOf({ values }: Result): Uint32Array | Int32Array | Uint8Array {
  if (!(values instanceof Float32Array)) return values;
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length).slice();
  values.forEach((value, i) => {
    if (Number.isNaN(value)) bits[i] = 0x7fc00000;
  });
  return bits;
}

const ARRAYS: Readonly<Record<string, unknown>> = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };

/** Asserts equal shape and type, and values as near as `tolerance` says. NaN equals NaN, ∞ equals ∞. */
export function assertClose(actual: Result, expected: Result, name: string, tolerance: Tolerance = {}): void {
  assert.deepEqual([...actual.shape], [...expected.shape], `${name}: shape`);
  assert.equal(actual.dtype, expected.dtype, `${name}: dtype`);
  // The cpu backend keeps the array of integers when it casts them to floats; ours gives what the type promises.
  assert.equal(actual.values.constructor, ARRAYS[expected.dtype], `${name}: type of the values`);
  assert.equal(actual.values.length, expected.values.length, `${name}: number of values`);
  const { relative = 1e-5, absolute = 0, ofMax = false } = tolerance;
  const exact = expected.dtype !== 'float32';
  const scale = ofMax ? largest(expected.values) : 0;
  let wrong = 0;
  let first = '';
  for (let i = 0; i < expected.values.length; i++) {
    const [a, e] = [actual.values[i], expected.values[i]];
    if (a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    const allowed = exact ? 0 : relative * (ofMax ? scale : Math.abs(e)) + absolute;
    if (Math.abs(a - e) <= allowed && Number.isFinite(e)) continue;
    if (wrong++ === 0) first = `element ${i} is ${a} and should be ${e} (may differ by ${allowed})`;
  }
  const size = expected.values.length;
  assert.equal(wrong, 0, `${name} [${expected.shape}]: ${wrong} of ${size} elements are wrong; ${first}`);
}

function largest(values: Result['values']): number {
  let max = 0;
  for (const value of values) if (Number.isFinite(value)) max = Math.max(max, Math.abs(value));
  return max;
}

/** A seeded generator (mulberry32). */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = (seed * 2654435761) >>> 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number in [0, below). */
  int(below: number): number {
    return Math.floor(this.next() * below);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)];
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }
}

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** A float32 tensor, uniform in [low, high). */
export function floats(shape: readonly number[], seed = 1, low = -2, high = 2): tf.Tensor {
  const random = new Random(seed + sizeOf(shape));
  const values = Float32Array.from({ length: sizeOf(shape) }, () => low + (high - low) * random.next());
  return tf.tensor(values, [...shape], 'float32');
}

/** An int32 tensor, uniform in [low, high). */
export function ints(shape: readonly number[], seed = 1, low = -9, high = 10): tf.Tensor {
  const random = new Random(seed + sizeOf(shape));
  const values = Int32Array.from({ length: sizeOf(shape) }, () => low + random.int(high - low));
  return tf.tensor(values, [...shape], 'int32');
}

/** A bool tensor. */
export function bools(shape: readonly number[], seed = 1, share = 0.5): tf.Tensor {
  const random = new Random(seed + sizeOf(shape));
  const values = Uint8Array.from({ length: sizeOf(shape) }, () => (random.next() < share ? 1 : 0));
  return tf.tensor(values, [...shape], 'bool');
}

/** The float values where implementations go wrong: NaN, infinities, zeros, the very small and the very large. */
export function specials(): tf.Tensor1D {
  const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
  return tf.tensor1d(
    [
      nan,
      inf,
      -inf,
      0,
      -0,
      1,
      -1,
      0.5,
      -0.5,
      1.5,
      -1.5,
      2.5,
      -2.5,
      1e-20,
      -1e-20,
      1e20,
      -1e20,
      1e9,
      -1e9,
      88,
      -88,
    ].concat([1e-5, -1e-5, 1e-3, -1e-3, 0.1, -0.1, 10, -10, 17, -17, 30, -30, 3e9, -3e9]),
    'float32',
  );
}

/** Gradients of Σ f(xs)·w by every x, where w differs from element to element. */
export function gradients(f: (...xs: tf.Tensor[]) => tf.Tensor, xs: readonly tf.Tensor[]): tf.Tensor[] {
  const weighted = (...inputs: tf.Tensor[]) => {
    const y = f(...inputs);
    return tf.sum(tf.mul(y, floats(y.shape, 99, 0.5, 1.5))) as tf.Scalar;
  };
  return tf.grads(weighted)([...xs]);
}
