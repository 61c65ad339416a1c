/** One training step: forward, loss, gradients, update. Nothing in it waits for a value,
 *  so a backend that records can run one step while the next is recorded. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { ImageShape } from '../data/dataset.ts';
import { ModelError } from '../models/errors.ts';
import { type Network, networkOf } from '../models/network.ts';
import type { Averages } from './averages.ts';
import { type Clip, clipGradients, type NamedTensor } from './clip.ts';
import { logitsOf, crossEntropy as meanCrossEntropy, sigmoidLogitsOf, softmaxCrossEntropy } from './loss.ts';
import { crossEntropy, type Loss } from './losses.ts';
import { imageWeights, type Truth, targetRows, truthSlice } from './targets.ts';
import { type Lesson, teacherOf } from './teacher.ts';

export interface StepInput extends Truth {
  /** Normalised, size × height × width × channels. */
  readonly images: Float32Array;
  /** Of these images, where it is not the model's own. */
  readonly imageShape?: ImageShape;
}

/** Values of a step, when they are there. */
export interface StepOutput {
  readonly loss: number;
  /**
   * How many images of the batch were classified rightly, before the update: of mixed images their shares, and of images
   * with many labels the part of their classes that was told rightly.
   */
  readonly correct: number;
}

/** Learns one batch; the promise can wait while further steps are made. */
export interface Step {
  (input: StepInput): Promise<StepOutput>;
  /** Frees what it keeps between steps. */
  dispose(): void;
}

export interface StepOptions {
  readonly optimizer: tf.Optimizer;
  /** Default: cross-entropy. */
  readonly loss?: Loss;
  /** The loss's class weights as numbers. Default: those of the loss, if it has numbers. */
  readonly classWeights?: readonly number[];
  readonly clip?: Clip;
  /**
   * The most images that go through the network at once: a larger batch is cut into equal parts whose gradients are
   * added up, each by its size. Default: the whole batch.
   */
  readonly microBatch?: number;
  /** Copies of the weights that follow. */
  readonly averages?: Averages;
  /** What the images were normalised with; a teacher with other preprocessing needs it. */
  readonly normalize?: { readonly mean: readonly number[]; readonly std: readonly number[] };
}

/**
 * Prepares the training step of a model.
 *
 * The loss is a mean over the images, and the penalties of regularisers that the model's layers have.
 *
 * In micro-batches the update is that of the whole batch up to rounding, except for BN: it normalises each micro-batch
 * with its own statistics and moves its averages once for each. Anything random in the model, such as dropout, is drawn
 * for each as well.
 *
 * @throws ModelError where all of the model is frozen, or the loss does not fit its end or its number of classes
 */
export function trainingStep(model: LayersModel, options: StepOptions): Step {
  const network = networkOf(model);
  const { optimizer, loss = crossEntropy(), clip, microBatch = Number.POSITIVE_INFINITY, averages } = options;
  const classWeights = options.classWeights ?? numbers(loss.classWeights);
  // LayerVariable.read() gives the tf.Variable itself.
  const variables = model.trainableWeights.map((weight) => weight.read() as unknown as tf.Variable);
  if (variables.length === 0) throw new ModelError(`model ${model.name}: all its layers are frozen, nothing can learn`);
  checkLoss(model, network, loss, classWeights);
  const lesson = loss.teacher && teacherOf(loss.teacher, network, options.normalize);
  const parts: Parts = { penalties: penaltiesOf(model), network, variables, loss, classWeights, lesson };

  const update = (gradients: tf.NamedTensorMap | NamedTensor[]) => {
    const named = Array.isArray(gradients) ? gradients : namedList(gradients);
    optimizer.applyGradients(clip ? [...clipGradients(named, clip)] : gradients);
    averages?.follow();
  };
  const pull = async () => {
    if (!averages?.pullIsDue) return;
    await undefined; // a compiled step runs as one program whether or not a pull follows it
    tf.tidy(() => averages.pull());
  };

  const whole = async (input: StepInput): Promise<StepOutput> => {
    const measured = tf.tidy(() => {
      const { grads, ...rest } = run(parts, input);
      update(grads);
      return rest;
    });
    await pull();
    return read([{ ...measured, share: 1 }]);
  };

  let sums: tf.Variable[] | undefined;
  /** The order in which steps are recorded is the order in which they were called. */
  let recorded: Promise<void> = Promise.resolve();

  const inParts = (input: StepInput): Promise<StepOutput> => {
    const measured: Measured[] = [];
    const record = async () => {
      sums ??= variables.map((variable) => tf.tidy(() => tf.variable(tf.zerosLike(variable), false)));
      const pieces = Math.ceil(input.size / microBatch);
      for (let piece = 0; piece < pieces; piece++) {
        await undefined; // the end of a program: all micro-batches of one size run the same one
        measured.push(addGradients(parts, input, [piece, pieces], sums));
      }
      await undefined;
      const accumulated = sums;
      tf.tidy(() => {
        update(variables.map(({ name }, i) => ({ name, tensor: accumulated[i] as tf.Tensor })));
        for (const sum of accumulated) sum.assign(tf.zerosLike(sum));
      });
      await pull();
    };
    recorded = recorded.then(record);
    return recorded.then(() => read(measured));
  };
  const dispose = () => {
    for (const sum of sums ?? []) sum.dispose();
    sums = undefined;
  };
  return Object.assign((input: StepInput) => (input.size > microBatch ? inParts(input) : whole(input)), { dispose });
}

interface Parts {
  readonly penalties: () => tf.Scalar[];
  readonly network: Network;
  readonly variables: tf.Variable[];
  readonly loss: Loss;
  readonly classWeights: readonly number[] | undefined;
  readonly lesson: Lesson | undefined;
}

/** The values of a batch or a part of one, and its share of the batch. */
interface Measured {
  readonly loss: tf.Scalar;
  readonly correct: tf.Scalar;
  readonly share: number;
}

/** What the regularisers of a model's layers cost; a tf.sequential has them in a second model inside. */
function penaltiesOf(model: LayersModel): () => tf.Scalar[] {
  if (model.getClassName() !== 'Sequential') return () => model.calculateLosses();
  const outer = model as LayersModel & { readonly model?: LayersModel | null };
  if (!outer.model) (outer as unknown as { build(): void }).build();
  return () => (outer.model ?? model).calculateLosses();
}

/** Adds the gradients of one of several equal pieces of a batch to sums, by its share of the images. */
function addGradients(
  parts: Parts,
  input: StepInput,
  [piece, pieces]: readonly [number, number],
  sums: readonly tf.Variable[],
): Measured {
  const start = Math.floor((input.size * piece) / pieces);
  const end = Math.floor((input.size * (piece + 1)) / pieces);
  const length = input.images.length / input.size;
  const images = input.images.subarray(start * length, end * length);
  const share = (end - start) / input.size;
  const measured = tf.tidy(() => {
    const truth = truthSlice(input, start, end, parts.network.classes);
    const shape = input.imageShape && { imageShape: input.imageShape };
    const { grads, ...rest } = run(parts, { images, ...shape, ...truth });
    const factor = tf.scalar(share);
    parts.variables.forEach(({ name }, i) => {
      const [sum, gradient] = [sums[i], grads[name]];
      if (sum && gradient) sum.assign(tf.add(sum, tf.mul(gradient, factor)));
    });
    return rest;
  });
  return { ...measured, share };
}

/** Forward and back; inside `tf.tidy`. */
function run(
  { penalties, network, variables, loss, classWeights, lesson }: Parts,
  input: StepInput,
): { loss: tf.Scalar; correct: tf.Scalar; grads: tf.NamedTensorMap } {
  const { classes, inputShape } = network;
  const { images, size, imageShape = inputShape } = input;
  const x = tf.tensor4d(images, [size, ...imageShape]);
  const targets = tf.tensor2d(targetRows(input, classes, loss), [size, classes]);
  const weights = classWeights && tf.tensor1d(imageWeights(input, classes, classWeights));
  const taught = lesson?.(x);
  const correct: tf.Scalar[] = [];
  const { value, grads } = tf.variableGrads(() => {
    const many = loss.answers === 'many';
    const output = many ? network.raw(x, true) : network.apply(x, true);
    correct.push(tf.keep(countCorrect(output, input, targets, many)));
    return penalties().reduce((sum, penalty) => tf.add(sum, penalty), mean(output));
  }, variables);
  const [count] = correct;
  if (!count) throw new Error('internal: the loss was not computed');
  return { loss: value, correct: count, grads };

  function mean(output: tf.Tensor2D): tf.Scalar {
    if (loss.kind === 'crossEntropy' && !weights) {
      return network.gives === 'logits' ? softmaxCrossEntropy(output, targets) : meanCrossEntropy(output, targets);
    }
    const logits = logitsFrom(output);
    const rows = taught && loss.teacher ? loss.teacher.rows(logits, taught, targets) : loss.rows(logits, targets);
    return tf.mean(weights ? tf.mul(rows, weights) : rows);
  }

  function logitsFrom(output: tf.Tensor2D): tf.Tensor2D {
    if (loss.answers === 'many') return network.ends === 'other' ? sigmoidLogitsOf(output) : output;
    return network.gives === 'logits' ? output : logitsOf(output);
  }
}

function countCorrect(output: tf.Tensor2D, truth: StepInput, targets: tf.Tensor2D, many: boolean): tf.Scalar {
  const hits = (a: tf.Tensor, b: tf.Tensor) => tf.cast(tf.equal(a, b), 'float32');
  if (many) {
    const [said, true_] = [tf.greater(output, 0), tf.greater(targets, 0.5)];
    return tf.sum(tf.mean(tf.cast(tf.logicalNot(tf.logicalXor(said, true_)), 'float32'), 1));
  }
  const predicted = tf.argMax(output, 1);
  if (truth.targets) return tf.sum(hits(predicted, tf.argMax(targets, 1)));
  const own = hits(predicted, tf.tensor1d(truth.labels, 'int32'));
  if (!truth.partners || !truth.shares) return tf.sum(own);
  const shares = tf.tensor1d(truth.shares);
  const other = hits(predicted, tf.tensor1d(truth.partners, 'int32'));
  return tf.sum(tf.add(tf.mul(own, shares), tf.mul(other, tf.sub(1, shares))));
}

function checkLoss(model: LayersModel, network: Network, loss: Loss, weights: readonly number[] | undefined): void {
  const { classes, ends } = network;
  if (loss.answers === 'many' && (ends === 'softmax' || ends === 'linear')) {
    throw new ModelError(
      `model ${model.name}: ${loss.kind} needs a model that ends in sigmoid, this one ends in ${ends === 'linear' ? 'a dense layer without activation' : ends}`,
    );
  }
  const lists = { classWeights: weights, positiveWeights: loss.config.positiveWeights, alpha: loss.config.alpha };
  for (const [name, list] of Object.entries(lists)) {
    if (Array.isArray(list) && list.length !== classes) {
      throw new ModelError(`${loss.kind}: ${name} must be one for each of ${classes} classes, received ${list.length}`);
    }
  }
}

function numbers(weights: Loss['classWeights']): readonly number[] | undefined {
  if (weights === 'balanced') throw new ModelError('classWeights: balanced weights need the labels of all images');
  return weights;
}

function namedList(gradients: tf.NamedTensorMap): NamedTensor[] {
  return Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
}

async function read(measured: readonly Measured[]): Promise<StepOutput> {
  try {
    const values = await Promise.all(
      measured.map(async ({ loss, correct, share }) => {
        const [[lossValue = Number.NaN], [count = 0]] = await Promise.all([loss.data(), correct.data()]);
        return { loss: lossValue * share, correct: count };
      }),
    );
    return {
      loss: values.reduce((sum, { loss }) => sum + loss, 0),
      correct: values.reduce((sum, { correct }) => sum + correct, 0),
    };
  } finally {
    for (const { loss, correct } of measured) {
      loss.dispose();
      correct.dispose();
    }
  }
}
