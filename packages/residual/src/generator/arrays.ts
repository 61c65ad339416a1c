/** Pictures and targets that are in memory already, as `flow` and `fit` take them: tensors or typed arrays. */
import * as tf from '@tensorflow/tfjs-core';
import type { BatchRequest, Dataset, ImageShape, ProducedBatch, ProduceOptions } from '../data/dataset.ts';
import { DataError } from '../data/errors.ts';

/** Pictures, NHWC, on any scale: a tensor, which stays the caller's, or values with their shape. */
export type Images =
  | tf.Tensor4D
  | {
      readonly data: Uint8Array | Float32Array;
      readonly shape: readonly [size: number, height: number, width: number, channels: number];
    };

/** One target per picture: a tensor whose first dimension counts pictures, numbers, or rows of numbers. */
export type ImageTargets = tf.Tensor | ArrayLike<number> | readonly ArrayLike<number>[];

export interface ImageValues {
  readonly data: Uint8Array | Float32Array;
  readonly size: number;
  readonly shape: ImageShape;
}

/** @throws DataError for anything but pictures of rank 4 */
export async function imageValues(x: Images, name: string): Promise<ImageValues> {
  const { shape } = x;
  if (!Array.isArray(shape) || shape.length !== 4) {
    throw new DataError(`${name} must be pictures of shape [size, height, width, channels], received [${shape}]`);
  }
  const [size, height, width, channels] = shape;
  const data = x instanceof tf.Tensor ? Float32Array.from(await x.data()) : x.data;
  if (!shape.every((n) => Number.isInteger(n) && n > 0) || data.length !== size * height * width * channels) {
    throw new DataError(
      `${name} must have pictures and as many values as its shape, received [${shape}] and ${data.length}`,
    );
  }
  return { data, size, shape: [height, width, channels] };
}

export interface TargetValues {
  readonly values: Float32Array;
  /** Of one picture's target: [] for a number. */
  readonly shape: readonly number[];
}

/** @throws DataError where there is not one target, all of one length, for each picture */
export async function targetValues(y: ImageTargets, size: number): Promise<TargetValues> {
  const { values, shape } = await flattened(y);
  if (shape[0] !== size) {
    throw new DataError(`x and y must have the same length, received ${size} pictures and ${shape[0] ?? 'no'} targets`);
  }
  return { values, shape: shape.slice(1) };
}

async function flattened(y: ImageTargets): Promise<{ values: Float32Array; shape: readonly number[] }> {
  if (y instanceof tf.Tensor) return { values: Float32Array.from(await y.data()), shape: y.shape };
  const first = y[0];
  if (first === undefined || typeof first === 'number') {
    return { values: Float32Array.from(y as ArrayLike<number>), shape: [y.length] };
  }
  const rows = Array.from(y as readonly ArrayLike<number>[]);
  const odd = rows.find((row) => row.length !== first.length);
  if (odd !== undefined) {
    throw new DataError(`y must have rows of one length, received some of ${first.length} and of ${odd.length}`);
  }
  return { values: Float32Array.from(rows.flatMap((row) => Array.from(row))), shape: [rows.length, first.length] };
}

/** The class of each picture as far as targets tell: whole numbers, or the largest of a row. */
export function labelsOf(targets: TargetValues | undefined, size: number): Int32Array<ArrayBuffer> {
  if (targets === undefined) return new Int32Array(size);
  const { values, shape } = targets;
  const width = shape.reduce((a, b) => a * b, 1);
  if (width === 1) return values.every(Number.isInteger) ? Int32Array.from(values) : new Int32Array(size);
  return Int32Array.from({ length: size }, (_, i) => {
    const row = values.subarray(i * width, (i + 1) * width);
    return row.indexOf(Math.max(...row));
  });
}

/** Pictures in memory as a data set: a worker thread changes them, batch by batch. */
export class ArrayDataset implements Dataset {
  readonly name = 'array';
  readonly classes: readonly string[];
  readonly size: number;
  readonly imageShape: ImageShape;
  readonly labels: Int32Array;
  readonly skipped = [];
  private readonly data: Uint8Array | Float32Array;
  private readonly rows: Int32Array;
  private pool: Promise<import('../data/node/worker-pool.ts').WorkerPool> | undefined;

  /** @param rows which of the pictures, in order */
  constructor({ data, shape }: ImageValues, labels: Int32Array, classes: readonly string[], rows: Int32Array) {
    this.data = data;
    this.imageShape = shape;
    this.rows = rows;
    this.size = rows.length;
    this.labels = labels;
    this.classes = classes;
  }

  /** Rounded to bytes. */
  async read(indices: ArrayLike<number>): Promise<{ images: Uint8Array; indices: Int32Array }> {
    const wanted = Int32Array.from(indices);
    return { images: Uint8Array.from(Uint8ClampedArray.from(this.gather(wanted))), indices: wanted };
  }

  async produce(request: BatchRequest, options: ProduceOptions = {}): Promise<ProducedBatch> {
    this.pool ??= import('../data/node/worker-pool.ts').then(({ WorkerPool }) => new WorkerPool());
    const pool = await this.pool;
    const { indices } = request;
    const samples = { images: this.gather(indices), indices, requested: indices };
    const job = { kind: 'finish', samples, shape: this.imageShape, request } as const;
    const done = await pool.run(job, { ...options, transfer: [samples.images.buffer] });
    if (!(done.images instanceof Float32Array)) throw new Error('internal: a batch was not normalised');
    return { images: done.images, indices: done.indices };
  }

  async close(): Promise<void> {
    await (await this.pool)?.close();
  }

  private gather(indices: Int32Array): Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
    const { data, rows } = this;
    const length = this.imageShape.reduce((a, b) => a * b, 1);
    const images =
      data instanceof Uint8Array ? new Uint8Array(indices.length * length) : new Float32Array(indices.length * length);
    indices.forEach((index, i) => {
      images.set(data.subarray(rows[index] * length, (rows[index] + 1) * length), i * length);
    });
    return images;
  }
}
