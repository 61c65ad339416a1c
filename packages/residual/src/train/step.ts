/** One training step: forward, loss, gradients, update. Nothing in it waits for a value,
 *  so a backend that records can run one step while the next is recorded. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { ImageShape } from '../data/dataset.ts';
import { ModelError } from '../models/errors.ts';
import { type Network, networkOf } from '../models/network.ts';
import { crossEntropy, smoothedTargets, softmaxCrossEntropy } from './loss.ts';

export interface StepInput {
  /** Normalised, size × height × width × channels. */
  readonly images: Float32Array;
  readonly labels: Int32Array;
  readonly size: number;
  /** Of these images, where it is not the model's own. */
  readonly imageShape?: ImageShape;
}

/** Values of a step, when they are there. */
export interface StepOutput {
  readonly loss: number;
  /** How many images of the batch were classified rightly, before the update. */
  readonly correct: number;
}

/** Learns one batch; the promise can wait while further steps are made. */
export type Step = (input: StepInput) => Promise<StepOutput>;

/**
 * Prepares the training step of a model.
 *
 * The loss is the mean cross-entropy, and the penalties of regularisers that the model's layers have.
 *
 * @throws ModelError where all of the model is frozen
 */
export function trainingStep(model: LayersModel, optimizer: tf.Optimizer, labelSmoothing: number): Step {
  const network = networkOf(model);
  // LayerVariable.read() gives the tf.Variable itself.
  const variables = model.trainableWeights.map((weight) => weight.read() as unknown as tf.Variable);
  if (variables.length === 0) throw new ModelError(`model ${model.name}: all its layers are frozen, nothing can learn`);
  return (input) => {
    const [loss, correct] = tf.tidy(() => run(model, network, variables, optimizer, input, labelSmoothing));
    return read(loss, correct);
  };
}

function run(
  model: LayersModel,
  network: Network,
  variables: tf.Variable[],
  optimizer: tf.Optimizer,
  { images, labels, size, imageShape }: StepInput,
  labelSmoothing: number,
): [loss: tf.Scalar, correct: tf.Scalar] {
  const { classes, inputShape } = network;
  const x = tf.tensor4d(images, [size, ...(imageShape ?? inputShape)]);
  const targets = tf.tensor2d(smoothedTargets(labels, classes, labelSmoothing), [size, classes]);
  const truth = tf.tensor1d(labels, 'int32');
  const correct: tf.Scalar[] = [];
  const { value, grads } = tf.variableGrads(() => {
    const output = network.apply(x, true);
    correct.push(tf.keep(tf.sum(tf.cast(tf.equal(tf.argMax(output, 1), truth), 'float32'))));
    const entropy = network.gives === 'logits' ? softmaxCrossEntropy(output, targets) : crossEntropy(output, targets);
    return model.calculateLosses().reduce((sum, penalty) => tf.add(sum, penalty), entropy);
  }, variables);
  optimizer.applyGradients(grads);
  const [count] = correct;
  if (!count) throw new Error('internal: the loss was not computed');
  return [value, count];
}

async function read(loss: tf.Scalar, correct: tf.Scalar): Promise<StepOutput> {
  try {
    const [[lossValue = Number.NaN], [count = 0]] = await Promise.all([loss.data(), correct.data()]);
    return { loss: lossValue, correct: count };
  } finally {
    loss.dispose();
    correct.dispose();
  }
}
