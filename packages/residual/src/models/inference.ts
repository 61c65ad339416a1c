/** A classifier at work: probabilities for images, and for a whole data set batch by batch.
 *  The backend computes logits; the softmax is done here in double precision, so that its loss is exact. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { TestTimeAugmentation } from '../augment/test-time.ts';
import { testTimeViews } from '../augment/test-time.ts';
import { type Batch, batches } from '../data/batches.ts';
import type { Dataset, ImageShape, Normalization } from '../data/dataset.ts';
import { ModelError } from './errors.ts';
import { type Network, networkOf } from './network.ts';

export interface InferenceOptions {
  /** The mean and std that the model was trained with (a model's `info.preprocessing` serves). */
  readonly preprocessing: Normalization;
  /** Default 64. */
  readonly batchSize?: number;
  /** Threads that decode. Default 1. */
  readonly workers?: number;
  /** Stops between two batches, with the signal's reason as the error. */
  readonly signal?: AbortSignal;
  /** Averages over a few views of each image: more accurate, and as many times slower. Default none. */
  readonly tta?: TestTimeAugmentation;
  /** After each batch; corrupt files are never done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A batch at another size than the model's own, for one that was trained on such a size last. */
export type ShowBatch = (batch: Batch) => Pick<Batch, 'images'> & { readonly imageShape?: ImageShape };

/** What the network says of one image. */
export interface Prediction {
  /** The sample's index in the data set, and its class. */
  readonly index: number;
  readonly actual: number;
  /** The most probable class; the first of equals. */
  readonly predicted: number;
  readonly probabilities: Float64Array;
  /** Cross-entropy in nats, without label smoothing. */
  readonly loss: number;
}

/**
 * Runs a model over a whole data set in inference mode, in its order.
 *
 * @throws ModelError where the data set's images or classes do not fit the model, or it has no readable image
 */
export async function* predictions(
  model: LayersModel,
  dataset: Dataset,
  options: InferenceOptions,
  show: ShowBatch = (batch) => batch,
): AsyncGenerator<Prediction, void, undefined> {
  const { batchSize = 64, workers = 1, signal, onProgress, tta } = options;
  const { mean, std } = options.preprocessing;
  const network = networkOf(model);
  checkFit(network, dataset);
  const rows = Math.min(batchSize, dataset.size);
  let done = 0;
  // One batch behind: while the backend computes a batch, the next is made and recorded.
  let running: { readonly batch: Batch; readonly probabilities: Promise<Float64Array[]> } | undefined;
  for await (const batch of batches(dataset, { batchSize, normalize: { mean, std }, corrupt: 'drop', workers })) {
    signal?.throwIfAborted();
    const { images, imageShape = network.inputShape } = show(batch);
    const probabilities = averageOf({ ...network, inputShape: imageShape }, images, rows, tta);
    probabilities.catch(() => {}); // reported when its turn comes
    if (running) {
      yield* predictionsOf(running.batch, await running.probabilities);
      done += running.batch.size;
      onProgress?.(done, dataset.size);
    }
    running = { batch, probabilities };
  }
  if (running) {
    yield* predictionsOf(running.batch, await running.probabilities);
    done += running.batch.size;
    onProgress?.(done, dataset.size);
  }
  if (done === 0) throw new ModelError(`${dataset.name}: has no image to evaluate`);
}

function predictionsOf({ labels, indices }: Batch, rows: readonly Float64Array[]): Prediction[] {
  return rows.map((probabilities, i) => {
    const actual = labels[i] as number;
    return {
      index: indices[i] as number,
      actual,
      predicted: probabilities.indexOf(probabilities.reduce((a, b) => Math.max(a, b))),
      probabilities,
      // A probability that underflowed counts as the smallest that a double can tell from 0.
      loss: -Math.log(Math.max(probabilities[actual] as number, Number.MIN_VALUE)),
    };
  });
}

/**
 * Class probabilities of images.
 *
 * @param model A classifier.
 * @param images Normalised, n × height × width × channels, as `batches()` gives them.
 * @param options.batchSize How many at a time. Default 64.
 * @param options.tta Averages over a few views of each image. Default none.
 * @returns n rows of as many probabilities as there are classes, in double precision.
 * @throws ModelError where the length is no whole number of images
 */
export async function predict(
  model: LayersModel,
  images: Float32Array,
  options: { readonly batchSize?: number; readonly tta?: TestTimeAugmentation } = {},
): Promise<Float64Array[]> {
  const { batchSize = 64, tta } = options;
  const network = networkOf(model);
  const length = network.inputShape.reduce((product, n) => product * n, 1);
  if (images.length % length !== 0) {
    const shape = network.inputShape.join(' x ');
    throw new ModelError(`predict: images of ${shape} have ${length} values each, received ${images.length} values`);
  }
  const rows: Float64Array[] = [];
  for (let start = 0; start < images.length; start += batchSize * length) {
    rows.push(...(await averageOf(network, images.subarray(start, start + batchSize * length), 0, tta)));
  }
  return rows;
}

/** Class probabilities of one batch, averaged over the views of test-time augmentation. */
async function averageOf(
  network: Network,
  images: Float32Array,
  rows: number,
  tta: TestTimeAugmentation | undefined,
): Promise<Float64Array[]> {
  const toProbabilities = network.gives === 'logits' ? softmax : (row: ArrayLike<number>) => Float64Array.from(row);
  if (tta === undefined) return (await outputsOf(network, images, rows)).map(toProbabilities);
  const early = tta.average === 'probabilities';
  const sums: Float64Array[] = [];
  for (const { images: seen, weight } of testTimeViews(images, network.inputShape, tta)) {
    const outputs = await outputsOf(network, seen, rows);
    outputs.forEach((output, i) => {
      const values = early ? toProbabilities(output) : output;
      sums[i] ??= new Float64Array(values.length);
      sums[i].forEach((_, k) => {
        sums[i][k] += weight * values[k];
      });
    });
  }
  return early ? sums : sums.map(toProbabilities);
}

/**
 * What the network gives for one batch, a row for each image. It is filled up to `rows` images: a backend that compiles
 * would otherwise compile once more for a last, smaller batch, which costs more than computing zeros.
 */
async function outputsOf(network: Network, images: Float32Array, rows = 0): Promise<Float32Array[]> {
  const length = network.inputShape.reduce((product, n) => product * n, 1);
  const size = images.length / length;
  const { classes } = network;
  if (size === 0) return [];
  let filled = images;
  if (size < rows) {
    filled = new Float32Array(rows * length);
    filled.set(images);
  }
  const output = tf.tidy(() => network.infer(tf.tensor4d(filled, [filled.length / length, ...network.inputShape])));
  try {
    const values = await output.data<'float32'>();
    return Array.from({ length: size }, (_, i) => values.slice(i * classes, (i + 1) * classes));
  } finally {
    output.dispose();
  }
}

function softmax(logits: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(logits);
  const max = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const exponentials = values.map((value) => Math.exp(value - max));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / sum);
}

/** Images of the model's size, and as many classes as it has outputs. */
export function checkFit(
  { inputShape, classes }: Network,
  dataset: Pick<Dataset, 'name' | 'imageShape' | 'classes'>,
): void {
  if (dataset.imageShape.join() !== inputShape.join()) {
    throw new ModelError(
      `${dataset.name}: has images of ${dataset.imageShape.join(' x ')}, the model takes ${inputShape.join(' x ')}`,
    );
  }
  if (dataset.classes.length !== classes) {
    throw new ModelError(`${dataset.name}: has ${dataset.classes.length} classes, the model ${classes} outputs`);
  }
}
