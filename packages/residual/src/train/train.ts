/** The training loop: epochs of batches, one step ahead of what it knows of them, and able to stop and go on anywhere.
 *  What a step does is in step.ts; what is kept of it, in run-folder.ts. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type Batch, batches } from '../data/batches.ts';
import type { Splits } from '../data/dataset.ts';
import { ModelError } from '../models/errors.ts';
import { checkFit, predictions } from '../models/inference.ts';
import type { ModelInfo } from '../models/info.ts';
import { networkOf } from '../models/network.ts';
import { saveModel } from '../models/saved-model.ts';
import type { Position } from './checkpoint.ts';
import type { EpochRecord, StepRecord } from './history.ts';
import { Meter } from './meter.ts';
import { fingerprintOf, type Settings, settingsOf, type TrainOptions } from './options.ts';
import { RunFolder } from './run-folder.ts';
import { type StepOutput, trainingStep } from './step.ts';

export interface TrainResult {
  /** True where `signal` ended the run before its last epoch was done. */
  readonly interrupted: boolean;
  /** Updates made and epochs completed, all sittings together. */
  readonly steps: number;
  readonly epochs: readonly EpochRecord[];
  readonly seconds: number;
  /** Class names and preprocessing: what `saveModel` stores beside the weights. */
  readonly info: ModelInfo;
}

/**
 * Trains a classifier on `data.train`, and watches it on `data.validation` where there is one. `data.test` is not
 * looked at.
 *
 * The same seed, data and options give the same weights bit for bit, on any number of threads, and whether or not the
 * run was interrupted or killed and resumed from `directory`. In `directory` appear `history.jsonl`,
 * `checkpoint/state.bin` and, when the last epoch is done, the model as `saveModel` writes it.
 *
 * @param model With an input [batch, height, width, channels] and an output [batch, classes]; need not be compiled.
 *   Frozen layers stay as they are.
 * @throws ModelError for impossible options, data that does not fit the model, or a loss that is not finite
 * @throws DataError where the data cannot be read
 * @throws WriteError for a full disk or a folder that may not be written; the last checkpoint stays whole
 * @example
 * const { interrupted } = await train(model, photos, { epochs: 20, directory: 'runs/photos', signal });
 */
export async function train(model: LayersModel, data: Splits, options: TrainOptions): Promise<TrainResult> {
  const network = networkOf(model);
  for (const part of [data.train, data.validation]) if (part) checkFit(network, part);
  const settings = await settingsOf(model, data, options);
  const { optimizer, ownsOptimizer } = settings;
  let folder: RunFolder | undefined;
  try {
    const loop = new Loop(model, data, settings);
    if (options.directory !== undefined) {
      const parts = { model, optimizer, fingerprint: fingerprintOf(model, data, settings) };
      const opened = await RunFolder.open(options.directory, options.resume ?? false, parts);
      folder = opened.folder;
      loop.startIn(folder, opened.position);
    }
    return await loop.run();
  } finally {
    folder?.close();
    if (ownsOptimizer) optimizer.dispose();
  }
}

const start: Position = {
  step: 0,
  learningRate: 0,
  epoch: 0,
  batch: 0,
  sums: { loss: 0, correct: 0, images: 0 },
  seconds: 0,
  epochs: [],
};

class Loop {
  private readonly model: LayersModel;
  private readonly data: Splits;
  private readonly settings: Settings;
  private readonly step: ReturnType<typeof trainingStep>;
  private readonly meter = new Meter();
  private folder: RunFolder | undefined;
  private position = start;
  private saved: Position | undefined;
  /** The step that was given to the backend last, until its loss is known. */
  private running:
    | { readonly record: Omit<StepRecord, MeasuredField>; readonly size: number; readonly output: Promise<StepOutput> }
    | undefined;
  private startedAt = performance.now();
  private validationSeconds = 0;

  constructor(model: LayersModel, data: Splits, settings: Settings) {
    this.model = model;
    this.data = data;
    this.settings = settings;
    this.step = trainingStep(model, { optimizer: settings.optimizer });
  }

  startIn(folder: RunFolder, position: Position | undefined): void {
    this.folder = folder;
    if (!position) return;
    this.position = position;
    this.saved = position;
  }

  async run(): Promise<TrainResult> {
    const { epochs, directory } = this.settings.options;
    this.startedAt = performance.now() - 1000 * this.position.seconds;
    while (this.position.epoch < epochs) {
      const done = (await this.learnEpoch()) && (await this.endEpoch());
      if (!done) {
        await this.save();
        return this.result(true);
      }
    }
    await this.save();
    if (directory !== undefined) await saveModel(this.model, this.settings.info, directory);
    return this.result(false);
  }

  /** The rest of the epoch under way; false where it was interrupted. */
  private async learnEpoch(): Promise<boolean> {
    const { options, batchSize, dropRemainder, normalize, seed } = this.settings;
    const { signal, checkpointEvery, transforms = [], workers = 1 } = options;
    if (signal?.aborted) return false;
    const { epoch, batch: startBatch } = this.position;
    const order = { batchSize, seed, epoch, startBatch, shuffle: true, dropRemainder };
    for await (const batch of batches(this.data.train, { ...order, transforms, normalize, workers })) {
      await this.learn(batch);
      if (typeof checkpointEvery === 'number' && this.position.step % checkpointEvery === 0) await this.save();
      await turn();
      if (signal?.aborted) break;
    }
    await this.finishStep();
    return !signal?.aborted;
  }

  /** Gives the backend a step, then looks at the one before. */
  private async learn(batch: Batch): Promise<void> {
    const { position, settings } = this;
    const learningRate = rateOf(settings.optimizer);
    const output = this.step(batch);
    output.catch(() => {}); // reported when its turn comes
    await this.finishStep();
    this.position = { ...this.position, step: position.step + 1, batch: position.batch + 1, learningRate };
    const record = {
      type: 'step',
      step: this.position.step,
      epoch: position.epoch + 1,
      batch: this.position.batch,
      batches: settings.batches,
      learningRate,
    } as const;
    this.running = { record, size: batch.size, output };
  }

  /** Waits for the running step and writes down what came of it. */
  private async finishStep(): Promise<void> {
    if (!this.running) return;
    const { record, size, output } = this.running;
    this.running = undefined;
    const { loss, correct } = await output;
    if (!Number.isFinite(loss)) {
      throw new ModelError(
        `the loss is ${loss} at step ${record.step}: lower the learning rate (it was ${record.learningRate}), ` +
          'or look for values that are not finite in the data',
      );
    }
    const { sums } = this.position;
    this.position = {
      ...this.position,
      sums: { loss: sums.loss + loss * size, correct: sums.correct + correct, images: sums.images + size },
    };
    this.meter.tick(size, performance.now() / 1000);
    const measured = {
      loss,
      accuracy: correct / size,
      imagesPerSecond: Math.round(10 * this.meter.imagesPerSecond) / 10,
      seconds: this.seconds(),
    };
    const full: StepRecord = { ...record, ...measured };
    this.folder?.append(full);
    const { epochs, onStep } = this.settings.options;
    const steps = epochs * this.settings.batches;
    await onStep?.({ ...full, epochs, steps, secondsLeft: this.secondsLeft(steps - record.step) });
  }

  /** Validates and closes the epoch; false where that was interrupted. */
  private async endEpoch(): Promise<boolean> {
    const { epochs, checkpointEvery = 'epoch', onEpoch } = this.settings.options;
    this.meter.pause();
    const began = performance.now();
    const validation = await this.validate();
    if (validation === 'interrupted') return false;
    this.validationSeconds = (performance.now() - began) / 1000;
    const { sums, epoch, step, learningRate } = this.position;
    const record: EpochRecord = {
      type: 'epoch',
      epoch: epoch + 1,
      step,
      loss: sums.loss / sums.images,
      accuracy: sums.correct / sums.images,
      ...validation,
      learningRate,
      seconds: this.seconds(),
    };
    this.position = { ...start, step, learningRate, epoch: epoch + 1, epochs: [...this.position.epochs, record] };
    this.folder?.append(record);
    if (checkpointEvery === 'epoch') await this.save();
    await onEpoch?.({ ...record, epochs });
    return true;
  }

  private async validate(): Promise<Pick<EpochRecord, 'validationLoss' | 'validationAccuracy'> | 'interrupted'> {
    const { validation } = this.data;
    const { signal, workers = 1, onValidation } = this.settings.options;
    if (!validation || validation.size === 0) return {};
    const { batchSize, normalize } = this.settings;
    try {
      const [signals, progress] = [signal && { signal }, onValidation && { onProgress: onValidation }];
      const options = { preprocessing: normalize, batchSize, workers, ...signals, ...progress };
      let [images, loss, correct] = [0, 0, 0];
      for await (const prediction of predictions(this.model, validation, options)) {
        images++;
        loss += prediction.loss;
        if (prediction.predicted === prediction.actual) correct++;
      }
      return { validationLoss: loss / images, validationAccuracy: correct / images };
    } catch (error) {
      if (signal?.aborted && error === signal.reason) return 'interrupted';
      throw error;
    }
  }

  /** Writes a checkpoint, unless there is one of this very position. */
  private async save(): Promise<void> {
    await this.finishStep();
    if (!this.folder || this.saved === this.position) return;
    this.position = { ...this.position, seconds: this.seconds() };
    await this.folder.save(this.position);
    this.saved = this.position;
    this.meter.pause();
  }

  private seconds(): number {
    return Math.round(performance.now() - this.startedAt) / 1000;
  }

  private secondsLeft(steps: number): number | undefined {
    const { secondsPerStep } = this.meter;
    if (secondsPerStep === undefined) return undefined;
    const validations = this.settings.options.epochs - this.position.epoch;
    return steps * secondsPerStep + validations * this.validationSeconds;
  }

  private result(interrupted: boolean): TrainResult {
    const { step, epochs } = this.position;
    return { interrupted, steps: step, epochs, seconds: this.seconds(), info: this.settings.info };
  }
}

/** What is known of a step only when it has run. */
type MeasuredField = 'loss' | 'accuracy' | 'imagesPerSecond' | 'seconds';

/** The learning rate that the next update will have; 0 for an optimizer that does not tell. */
function rateOf(optimizer: object): number {
  const { learningRate } = optimizer as { readonly learningRate?: unknown };
  return typeof learningRate === 'number' ? learningRate : 0;
}

/**
 * Lets the event loop turn once. On a backend whose values are there at once, promises alone would never let a signal
 * (Ctrl-C) or the messages of the decoding threads through.
 */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve);
  });
}
