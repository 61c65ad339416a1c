/** Losses as data: what `train` minimises, written down in the run's fingerprint, and functions for `model.compile`.
 *  The arithmetic is in loss.ts and loss-*.ts. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { ModelError } from '../models/errors.ts';
import type { Preprocessing } from '../models/info.ts';
import { crossEntropyRows, logitsOf, type RowLoss, sigmoidLogitsOf } from './loss.ts';
import { binaryRows } from './loss-binary.ts';
import { distillationRows } from './loss-distillation.ts';
import { focalRows } from './loss-focal.ts';
import { checkValue } from './schedule.ts';

export type LossName = 'crossEntropy' | 'focal' | 'binaryCrossEntropy' | 'distillation';

/** How much each class counts: numbers by class, or `balanced`, images / (classes · images of the class). */
export type ClassWeights = 'balanced' | readonly number[];

/**
 * A loss. It is a function for `model.compile({ loss })` too: one-hot (or soft) targets and the model's output, both
 * [n, classes], to a loss per image.
 */
export interface Loss {
  (yTrue: tf.Tensor, yPred: tf.Tensor): tf.Tensor;
  readonly kind: LossName;
  /** The values that make it, for the record and to tell whether two losses are the same. */
  readonly config: Readonly<Record<string, number | string | boolean | readonly number[]>>;
  /** Per image, from logits; sigmoid's where `answers` is `many`. Inside `tf.tidy`. */
  readonly rows: RowLoss;
  /** One class per image, or a yes or no for each. */
  readonly answers: 'one' | 'many';
  readonly labelSmoothing: number;
  readonly classWeights?: ClassWeights;
  /** Who else has a say. */
  readonly teacher?: Teacher;
}

export interface Teacher {
  readonly model: LayersModel;
  readonly preprocessing?: Pick<Preprocessing, 'mean' | 'std'>;
  rows(student: tf.Tensor2D, teacher: tf.Tensor2D, targets: tf.Tensor2D): tf.Tensor1D;
}

export interface LossOptions {
  /** Probability mass that is spread over all classes, 0 to less than 1. Default 0. */
  readonly labelSmoothing?: number;
  /** Default: all classes count the same. An image's loss is multiplied, and the mean is over images, as in Keras. */
  readonly classWeights?: ClassWeights;
  /** For `model.compile` of a model that ends without softmax or sigmoid; `train` sees for itself. Default false. */
  readonly fromLogits?: boolean;
}

/**
 * Softmax cross-entropy, for images of one class each. Labels, soft targets (mixup, CutMix) and one-hot rows serve.
 *
 * @example model.compile({ optimizer: adamW(), loss: crossEntropy({ labelSmoothing: 0.1 }) })
 */
export function crossEntropy(options: LossOptions = {}): Loss {
  return softmaxLoss('crossEntropy', {}, crossEntropyRows, options);
}

export interface FocalOptions extends LossOptions {
  /** γ, from 0 (cross-entropy) up. Default 2. */
  readonly gamma?: number;
  /** One factor for all classes, or one of each. Default 0.25, as in Keras. */
  readonly alpha?: number | readonly number[];
}

/** The focal loss (arXiv 1708.02002) by Keras's `CategoricalFocalCrossentropy`: α · (1 − p)^γ · cross-entropy. */
export function focal(options: FocalOptions = {}): Loss {
  const { gamma = 2, alpha = 0.25 } = options;
  checkValue('focal', gamma >= 0 && Number.isFinite(gamma), 'gamma must be 0 or more', gamma);
  const alphas = typeof alpha === 'number' ? [alpha] : alpha;
  checkValue('focal', alphas.length > 0 && alphas.every(isWeight), 'alpha must be numbers from 0 up', alpha);
  return softmaxLoss('focal', { gamma, alpha }, focalRows(gamma, alpha), options);
}

export interface BinaryOptions extends Pick<LossOptions, 'labelSmoothing' | 'fromLogits'> {
  /** How much a missed label of each class counts (PyTorch's `pos_weight`). Default 1. */
  readonly positiveWeights?: readonly number[];
}

/**
 * Binary cross-entropy, for images with any number of labels: the mean over classes. The model ends in a sigmoid.
 * `train` takes the multi-hot targets as its option `targets`.
 */
export function binaryCrossEntropy(options: BinaryOptions = {}): Loss {
  const { positiveWeights, labelSmoothing = 0, fromLogits = false } = options;
  checkSmoothing('binaryCrossEntropy', labelSmoothing);
  const ok = positiveWeights === undefined || positiveWeights.every(isWeight);
  checkValue('binaryCrossEntropy', ok, 'positiveWeights must be numbers from 0 up', positiveWeights);
  const rows = binaryRows(positiveWeights);
  const call = (yTrue: tf.Tensor, yPred: tf.Tensor) =>
    tf.tidy(() => {
      const targets = smooth(yTrue as tf.Tensor2D, labelSmoothing, 0.5);
      return rows(fromLogits ? (yPred as tf.Tensor2D) : sigmoidLogitsOf(yPred as tf.Tensor2D), targets);
    });
  const config = { ...(labelSmoothing > 0 ? { labelSmoothing } : {}), ...(positiveWeights ? { positiveWeights } : {}) };
  return Object.assign(call, { kind: 'binaryCrossEntropy', config, rows, answers: 'many', labelSmoothing } as const);
}

export interface DistillationOptions extends Pick<LossOptions, 'labelSmoothing' | 'classWeights'> {
  /** A classifier with the student's input size and classes; it is not changed. */
  readonly teacher: LayersModel;
  /** What the teacher was trained with (its `info.preprocessing`); default: the student's own. */
  readonly preprocessing?: Pick<Preprocessing, 'mean' | 'std'>;
  /** T, by which logits are divided: higher shows more of the wrong classes. Default 4. */
  readonly temperature?: number;
  /** α, the share of the teacher's part; the labels have the rest. Default 0.9. */
  readonly alpha?: number;
}

/**
 * Knowledge distillation (arXiv 1503.02531), for `train`: the teacher sees the very batch of the step, augmentation
 * included, in inference mode.
 *
 * @example await train(small, photos, { epochs, loss: distillation({ teacher: large, temperature: 4, alpha: 0.9 }) })
 */
export function distillation(options: DistillationOptions): Loss {
  const { teacher, preprocessing, temperature = 4, alpha = 0.9 } = options;
  checkValue('distillation', temperature > 0, 'temperature must be more than 0', temperature);
  checkValue('distillation', alpha >= 0 && alpha <= 1, 'alpha must be from 0 to 1', alpha);
  const loss = softmaxLoss(
    'distillation',
    { teacher: teacher.name, temperature, alpha, ...(preprocessing ? flat(preprocessing) : {}) },
    crossEntropyRows,
    options,
  );
  const refuse = () => {
    throw new ModelError(
      'distillation: model.compile gives a loss no images to show the teacher; use train(), or fit to ' +
        'the teacher’s predictions',
    );
  };
  const rows: Teacher['rows'] = (student, taught, targets) =>
    distillationRows(student, taught, targets, { temperature, alpha });
  const { kind, config, rows: hard, answers, labelSmoothing, classWeights } = loss;
  return Object.assign(refuse, {
    kind,
    config,
    rows: hard,
    answers,
    labelSmoothing,
    ...(classWeights ? { classWeights } : {}),
    teacher: { model: teacher, ...(preprocessing ? { preprocessing } : {}), rows },
  });
}

/** Each class's weight such that all classes count the same: images / (classes · images of the class); 0 without images. */
export function balancedWeights(labels: ArrayLike<number>, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of Array.from(labels)) counts[label] = (counts[label] ?? 0) + 1;
  return counts.map((count) => (count === 0 ? 0 : labels.length / (classes * count)));
}

const FROM_DATA = { crossEntropy, focal, binaryCrossEntropy } as const;

/**
 * A loss from its data, e.g. `{ name: 'focal', gamma: 2 }`.
 *
 * @throws ModelError for an unknown name, impossible values, or `distillation`, which needs a model
 */
export function lossFromData(data: string | { readonly name: string }): Loss {
  const { name, ...options } = typeof data === 'string' ? { name: data } : data;
  const make = Object.hasOwn(FROM_DATA, name) ? FROM_DATA[name as keyof typeof FROM_DATA] : undefined;
  if (!make) {
    const why = name === 'distillation' ? 'distillation needs its teacher' : `no loss is called '${name}'`;
    throw new ModelError(`${why}; there are ${Object.keys(FROM_DATA).join(', ')}`);
  }
  return make(options);
}

function softmaxLoss(
  kind: LossName,
  own: Loss['config'],
  rows: RowLoss,
  { labelSmoothing = 0, classWeights, fromLogits = false }: LossOptions,
): Loss {
  checkSmoothing(kind, labelSmoothing);
  const rule = `classWeights must be 'balanced' or numbers from 0 up`;
  const weightsOk = classWeights === undefined || classWeights === 'balanced' || classWeights.every(isWeight);
  checkValue(kind, weightsOk, rule, classWeights);
  const call = (yTrue: tf.Tensor, yPred: tf.Tensor) =>
    tf.tidy(() => {
      if (classWeights === 'balanced') {
        throw new ModelError(`${kind}: model.compile knows no data to balance; give balancedWeights(labels, classes)`);
      }
      const [targets, output] = [yTrue as tf.Tensor2D, yPred as tf.Tensor2D];
      const logits = fromLogits ? output : logitsOf(output);
      const losses = rows(logits, smooth(targets, labelSmoothing, 1 / (output.shape[1] ?? 1)));
      if (!classWeights) return losses;
      return tf.mul(losses, tf.sum(tf.mul(targets, tf.tensor1d([...classWeights])), 1));
    });
  const config = {
    ...own,
    ...(labelSmoothing > 0 ? { labelSmoothing } : {}),
    ...(classWeights ? { classWeights } : {}),
  };
  const weights = classWeights ? { classWeights } : {};
  return Object.assign(call, { kind, config, rows, answers: 'one' as const, labelSmoothing, ...weights });
}

/** t·(1 − s) + s·share on every element. */
function smooth(targets: tf.Tensor2D, smoothing: number, share: number): tf.Tensor2D {
  return smoothing === 0 ? targets : tf.add(tf.mul(targets, 1 - smoothing), smoothing * share);
}

function checkSmoothing(name: string, smoothing: number): void {
  const ok = smoothing >= 0 && smoothing < 1;
  checkValue(name, ok, 'labelSmoothing must be at least 0 and less than 1', smoothing);
}

function isWeight(value: number): boolean {
  return value >= 0 && Number.isFinite(value);
}

function flat({ mean, std }: Pick<Preprocessing, 'mean' | 'std'>): Record<string, readonly number[]> {
  return { mean, std };
}
