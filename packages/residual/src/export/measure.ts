/** What a file really does in its runtime: accuracy, agreement with the model that it came from, and time.
 *  Measured, so that nobody has to believe that an export predicts as the model does. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { batches } from '../data/batches.ts';
import type { Dataset } from '../data/dataset.ts';
import type { ModelInfo, Preprocessing } from '../models/info.ts';
import { networkOf } from '../models/network.ts';
import { sizeOf } from './graph/graph.ts';
import type { RunningFile } from './runtime.ts';

/** Everything that a classifier said of a set of pictures. */
export interface Answers {
  readonly images: number;
  readonly classes: number;
  /** images × classes, row-major. */
  readonly outputs: Float32Array;
  readonly gives: 'logits' | 'probabilities';
  /** Missing where the pictures have no classes. */
  readonly labels?: Int32Array;
  /** The median time of one picture alone, in milliseconds. */
  readonly latency: number;
}

/** How one set of answers compares with another about the same pictures. */
export interface Agreement {
  /** The part of the pictures that both call the same. */
  readonly same: number;
  /** The largest difference between two outputs, as a part of the range of all outputs of the first. */
  readonly difference: number;
}

export interface MeasureOptions {
  /** Pictures at a time. Default 32. */
  readonly batchSize?: number;
  /** How often one picture alone is timed. Default 15. */
  readonly repeats?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Pictures of the network's size as bytes, and their classes where they have any. */
export interface Pictures {
  readonly count: number;
  batches(size: number): AsyncIterable<{ readonly bytes: Float32Array; readonly labels?: Int32Array }>;
}

/** The pictures of a data set; those that cannot be read are left out. */
export function picturesOf(dataset: Dataset): Pictures {
  const channels = dataset.imageShape[2];
  // A batch is (byte / 255 − 0) / (1 / 255).
  const normalize = { mean: Array(channels).fill(0), std: Array(channels).fill(1 / 255) };
  return {
    count: dataset.size,
    async *batches(batchSize) {
      for await (const { images, labels } of batches(dataset, { batchSize, normalize, corrupt: 'drop' })) {
        yield { bytes: images.map(Math.round), labels };
      }
    },
  };
}

/** The model itself as something that runs, to be measured as its files are. */
export function runningModel(model: LayersModel, info: ModelInfo, runtime: string): RunningFile {
  const { architecture, classes, preprocessing } = info;
  const { gives, apply } = networkOf(model);
  return {
    info: { architecture, classes, preprocessing, layout: 'NHWC', range: 'normalised', gives, precision: 'float32' },
    runtime,
    input: 'float32',
    async run(images, batch) {
      const output = tf.tidy(() => apply(tf.tensor4d(images, [batch, ...preprocessing.inputShape]), false));
      try {
        return Float32Array.from(await output.data());
      } finally {
        output.dispose();
      }
    },
    async close() {},
  };
}

/** Runs pictures through a file, and times it. */
export async function answersOf(file: RunningFile, pictures: Pictures, options: MeasureOptions = {}): Promise<Answers> {
  const { batchSize = 32, repeats = 15, signal, onProgress } = options;
  const { preprocessing, classes, gives } = file.info;
  const length = sizeOf(preprocessing.inputShape);
  const rows = Math.min(batchSize, pictures.count);
  const outputs: Float32Array[] = [];
  const labels: Int32Array[] = [];
  let first: Float32Array | undefined;
  let done = 0;
  for await (const batch of pictures.batches(rows)) {
    signal?.throwIfAborted();
    const size = batch.bytes.length / length;
    if (size === 0) continue;
    const images = prepared(batch.bytes, file);
    first ??= images.slice(0, length);
    // Filled up: a backend that compiles would compile once more for a smaller last batch.
    const filled = new Float32Array(rows * length);
    filled.set(images);
    outputs.push((await file.run(filled, rows)).subarray(0, size * classes.length));
    if (batch.labels) labels.push(batch.labels);
    done += size;
    onProgress?.(done, pictures.count);
  }
  return {
    images: done,
    classes: classes.length,
    outputs: joined(outputs, (size) => new Float32Array(size)),
    gives,
    ...(labels.length > 0 ? { labels: joined(labels, (size) => new Int32Array(size)) } : {}),
    latency: first ? await latencyOf(file, first, repeats) : Number.NaN,
  };
}

/** Bytes as the file wants them. */
function prepared(bytes: Float32Array, { info }: RunningFile): Float32Array {
  return info.range === 'bytes' ? bytes : normalised(bytes, info.preprocessing);
}

/** (byte / 255 − mean) / std, channel by channel. */
export function normalised(bytes: Float32Array, { mean, std }: Pick<Preprocessing, 'mean' | 'std'>): Float32Array {
  const channels = mean.length;
  return Float32Array.from(bytes, (byte, i) => (byte / 255 - mean[i % channels]) / std[i % channels]);
}

async function latencyOf(file: RunningFile, image: Float32Array, repeats: number): Promise<number> {
  // The first runs load, compile and warm up.
  for (let i = 0; i < 3; i++) await file.run(image, 1);
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await file.run(image, 1);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[Math.floor(repeats / 2)] ?? Number.NaN;
}

/** The part of the pictures that were called what they are; undefined where nobody says what that is. */
export function accuracyOf({ outputs, classes, labels, images }: Answers): number | undefined {
  if (!labels) return undefined;
  let hits = 0;
  for (let i = 0; i < images; i++) if (largest(outputs, i, classes) === labels[i]) hits++;
  return hits / images;
}

/** Probabilities are compared with probabilities: where one side gives logits, its softmax is taken. */
export function agreementOf(original: Answers, other: Answers): Agreement {
  const { images, classes } = original;
  if (images !== other.images || classes !== other.classes) throw new Error('internal: these are other pictures');
  const both = original.gives === other.gives;
  const [a, b] = [original, other].map(({ gives, outputs }) =>
    both || gives === 'probabilities' ? outputs : softmaxRows(outputs, classes),
  );
  let [low, high, worst, same] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (let i = 0; i < a.length; i++) {
    low = Math.min(low, a[i]);
    high = Math.max(high, a[i]);
    const difference = Math.abs(a[i] - b[i]);
    worst = Math.max(worst, difference); // NaN stays NaN
  }
  for (let i = 0; i < images; i++) if (largest(a, i, classes) === largest(b, i, classes)) same++;
  return { same: same / images, difference: worst / (high - low) };
}

/** The probabilities of logits, row by row: in double precision, rounded once. */
export function softmaxRows(logits: Float32Array, classes: number): Float32Array {
  const out = new Float32Array(logits.length);
  for (let start = 0; start < logits.length; start += classes) {
    const row = logits.subarray(start, start + classes);
    const max = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const exponentials = Float64Array.from(row, (value) => Math.exp(value - max));
    const sum = exponentials.reduce((a, b) => a + b, 0);
    out.set(
      exponentials.map((value) => value / sum),
      start,
    );
  }
  return out;
}

function largest(outputs: Float32Array, row: number, classes: number): number {
  let best = 0;
  for (let k = 1; k < classes; k++) {
    if (outputs[row * classes + k] > outputs[row * classes + best]) best = k;
  }
  return best;
}

function joined<A extends Float32Array | Int32Array>(parts: readonly A[], into: (length: number) => A): A {
  const all = into(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
