/** What `train` can be told, its defaults, and the fingerprint by which a resumed run knows itself.
 *  Everything is checked here, before the first step. */

import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Transform } from '../augment/transform.ts';
import { batchesPerEpoch } from '../data/batches.ts';
import type { Normalization, Splits } from '../data/dataset.ts';
import { meanAndStd } from '../data/statistics.ts';
import { ModelError } from '../models/errors.ts';
import { node } from '../models/files.ts';
import type { Prediction } from '../models/inference.ts';
import type { ModelInfo } from '../models/info.ts';
import { type AverageOptions, type AverageSettings, type Averages, averageSettings } from './averages.ts';
import type { Callback } from './callbacks/callback.ts';
import { captureWeights, type Fingerprint } from './checkpoint.ts';
import { type Clip, checkClip } from './clip.ts';
import type { CacheOptions } from './features/cached-run.ts';
import type { EpochRecord, StepRecord, TroubleRecord } from './history.ts';
import { balancedWeights, crossEntropy, type Loss, lossFromData } from './losses.ts';
import { checkStages, type ResolutionStage, type ShownBatch } from './resolution.ts';
import { watchingScheduleOf } from './schedule.ts';
import { cosineDecay } from './schedules.ts';
import { type Score, scoreFor } from './score.ts';
import { sgd } from './sgd.ts';
import type { StepInput, StepOptions } from './step.ts';
import { checkUnfreezing, type UnfreezeStage } from './unfreezing.ts';

export interface TrainOptions extends AverageOptions {
  /** Times that each training image is seen. */
  readonly epochs: number;
  /** Default 128, or all images where there are fewer. */
  readonly batchSize?: number;
  /**
   * Any tf.Optimizer; only ours (`sgd`, `adamW`, `muon`) promise the same bits after a resume. Default: `sgd` with Nesterov momentum 0.9,
   * weight decay 5e-4 on kernels, and a cosine decay from 0.05 after a warm-up of a twentieth of the steps.
   */
  readonly optimizer?: tf.Optimizer;
  /**
   * What is minimised: a loss, its name or its data, e.g. `focal({ gamma: 2 })`, `'focal'` or `{ name: 'focal' }`.
   * Default: cross-entropy. Validation reports plain cross-entropy whatever is minimised, so that runs can be compared.
   */
  readonly loss?: Loss | string | { readonly name: string };
  /** Of the default loss: probability mass that is spread over all classes, 0 to less than 1. Default 0. */
  readonly labelSmoothing?: number;
  /**
   * Soft or multi-hot targets of the training images, in the data set's order, images × classes; its labels otherwise.
   * `binaryCrossEntropy` learns many labels per image from them.
   */
  readonly targets?: Float32Array;
  /** The same of the validation images; needed beside `targets` with `binaryCrossEntropy`. */
  readonly validationTargets?: Float32Array;
  /**
   * The most images that are computed at once: a larger batch is cut into parts whose gradients are added up. The result
   * is the whole batch's, but for rounding and for BN, which sees each part on its own. Default: all.
   */
  readonly microBatch?: number;
  /** Shortens gradients before the optimizer gets them: one of `value`, `norm`, `globalNorm`. Default: not. */
  readonly clip?: Clip;
  /** Augmentations of training images, in order, e.g. `[randomCrop({ padding: 4 }), randomFlip()]`. Default none. */
  readonly transforms?: readonly Transform[];
  /** Default: mean and standard deviation of the training images. */
  readonly normalize?: Normalization;
  /**
   * Progressive resizing: sizes at which the network sees the pictures up to a step, in order; whole pictures from the
   * last stage on. The model must be convolutions up to its pooling. Default none.
   */
  readonly resolution?: readonly ResolutionStage[];
  /**
   * Gradual unfreezing: from which epoch on how many of the last blocks learn, e.g. `[{ epoch: 3, blocks: 1 },
   * { epoch: 6, blocks: 'all' }]`. Before the first stage the model is frozen as it was given, and after the run as the
   * last stage left it. The optimizer's state of weights that begin to learn is fresh. Default none.
   */
  readonly unfreeze?: readonly UnfreezeStage[];
  /**
   * Train the head on features that are computed once for each picture, where nothing before the head changes: the same
   * result as without, bit for bit with as many views as epochs or no `transforms`, many times faster. The whole model
   * is trained, kept and saved as ever. Default false.
   */
  readonly cacheFeatures?: boolean | CacheOptions;
  /** Of the order of images and of augmentation. Default 0. */
  readonly seed?: number;
  /** Leave out an epoch's last images that fill no batch (others each epoch). Default true. */
  readonly dropRemainder?: boolean;
  /** Threads that make batches; the result does not depend on it. Default 1. */
  readonly workers?: number;
  /** The run's folder: history, checkpoint and, at the end, the model. Default none: nothing is written. */
  readonly directory?: string;
  /** Save everything needed to go on at each epoch's end (the default), or every so many steps. */
  readonly checkpointEvery?: 'epoch' | number;
  /** Go on from the checkpoint in `directory`. Default false. */
  readonly resume?: boolean;
  /** Ends the run after the step under way, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** After each step; a promise is waited for. */
  readonly onStep?: (event: StepEvent) => void | Promise<void>;
  /** After each epoch and its validation; a promise is waited for. */
  readonly onEpoch?: (event: EpochEvent) => void | Promise<void>;
  /** While the validation set is evaluated. */
  readonly onValidation?: (done: number, total: number) => void;
  /** After a trouble was recognised and mended; a promise is waited for. */
  readonly onTrouble?: (event: TroubleRecord) => void | Promise<void>;
  /** Early stopping, logs, event files, hooks of your own: see `Callback`. Default none. */
  readonly callbacks?: readonly Callback[];
  /**
   * Mend what goes wrong: after a divergence go back to the last good state with a tenth of the learning rate, at most
   * three times; cut a batch that does not fit into memory; put a wrong normalisation right. False: throw instead, and
   * take `normalize` as it is. Default true.
   */
  readonly mend?: boolean;
}

export interface StepEvent extends StepRecord {
  readonly epochs: number;
  /** Of the whole run. */
  readonly steps: number;
  /** Undefined until there is something to estimate from. */
  readonly secondsLeft: number | undefined;
}

export interface EpochEvent extends EpochRecord {
  readonly epochs: number;
}

/** Options with nothing left open. */
export interface Settings {
  readonly options: TrainOptions;
  readonly batchSize: number;
  readonly batches: number;
  readonly dropRemainder: boolean;
  readonly optimizer: tf.Optimizer;
  /** Whether `train` made the optimizer, and so disposes of it. */
  readonly ownsOptimizer: boolean;
  readonly normalize: Normalization;
  readonly seed: number;
  readonly info: ModelInfo;
  readonly loss: Loss;
  /** As text, for the fingerprint. */
  readonly lossText: string;
  readonly classWeights: readonly number[] | undefined;
  readonly averages: AverageSettings;
  /** How a validation image is counted. */
  readonly score: (prediction: Prediction) => Score;
}

/**
 * Fills in the defaults.
 *
 * @throws ModelError for impossible values
 */
export async function settingsOf(model: LayersModel, data: Splits, options: TrainOptions): Promise<Settings> {
  const { epochs, labelSmoothing = 0, checkpointEvery = 'epoch', seed = 0, resume = false, directory } = options;
  const whole = (value: unknown) => Number.isInteger(value) && (value as number) >= 1;
  check(whole(epochs), 'epochs must be a whole number from 1 up', epochs);
  check(data.train.size > 0, 'the training set must have images', data.train.size);
  const batchSize = Math.min(options.batchSize ?? 128, data.train.size);
  check(whole(batchSize), 'batchSize must be a whole number from 1 up', batchSize);
  check(labelSmoothing >= 0 && labelSmoothing < 1, 'labelSmoothing must be at least 0 and less than 1', labelSmoothing);
  const everyRule = `checkpointEvery must be 'epoch' or a whole number of steps from 1 up`;
  check(checkpointEvery === 'epoch' || whole(checkpointEvery), everyRule, checkpointEvery);
  check(!resume || directory !== undefined, 'resume needs a directory', directory);
  checkStages(options.resolution ?? []);
  checkUnfreezing(model, options.unfreeze ?? []);
  const { microBatch, clip } = options;
  const partRule = 'microBatch must be a whole number from 1 up';
  check(microBatch === undefined || whole(microBatch), partRule, microBatch);
  if (clip) checkClip('train', clip);
  const dropRemainder = options.dropRemainder ?? true;
  const batches = batchesPerEpoch(data.train.size, batchSize, dropRemainder);
  const normalize = options.normalize ?? (await meanAndStd(data.train));
  const { mean, std } = normalize;
  const optimizer = options.optimizer ?? defaultOptimizer(epochs * batches);
  const monitor = watchingScheduleOf(optimizer)?.monitor ?? '';
  const validated = data.validation !== undefined && data.validation.size > 0;
  check(validated || !monitor.startsWith('validation'), 'reduceOnPlateau needs a validation set to watch', monitor);
  const loss = lossOf(options);
  const { imageShape: inputShape, resize = 'cover', crop = 1, interpolation } = data;
  const details = { ...(crop === 1 ? {} : { crop }), ...(interpolation === undefined ? {} : { interpolation }) };
  const preprocessing = { inputShape, resize, ...details, mean, std };
  return {
    options,
    batchSize,
    batches,
    dropRemainder,
    optimizer,
    ownsOptimizer: options.optimizer === undefined,
    normalize,
    seed,
    info: { format: 'residual/1', architecture: model.name, classes: data.classes, preprocessing },
    loss,
    lossText: await textOf(loss),
    classWeights: classWeightsOf(loss, data),
    averages: averageSettings(options, epochs * batches),
    score: scoreFor(loss, data, options),
  };
}

function lossOf({ loss, labelSmoothing }: TrainOptions): Loss {
  if (loss === undefined) return crossEntropy(labelSmoothing ? { labelSmoothing } : {});
  const given = typeof loss !== 'string' && 'kind' in loss ? loss : lossFromData(loss);
  const rule = 'labelSmoothing is of the default loss: give it to the loss itself';
  check(!labelSmoothing || labelSmoothing === given.labelSmoothing, rule, labelSmoothing);
  return given;
}

/** The loss in words, a teacher by the checksum of its weights. */
async function textOf({ kind, config, teacher }: Loss): Promise<string> {
  const text = Object.keys(config).length > 0 ? `${kind} ${JSON.stringify(config)}` : kind;
  if (!teacher || typeof process === 'undefined') return text;
  const { zlib } = node();
  const arrays = await captureWeights(teacher.model);
  const sum = arrays.reduce((crc, { values }) => zlib.crc32(new Uint8Array(values.slice().buffer), crc), 0);
  return `${text} (teacher's weights ${sum.toString(16)})`;
}

function classWeightsOf({ classWeights }: Loss, { train, classes }: Splits): readonly number[] | undefined {
  return classWeights === 'balanced' ? balancedWeights(train.labels, classes.length) : classWeights;
}

/** What the training step is made of. `microBatch` is the loop's own, where memory asks for it. */
export function stepOptions(settings: Settings, averages: Averages, microBatch?: number): StepOptions {
  const { optimizer, loss, classWeights, normalize, options } = settings;
  const { clip } = options;
  const most = Math.min(microBatch ?? settings.batchSize, options.microBatch ?? settings.batchSize);
  return {
    optimizer,
    loss,
    averages,
    normalize,
    microBatch: most,
    ...(classWeights ? { classWeights } : {}),
    ...(clip ? { clip } : {}),
  };
}

/** A batch with the targets of its images, where there are targets. */
export function stepInput({ options: { targets }, info }: Settings, batch: ShownBatch): StepInput {
  if (!targets) return batch;
  const { length } = info.classes;
  const rows = new Float32Array(batch.size * length);
  batch.indices.forEach((index, row) => {
    rows.set(targets.subarray(index * length, (index + 1) * length), row * length);
  });
  return { ...batch, targets: rows };
}

function check(ok: boolean, rule: string, value: unknown): void {
  if (!ok) throw new ModelError(`train: ${rule}, received ${JSON.stringify(value)}`);
}

function defaultOptimizer(steps: number): tf.Optimizer {
  const warmupSteps = Math.floor(steps / 20);
  const learningRate = cosineDecay(0.05, steps - warmupSteps, { warmupSteps });
  return sgd({ learningRate, momentum: 0.9, nesterov: true, weightDecay: 5e-4, decay: 'kernels' });
}

/** What a checkpoint remembers of its run; epochs are not part of it, so a run can be given more of them. */
export function fingerprintOf(model: LayersModel, data: Splits, settings: Settings): Fingerprint {
  const { zlib } = node();
  const { options, optimizer, info } = settings;
  const { name, size, labels } = data.train;
  const weights = model.weights.map(({ originalName, shape, trainable }) => [originalName, shape, trainable]);
  const checksum = (bytes: Uint8Array | string) => zlib.crc32(bytes).toString(16);
  const bytesOf = (array: Float32Array | Int32Array) =>
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const className = optimizer.getClassName();
  return {
    architecture: `${info.architecture} (weights ${checksum(JSON.stringify(weights))})`,
    data: `${name} (${size} images, labels ${checksum(bytesOf(labels as Int32Array))})`,
    classes: info.classes.join(', '),
    batchSize: String(settings.batchSize),
    optimizer: `${className} ${JSON.stringify(optimizer.getConfig())}`,
    loss: settings.lossText,
    targets: options.targets ? checksum(bytesOf(options.targets)) : 'labels',
    microBatch: String(options.microBatch ?? 'whole batches'),
    averages: JSON.stringify(settings.averages),
    clip: JSON.stringify(options.clip ?? {}),
    transforms: JSON.stringify(options.transforms ?? []),
    resolution: JSON.stringify(options.resolution ?? []),
    ...(options.unfreeze?.length ? { unfreeze: JSON.stringify(options.unfreeze) } : {}),
    normalize: JSON.stringify(settings.normalize),
    seed: String(settings.seed),
    dropRemainder: String(settings.dropRemainder),
  };
}
