/**
 * The backend as a guest of its process: the same bits for any number of threads, no leaks, no early or late ends,
 * true accounts of time and memory, and an error that helps where memory ends.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { COMPILED, floats, ints } from './testing/compare.ts';

const CHILD = join(import.meta.dirname, 'testing', 'child.ts');

/** Runs a program of `child.ts`; rejects if it fails, or does not end by itself. */
async function child(program: string, env: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const { stdout } = await run(program, env);
  return stdout.trim().split('\n');
}

function run(program: string, env: Readonly<Record<string, string>>) {
  const options = { env: { ...process.env, ...env }, timeout: 60_000 };
  return promisify(execFile)(process.execPath, [CHILD, program], options);
}

test('1, 2 and 3 threads train to the same bits', async () => {
  const [one] = await child('train', { JIT_THREADS: '1' });
  assert.match(one, /^[0-9a-f]{64}$/);
  const [[two], [three]] = await Promise.all(['2', '3'].map((JIT_THREADS) => child('train', { JIT_THREADS })));
  assert.equal(two, one);
  assert.equal(three, one);
});

test('a process ends by itself when all is done, and not before', async () => {
  const [pending, quiet] = await Promise.all([child('pending'), child('quiet'), child('unread'), child('idle')]);
  assert.match(pending[0], /^value -?\d/);
  assert.deepEqual(quiet, ['value 0,0,0', 'value 1,2,3', 'value 2,4,6']);
  await assert.rejects(child('fails'), { code: 1, stderr: /a mistake of the user/ });
});

test('a number of threads that makes no sense is refused', async () => {
  await assert.rejects(child('idle', { JIT_THREADS: 'many' }), { stderr: /JIT_THREADS must be .* and is "many"/ });
});

test('JIT_DEBUG prints the stages that it names, and says which there are', async () => {
  const { stderr } = await run('quiet', { JIT_DEBUG: 'graph,passes,plan,wasm,time' });
  for (const stage of ['graph', 'passes', 'plan', 'wasm', 'time']) assert.match(stderr, new RegExp(`── ${stage} ──`));
  assert.match(stderr, /%\d+ f32\[3\] = mul %\d+ %\d+\nreturn %\d+/);
  const other = await run('idle', { JIT_DEBUG: 'plans' });
  assert.match(other.stderr, /unknown stage "plans"; the stages are graph, passes, plan, wasm, time/);
  assert.doesNotMatch(other.stderr, /──/);
});

test('where memory ends, the error names need, limit and a batch that fits, and all goes on', async () => {
  const [first, second] = await child('memory');
  const error = JSON.parse(first) as { need: number; limit: number; batchSize: number; batch: number; message: string };
  assert.ok(error.need > error.limit && error.limit < 2 ** 32, first);
  assert.ok(error.batchSize >= 1 && error.batchSize < error.batch, first);
  assert.ok(error.need * (error.batchSize / error.batch) < error.limit, 'the batch that it names would fit');
  assert.match(
    error.message,
    new RegExp(`needs \\d+\\.\\d\\d GiB .* ends at 4\\.00 GiB.* batch of ${error.batchSize} `),
  );
  assert.ok(Number.isFinite((JSON.parse(second) as { loss: number }).loss), second);
});

for (const backend of ['jit', COMPILED]) {
  test(`training leaks neither tensors nor memory on ${backend}`, async () => {
    await tf.setBackend(backend);
    const model = tfl.sequential({
      layers: [
        tfl.layers.conv2d({ inputShape: [8, 8, 2], filters: 8, kernelSize: 3, activation: 'relu' }),
        tfl.layers.batchNormalization(),
        tfl.layers.flatten(),
        tfl.layers.dense({ units: 4, activation: 'softmax' }),
      ],
    });
    model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    const step = async (seed: number) => {
      const [x, y] = [floats([6, 8, 8, 2], seed), tf.tidy(() => tf.oneHot(ints([6], seed, 0, 4), 4))];
      await model.trainOnBatch(x, y);
      tf.dispose([x, y]);
    };
    type Memory = tf.MemoryInfo & { readonly wasmBytes: number };
    for (let i = 0; i < 5; i++) await step(i);
    const before = tf.memory() as Memory;
    for (let i = 0; i < 50; i++) await step(i);
    const after = tf.memory() as Memory;
    assert.deepEqual(
      { tensors: after.numTensors, buffers: after.numDataBuffers, bytes: after.numBytes, wasm: after.wasmBytes },
      { tensors: before.numTensors, buffers: before.numDataBuffers, bytes: before.numBytes, wasm: before.wasmBytes },
    );
    if (backend === COMPILED) assert.ok(after.wasmBytes > 0);
  });
}

test('what is disposed of is free again, and what is aliased is not', async () => {
  await tf.setBackend('jit');
  const used = () => (tf.memory() as unknown as { wasmBytes: number }).wasmBytes;
  const make = async () => {
    const x = tf.tidy(() => tf.add(floats([100_000]), 1));
    await x.data();
    return x;
  };
  (await make()).dispose(); // from here on the program is there
  const before = used();
  const x = await make();
  assert.ok(used() >= before + 400_000, 'the memory of x counts');
  const alias = tf.reshape(x, [100, 1000]);
  x.dispose();
  assert.ok(used() >= before + 400_000, 'the alias keeps it');
  alias.dispose();
  assert.equal(used(), before);
});

test('tf.time measures the run, not the recording', async () => {
  await tf.setBackend('jit');
  const x = floats([1000, 1000]);
  const { kernelMs, wallMs } = await tf.time(() => tf.matMul(x, x).dispose());
  assert.ok(typeof kernelMs === 'number' && kernelMs >= 0 && kernelMs <= wallMs);
  const kept: tf.Tensor[] = [];
  const real = await tf.time(() => kept.push(tf.matMul(x, x)));
  // 2 GFLOP: not even a fast machine does that in a millisecond.
  assert.ok((real.kernelMs as number) > 1 && (real.kernelMs as number) <= real.wallMs);
  tf.dispose([x, kept]);
});

test('tf.profile names the kernels, their shapes, times and memory', async () => {
  await tf.setBackend('jit');
  const [a, b] = [floats([30, 20]), floats([20, 10])];
  const profile = await tf.profile(() => tf.tidy(() => tf.sum(tf.relu(tf.matMul(a, b)))));
  assert.deepEqual(
    profile.kernels.map(({ name, inputShapes, outputShapes }) => ({ name, inputShapes, outputShapes })),
    [
      {
        name: 'BatchMatMul',
        inputShapes: [
          [30, 20],
          [20, 10],
        ],
        outputShapes: [[30, 10]],
      },
      { name: 'Relu', inputShapes: [[30, 10]], outputShapes: [[30, 10]] },
      { name: 'Sum', inputShapes: [[30, 10]], outputShapes: [[]] },
    ],
  );
  for (const kernel of profile.kernels) assert.ok(((await kernel.kernelTimeMs) as number) >= 0);
  assert.equal(profile.newTensors, 1);
  assert.equal(profile.newBytes, 4);
  assert.ok(profile.peakBytes >= 4 * (300 + 300));
  const result = profile.result as unknown as tf.Tensor;
  assert.ok(Number.isFinite((await result.data())[0]));
  tf.dispose([a, b, result]);
});

test('thousands of tiny programs back to back, read at once, later, or never', async () => {
  await tf.setBackend('jit');
  let x: tf.Tensor = tf.tensor1d([0, 0.5]);
  const reads: Promise<void>[] = [];
  for (let i = 1; i <= 4000; i++) {
    const next = tf.add(x, 1);
    x.dispose();
    x = next;
    if (i % 7 === 0) assert.deepEqual([...x.dataSync()], [i, i + 0.5]);
    else if (i % 5 === 0) assert.deepEqual([...(await x.data())], [i, i + 0.5]);
    else if (i % 3 === 0) reads.push(x.data().then((values) => assert.deepEqual([...values], [i, i + 0.5])));
    else if (i % 2 === 0) await Promise.resolve();
    else if (i % 11 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(reads);
  assert.deepEqual([...x.dataSync()], [4000, 4000.5]);
  x.dispose();
});

for (const backend of ['jit', COMPILED]) {
  test(`more programs than are kept on ${backend}`, async () => {
    await tf.setBackend(backend);
    const bytes = () => (tf.memory() as unknown as { wasmBytes: number }).wasmBytes;
    const all = async () => {
      for (let n = 1; n <= 600; n++) {
        const x = tf.tidy(() => tf.add(tf.fill([n], n), tf.range(0, n)));
        const values = n % 2 === 0 ? x.dataSync() : await x.data();
        assert.deepEqual([values.length, values[0], values[n - 1]], [n, n, 2 * n - 1]);
        x.dispose();
      }
    };
    await all();
    const before = bytes();
    await all();
    assert.equal(bytes(), before, 'old programs give their memory back');
  });
}

test('a loop that never yields may be long', async () => {
  await tf.setBackend('jit');
  let x: tf.Tensor = tf.tensor1d([1, 2]);
  for (let i = 0; i < 15_000; i++) {
    const next = i % 2 === 0 ? tf.add(x, 1) : tf.sub(x, 1);
    x.dispose();
    x = next;
  }
  for (let i = 0; i < 60_000; i++) tf.neg(x).dispose();
  assert.deepEqual([...x.dataSync()], [1, 2]);
  x.dispose();
});

test('a value may be read while later runs are under way, and after its tensor is gone', async () => {
  await tf.setBackend('jit');
  const x = floats([300, 300]);
  const chain: tf.Tensor[] = [x];
  const reads: Promise<Float32Array>[] = [];
  for (let i = 0; i < 20; i++) {
    chain.push(tf.clipByValue(tf.matMul(chain[i], x), -1, 1));
    reads.push(chain[i + 1].data() as Promise<Float32Array>);
    await Promise.resolve();
  }
  const now = chain.slice(1).map((tensor) => tensor.dataSync());
  tf.dispose(chain);
  const then = await Promise.all(reads);
  then.forEach((values, i) => {
    assert.deepEqual(values, now[i]);
  });
});

test('variables keep their values through assignments that feed on themselves', async () => {
  await tf.setBackend('jit');
  const w = tf.variable(tf.tensor1d([1, 2, 3]));
  const velocity = tf.variable(tf.zerosLike(w));
  const old: tf.Tensor[] = [];
  const expected = { w: [1, 2, 3], v: [0, 0, 0] };
  for (let step = 0; step < 40; step++) {
    if (step % 10 === 5) old.push(tf.clone(w)); // must survive the updates in place
    tf.tidy(() => {
      velocity.assign(tf.sub(tf.mul(velocity, 0.5), w));
      w.assign(tf.add(w, tf.mul(velocity, 0.25)));
    });
    expected.v = expected.v.map((v, i) => Math.fround(v * 0.5 - expected.w[i]));
    expected.w = expected.w.map((x, i) => Math.fround(x + 0.25 * expected.v[i]));
    if (step % 3 === 0) await Promise.resolve();
    if (step % 10 === 4) old.push(tf.tensor1d(expected.w));
  }
  const close = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).forEach((value, i) => {
      assert.ok(Math.abs(value - b[i]) < 1e-4, `${a} should be ${b}`);
    });
  close(w.dataSync(), expected.w);
  close(velocity.dataSync(), expected.v);
  for (let i = 0; i < old.length; i += 2) close(old[i].dataSync(), old[i + 1].dataSync());
  tf.dispose([w, velocity, ...old]);
});
