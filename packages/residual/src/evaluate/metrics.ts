/** What a classifier gets right and wrong on a data set, counted on the host in double precision.
 *  The network's logits are the only thing computed on the backend; everything else follows from them here. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type Batch, batches } from '../data/batches.ts';
import type { Dataset, Normalization } from '../data/dataset.ts';
import { ModelError } from '../models/errors.ts';
import { type Network, networkOf } from '../models/network.ts';

export interface EvaluateOptions {
  /** The mean and std that the model was trained with (a model's `info.preprocessing` serves). */
  readonly preprocessing: Normalization;
  /** Default 64. */
  readonly batchSize?: number;
  /** How many of the worst mistakes to list. Default 24. */
  readonly mistakes?: number;
  /** Threads that decode. Default 1. */
  readonly workers?: number;
  /** Stops between two batches; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** After each batch. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ClassMetrics {
  /** Of the images that were called this class, the fraction that was. 0 where none was called so. */
  readonly precision: number;
  /** Of the images of this class, the fraction that was found. 0 where there are none. */
  readonly recall: number;
  /** The harmonic mean of both. */
  readonly f1: number;
  /** How many images of this class there were. */
  readonly images: number;
}

export interface Mistake {
  /** The sample's index in the data set. */
  readonly index: number;
  readonly actual: number;
  readonly predicted: number;
  /** The network's probability for what it predicted. */
  readonly probability: number;
  /** The network's probability for the truth. */
  readonly probabilityOfTruth: number;
}

export interface Evaluation {
  /** Images that were looked at; corrupt files are not. */
  readonly images: number;
  /** Mean cross-entropy in nats, without label smoothing. */
  readonly loss: number;
  /** Fraction of images whose most probable class is the true one; the first of equals counts. */
  readonly accuracy: number;
  /** Fraction of images whose true class is among the five most probable. */
  readonly topFive: number;
  /** Counts, classes × classes, row-major: [true class][predicted class]. */
  readonly confusion: Int32Array;
  readonly perClass: readonly ClassMetrics[];
  /** The least probability for the truth first. */
  readonly mistakes: readonly Mistake[];
}

/**
 * Runs a model over a whole data set in inference mode.
 *
 * @throws ModelError where the data set's images or classes do not fit the model, or it has no readable image
 * @example const { accuracy } = await evaluate(model, splits.test, { preprocessing: info.preprocessing })
 */
export async function evaluate(model: LayersModel, dataset: Dataset, options: EvaluateOptions): Promise<Evaluation> {
  const { batchSize = 64, mistakes = 24, workers = 1, signal } = options;
  const network = networkOf(model);
  checkFit(network, dataset);
  const tally = new Tally(network.classes);
  const { mean, std } = options.preprocessing;
  let running: { readonly batch: Batch; readonly probabilities: Promise<Float64Array[]> } | undefined;
  // One batch behind: while the backend computes a batch, the next is made and recorded.
  const count = async (): Promise<void> => {
    if (!running) return;
    const { batch, probabilities } = running;
    running = undefined;
    tally.add(batch, await probabilities);
    options.onProgress?.(tally.images, dataset.size);
  };
  const rows = Math.min(batchSize, dataset.size);
  for await (const batch of batches(dataset, { batchSize, normalize: { mean, std }, corrupt: 'drop', workers })) {
    signal?.throwIfAborted();
    const probabilities = probabilitiesOf(network, batch.images, rows);
    probabilities.catch(() => {}); // reported when its turn comes
    await count();
    running = { batch, probabilities };
  }
  await count();
  if (tally.images === 0) throw new ModelError(`${dataset.name}: has no image to evaluate`);
  return tally.result(mistakes);
}

/**
 * Class probabilities of images.
 *
 * @param model A classifier.
 * @param images Normalised, n × height × width × channels, as `batches()` gives them.
 * @param options.batchSize How many at a time. Default 64.
 * @returns n rows of as many probabilities as there are classes, in double precision.
 * @throws ModelError where the length is no whole number of images
 */
export async function predict(
  model: LayersModel,
  images: Float32Array,
  options: { readonly batchSize?: number } = {},
): Promise<Float64Array[]> {
  const { batchSize = 64 } = options;
  const network = networkOf(model);
  const length = network.inputShape.reduce((product, n) => product * n, 1);
  if (images.length % length !== 0) {
    const shape = network.inputShape.join(' x ');
    throw new ModelError(`predict: images of ${shape} have ${length} values each, received ${images.length} values`);
  }
  const rows: Float64Array[] = [];
  for (let start = 0; start < images.length; start += batchSize * length) {
    rows.push(...(await probabilitiesOf(network, images.subarray(start, start + batchSize * length))));
  }
  return rows;
}

/**
 * Class probabilities of one batch. It is filled up to `rows` images: a backend that compiles would otherwise compile
 * once more for a last, smaller batch, which costs more than computing zeros.
 */
async function probabilitiesOf(network: Network, images: Float32Array, rows = 0): Promise<Float64Array[]> {
  const length = network.inputShape.reduce((product, n) => product * n, 1);
  const size = images.length / length;
  const { classes } = network;
  if (size === 0) return [];
  let filled = images;
  if (size < rows) {
    filled = new Float32Array(rows * length);
    filled.set(images);
  }
  const output = tf.tidy(() =>
    network.apply(tf.tensor4d(filled, [filled.length / length, ...network.inputShape]), false),
  );
  try {
    const values = await output.data<'float32'>();
    const toProbabilities = network.gives === 'logits' ? softmax : (row: Float32Array) => Float64Array.from(row);
    return Array.from({ length: size }, (_, i) => toProbabilities(values.subarray(i * classes, (i + 1) * classes)));
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

/** Counts, one batch after another. */
class Tally {
  images = 0;
  private loss = 0;
  private inTopFive = 0;
  private readonly classes: number;
  private readonly confusion: Int32Array;
  private readonly wrong: Mistake[] = [];

  constructor(classes: number) {
    this.classes = classes;
    this.confusion = new Int32Array(classes * classes);
  }

  add({ labels, indices }: Batch, rows: readonly Float64Array[]): void {
    rows.forEach((probabilities, i) => {
      const actual = labels[i] as number;
      const truth = probabilities[actual] as number;
      const predicted = probabilities.indexOf(probabilities.reduce((a, b) => Math.max(a, b)));
      this.images++;
      // A probability that underflowed counts as the smallest that a double can tell from 0.
      this.loss -= Math.log(Math.max(truth, Number.MIN_VALUE));
      if (probabilities.filter((p, k) => p > truth || (p === truth && k < actual)).length < 5) this.inTopFive++;
      const cell = actual * this.classes + predicted;
      this.confusion[cell] = (this.confusion[cell] ?? 0) + 1;
      if (predicted !== actual) {
        const probability = probabilities[predicted] as number;
        this.wrong.push({ index: indices[i] as number, actual, predicted, probability, probabilityOfTruth: truth });
      }
    });
  }

  result(mistakes: number): Evaluation {
    const { images, classes, confusion } = this;
    const worst = this.wrong.sort((a, b) => a.probabilityOfTruth - b.probabilityOfTruth || a.index - b.index);
    return {
      images,
      loss: this.loss / images,
      accuracy: 1 - this.wrong.length / images,
      topFive: this.inTopFive / images,
      confusion,
      perClass: Array.from({ length: classes }, (_, k) => classMetrics(confusion, classes, k)),
      mistakes: worst.slice(0, mistakes),
    };
  }
}

function classMetrics(confusion: Int32Array, classes: number, k: number): ClassMetrics {
  const hits = confusion[k * classes + k] as number;
  const images = confusion.subarray(k * classes, (k + 1) * classes).reduce((a, b) => a + b, 0);
  const called = confusion.filter((_, cell) => cell % classes === k).reduce((a, b) => a + b, 0);
  const precision = called > 0 ? hits / called : 0;
  const recall = images > 0 ? hits / images : 0;
  return { precision, recall, f1: hits > 0 ? (2 * precision * recall) / (precision + recall) : 0, images };
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
