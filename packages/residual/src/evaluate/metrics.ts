/** What a classifier gets right and wrong on a data set: loss, accuracy, confusion, and the worst mistakes.
 *  Counted on the host from the probabilities of models/inference.ts. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Dataset } from '../data/dataset.ts';
import { type InferenceOptions, type Prediction, predictions } from '../models/inference.ts';
import { networkOf } from '../models/network.ts';

export { predict } from '../models/inference.ts';

export interface EvaluateOptions extends InferenceOptions {
  /** How many of the worst mistakes to list. Default 24. */
  readonly mistakes?: number;
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
  const tally = new Tally(networkOf(model).classes);
  for await (const prediction of predictions(model, dataset, options)) tally.add(prediction);
  return tally.result(options.mistakes ?? 24);
}

/** Counts, one image after another. */
class Tally {
  private images = 0;
  private loss = 0;
  private inTopFive = 0;
  private readonly classes: number;
  private readonly confusion: Int32Array;
  private readonly wrong: Mistake[] = [];

  constructor(classes: number) {
    this.classes = classes;
    this.confusion = new Int32Array(classes * classes);
  }

  add({ index, actual, predicted, probabilities, loss }: Prediction): void {
    const truth = probabilities[actual] as number;
    this.images++;
    this.loss += loss;
    if (probabilities.filter((p, k) => p > truth || (p === truth && k < actual)).length < 5) this.inTopFive++;
    const cell = actual * this.classes + predicted;
    this.confusion[cell] = (this.confusion[cell] ?? 0) + 1;
    if (predicted !== actual) {
      const probability = probabilities[predicted] as number;
      this.wrong.push({ index, actual, predicted, probability, probabilityOfTruth: truth });
    }
  }

  result(mistakes: number): Evaluation {
    const { images, classes, confusion } = this;
    const worst = this.wrong.sort((a, b) => a.probabilityOfTruth - b.probabilityOfTruth || a.index - b.index);
    return {
      images,
      loss: this.loss / images,
      accuracy: (images - this.wrong.length) / images,
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
