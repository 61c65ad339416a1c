/**
 * Ordinary TF.js code, a few operations on a few numbers, and how long each piece takes on one backend:
 * `node bench/ordinary-code.ts jit|cpu` prints the times as JSON. `ordinary.ts` runs it for both.
 */
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

/** Microseconds a call. */
export interface Times {
  /** The first call of the process. */
  readonly first: number;
  /** The mean of calls that have other shapes each. */
  readonly fresh: number;
  /** The median of calls that are all the same, after some. */
  readonly again: number;
}

/** Code whose shapes depend on n, from 2 on. It reads its result. */
type Piece = (n: number) => unknown;

const vector = (n: number, of: (i: number) => number = (i) => i / n + 0.1) =>
  tf.tensor1d(Float32Array.from({ length: n }, (_, i) => of(i)));
const table = (rows: number, columns: number) => tf.reshape(vector(rows * columns), [rows, columns]);
const tidily =
  (run: (n: number) => tf.Tensor): Piece =>
  (n) =>
    tf.tidy(() => run(n).dataSync());

function dense(): tfl.Sequential {
  const model = tfl.sequential({
    layers: [
      tfl.layers.dense({ inputShape: [4], units: 16, activation: 'relu' }),
      tfl.layers.dense({ units: 3, activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy' });
  return model;
}

function convolutional(): tfl.Sequential {
  return tfl.sequential({
    layers: [
      tfl.layers.conv2d({ inputShape: [12, 12, 1], filters: 8, kernelSize: 3, activation: 'relu' }),
      tfl.layers.maxPooling2d({ poolSize: 2 }),
      tfl.layers.flatten(),
      tfl.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
}

/** Made anew for each backend, since models hold tensors. */
function pieces(): Readonly<Record<string, Piece>> {
  const [small, cnn] = [dense(), convolutional()];
  return {
    'four operations on scalars': tidily((n) => tf.sqrt(tf.add(tf.mul(tf.scalar(n), 3), tf.scalar(1 / n)))),
    'add a number to a vector': tidily((n) => tf.add(vector(n), 1)),
    'chain of ten on a vector': tidily((n) => {
      let x: tf.Tensor = vector(n);
      for (let i = 0; i < 5; i++) x = tf.abs(tf.sub(tf.mul(x, 0.9), 0.05));
      return x;
    }),
    'exp, tanh, sigmoid': tidily((n) => tf.sigmoid(tf.tanh(tf.exp(vector(n))))),
    'range, linspace, oneHot': tidily((n) =>
      tf.add(tf.oneHot(tf.range(0, n, 1, 'int32'), n), tf.reshape(tf.linspace(0, 1, n), [n, 1])),
    ),
    'integers and conditions': tidily((n) => {
      const x = tf.range(0, n, 1, 'int32');
      return tf.where(tf.equal(tf.mod(x, tf.scalar(3, 'int32')), tf.scalar(0, 'int32')), tf.mul(x, x), tf.neg(x));
    }),
    'ten steps of Newton, each read by dataSync': (n) => {
      let x = n;
      for (let i = 0; i < 10; i++) {
        x = tf.tidy(() => {
          const t = tf.scalar(x);
          return tf.sub(t, tf.div(tf.sub(tf.square(t), n), tf.mul(t, 2))).dataSync()[0];
        });
      }
    },
    'ten steps of Newton, each awaited': async (n) => {
      let x = vector(n, (i) => i + 1);
      for (let i = 0; i < 10; i++) {
        const next = tf.tidy(() => tf.sub(x, tf.div(tf.sub(tf.square(x), n), tf.mul(x, 2)))) as tf.Tensor1D;
        await next.data();
        x.dispose();
        x = next;
      }
      x.dispose();
    },
    'matMul of small matrices': tidily((n) => tf.matMul(table(n, 8), table(8, n))),
    'argMax and topk': tidily((n) => {
      const x = table(4, n);
      return tf.add(tf.argMax(x, 1), tf.max(tf.topk(x, 2).indices, 1));
    }),
    'gather, slice, concat, stack': tidily((n) => {
      const x = table(n, 3);
      const picked = tf.gather(x, tf.tensor1d([0, n - 1, 1], 'int32'));
      return tf.stack([tf.concat([picked, tf.slice(x, [1, 0], [1, 3])]), tf.concat([tf.slice(x, 0, 1), picked])]);
    }),
    'mean and variance of rows, softmax': tidily((n) => {
      const x = table(n, 6);
      const { mean, variance } = tf.moments(x, 1, true);
      return tf.softmax(tf.div(tf.sub(x, mean), tf.sqrt(variance)));
    }),
    'gradient of a logistic regression': tidily((n) => {
      const [x, y] = [table(n, 3), vector(n, (i) => i % 2)];
      const loss = (w: tf.Tensor) => tf.losses.sigmoidCrossEntropy(y, tf.reshape(tf.matMul(x, w), [n])) as tf.Scalar;
      return tf.grad(loss)(tf.ones([3, 1]));
    }),
    'a sequence that grows, read ten times': (n) =>
      tf.tidy(() => {
        let x = vector(n) as tf.Tensor;
        for (let i = 0; i < 10; i++) {
          const last = tf.mul(tf.slice(x, x.size - 1, 1), 0.5);
          x = tf.concat([x, last]);
          last.dataSync();
        }
      }),
    'a small picture resized and scaled': tidily((n) => {
      const picture = tf.reshape(table(3 * n, n + 1), [n, n + 1, 3]) as tf.Tensor3D;
      return tf.expandDims(tf.div(tf.image.resizeBilinear(picture, [16, 16]), 255));
    }),
    'predict of two dense layers': tidily((n) => small.predict(table(n, 4)) as tf.Tensor),
    'fit of two dense layers, a step': async (n) => {
      const [x, y] = [table(n, 4), tf.oneHot(tf.range(0, n, 1, 'int32'), 3)];
      await small.fit(x, y, { batchSize: n, epochs: 1, verbose: 0 });
      tf.dispose([x, y]);
    },
    'predict of a small convolutional network': tidily((n) => cnn.predict(tf.ones([n, 12, 12, 1])) as tf.Tensor),
  };
}

const FRESH = 24;
const AGAIN = 150;
/** Calls of the same shapes before they count. */
const SETTLE = 60;

async function timeOf(piece: Piece, n: number): Promise<number> {
  const start = performance.now();
  await piece(n);
  return (performance.now() - start) * 1000;
}

async function measure(piece: Piece): Promise<Times> {
  const first = await timeOf(piece, 5);
  let fresh = 0;
  for (let i = 0; i < FRESH; i++) fresh += await timeOf(piece, 6 + i);
  for (let i = 0; i < SETTLE; i++) await piece(5);
  const again: number[] = [];
  for (let i = 0; i < AGAIN; i++) again.push(await timeOf(piece, 5));
  return { first, fresh: fresh / FRESH, again: again.sort((a, b) => a - b)[AGAIN >> 1] };
}

if (import.meta.main) {
  console.warn = () => {}; // advice about other backends
  await tf.setBackend(process.argv[2] ?? 'jit');
  const times: Record<string, Times> = {};
  for (const [name, piece] of Object.entries(pieces())) times[name] = await measure(piece);
  console.log(JSON.stringify(times));
  process.exit(0);
}
