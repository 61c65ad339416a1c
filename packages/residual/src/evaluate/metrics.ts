/** What a classifier gets right and wrong on a data set: its scores, and the worst mistakes.
 *  Counted on the host from the probabilities of models/inference.ts. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Dataset } from '../data/dataset.ts';
import { type InferenceOptions, predictions } from '../models/inference.ts';
import { networkOf } from '../models/network.ts';
import { type Calibration, calibrationOf } from './calibration.ts';
import { type Scores, scoresOf } from './scores.ts';
import { fitTemperature, type TemperatureFit, withTemperature } from './temperature.ts';

export { predict } from '../models/inference.ts';
export type { ClassMetrics } from './scores.ts';

export interface EvaluateOptions extends InferenceOptions {
  /** How many of the worst mistakes to list. Default 24. */
  readonly mistakes?: number;
  /**
   * Fits a temperature on these images, which should be neither learned from nor the ones evaluated, and says how well
   * calibrated the probabilities are with it. Default none.
   */
  readonly calibrateOn?: Dataset;
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

/** Temperature scaling fitted on one set, and what it does to another. */
export interface Recalibrated extends TemperatureFit {
  /** Images of the fit. */
  readonly images: number;
  /** Of the evaluated images, with the temperature. */
  readonly calibration: Calibration;
  /** Their mean cross-entropy, with the temperature. */
  readonly loss: number;
}

/** Scores of the images that were looked at; corrupt files are not among them. */
export interface Evaluation extends Scores {
  /** The least probability for the truth first. */
  readonly mistakes: readonly Mistake[];
  /** Where `calibrateOn` was given. */
  readonly recalibrated?: Recalibrated;
}

/** Probabilities of the readable images of a data set. */
export interface Predictions {
  /** The sample of each row. */
  readonly indices: Int32Array;
  readonly labels: Int32Array;
  /** Rows × classes, row-major. */
  readonly probabilities: Float64Array;
  readonly classes: number;
}

/**
 * Runs a model over a whole data set in inference mode.
 *
 * @throws ModelError where the data set's images or classes do not fit the model, or it has no readable image
 * @example const { accuracy, perClass, rocAuc, calibration } =
 *   await evaluate(model, splits.test, { preprocessing: info.preprocessing, calibrateOn: splits.validation })
 */
export async function evaluate(model: LayersModel, dataset: Dataset, options: EvaluateOptions): Promise<Evaluation> {
  const { mistakes = 24, calibrateOn, ...inference } = options;
  const predicted = await predictAll(model, dataset, inference);
  const evaluation = { ...scoresOf(predicted), mistakes: worstMistakes(predicted, mistakes) };
  if (calibrateOn === undefined || calibrateOn.size === 0) return evaluation;
  const { onProgress: _, ...quiet } = inference;
  const held = await predictAll(model, calibrateOn, quiet);
  return { ...evaluation, recalibrated: recalibrate(predicted, held) };
}

/** Runs a model over a whole data set and keeps what it says: 8 bytes × images × classes. */
export async function predictAll(
  model: LayersModel,
  dataset: Dataset,
  options: InferenceOptions,
): Promise<Predictions> {
  const { classes } = networkOf(model);
  const indices = new Int32Array(dataset.size);
  const labels = new Int32Array(dataset.size);
  const probabilities = new Float64Array(dataset.size * classes);
  let rows = 0;
  for await (const { index, actual, probabilities: row } of predictions(model, dataset, options)) {
    indices[rows] = index;
    labels[rows] = actual;
    probabilities.set(row, rows * classes);
    rows++;
  }
  return {
    indices: indices.subarray(0, rows),
    labels: labels.subarray(0, rows),
    probabilities: probabilities.subarray(0, rows * classes),
    classes,
  };
}

function recalibrate({ probabilities, labels, classes }: Predictions, held: Predictions): Recalibrated {
  const fit = fitTemperature(held.probabilities, held.labels, classes);
  const scaled = withTemperature(probabilities, classes, fit.temperature);
  const loss = labels.reduce(
    (sum, label, i) => sum - Math.log(Math.max(scaled[i * classes + label], Number.MIN_VALUE)),
    0,
  );
  return {
    ...fit,
    images: held.labels.length,
    calibration: calibrationOf(scaled, labels, classes),
    loss: loss / labels.length,
  };
}

/** The images whose truth got the least probability, of those that were called something else. */
function worstMistakes({ indices, labels, probabilities, classes }: Predictions, most: number): Mistake[] {
  const wrong: Mistake[] = [];
  labels.forEach((actual, i) => {
    let predicted = 0;
    const row = probabilities.subarray(i * classes, (i + 1) * classes);
    for (let k = 1; k < classes; k++) if (row[k] > row[predicted]) predicted = k;
    if (predicted === actual) return;
    wrong.push({
      index: indices[i],
      actual,
      predicted,
      probability: row[predicted],
      probabilityOfTruth: row[actual],
    });
  });
  return wrong.sort((a, b) => a.probabilityOfTruth - b.probabilityOfTruth || a.index - b.index).slice(0, most);
}
