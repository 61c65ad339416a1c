/** The training loop: epochs of batches, one step ahead of what it knows of them, and able to stop and go on anywhere.
 *  What a step does is in step.ts; what is kept of it, in run-folder.ts. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type Batch, batches } from '../data/batches.ts';
import type { Splits } from '../data/dataset.ts';
import { checkFit, predictions } from '../models/inference.ts';
import type { ModelInfo } from '../models/info.ts';
import { networkOf } from '../models/network.ts';
import { saveModel } from '../models/saved-model.ts';
import { Averages } from './averages.ts';
import type { CallbackStates, Outcome } from './callbacks/callback.ts';
import { CallbackList } from './callbacks/list.ts';
import { sampleImages } from './callbacks/samples.ts';
import { applyState, captureState, isFiniteState, type Position, type RunState } from './checkpoint.ts';
import { type CachedRun, cachedRun } from './features/cached-run.ts';
import type { EpochRecord, StepRecord, TroubleRecord } from './history.ts';
import { Meter } from './meter.ts';
import { fingerprintOf, type Settings, settingsOf, stepInput, stepOptions, type TrainOptions } from './options.ts';
import { rateOf, setRateScale } from './rate-scale.ts';
import { atResolution } from './resolution.ts';
import { RunFolder, type StoredRun } from './run-folder.ts';
import { watchingScheduleOf } from './schedule.ts';
import { type Step, type StepOutput, trainingStep } from './step.ts';
import { findDead } from './trouble/dead-layers.ts';
import { GoodStates } from './trouble/good-states.ts';
import { checkInputs } from './trouble/input-range.ts';
import { chanceOf, LossWatch } from './trouble/loss-watch.ts';
import { isOutOfMemory } from './trouble/out-of-memory.ts';
import { planRecovery, setbackError } from './trouble/recovery.ts';
import { Setback } from './trouble/setback.ts';
import { Unfreezing } from './unfreezing.ts';

export interface TrainResult {
  /** True where `signal` ended the run before its last epoch was done. */
  readonly interrupted: boolean;
  /** Why a callback ended the run before its last epoch; undefined where none did. */
  readonly stopped: string | undefined;
  /** Updates made and epochs completed, all sittings together. */
  readonly steps: number;
  readonly epochs: readonly EpochRecord[];
  /** What went wrong and was mended, all sittings together. */
  readonly troubles: readonly TroubleRecord[];
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
 * What goes wrong is mended where it can be (`mend`), told to `onTrouble`, and recorded in history and checkpoint.
 *
 * @param model With an input [batch, height, width, channels] and an output [batch, classes]; need not be compiled.
 *   Frozen layers stay as they are.
 * @throws ModelError for impossible options, data that does not fit the model, or training that does not converge
 * @throws DataError where the data cannot be read
 * @throws WriteError for a full disk or a folder that may not be written; the last checkpoint stays whole
 * @example
 * const { interrupted } = await train(model, photos, { epochs: 20, directory: 'runs/photos', signal });
 */
export async function train(model: LayersModel, data: Splits, options: TrainOptions): Promise<TrainResult> {
  const network = networkOf(model);
  for (const part of [data.train, data.validation]) if (part) checkFit(network, part);
  const asked = await settingsOf(model, data, options);
  const { optimizer, ownsOptimizer } = asked;
  let folder: RunFolder | undefined;
  let loop: Loop | undefined;
  try {
    const { settings, message } = await withCheckedInputs(model, data, asked);
    const cached = options.cacheFeatures ? await unlessAborted(cachedRun(model, data, settings), options) : undefined;
    if (cached === 'aborted') {
      return {
        interrupted: true,
        stopped: undefined,
        steps: 0,
        epochs: [],
        troubles: [],
        seconds: 0,
        info: settings.info,
      };
    }
    loop = new Loop(model, data, settings, cached);
    if (options.directory !== undefined) {
      const own = fingerprintOf(model, data, settings);
      const fingerprint = cached ? { ...own, features: cached.text } : own;
      const opened = await RunFolder.open(options.directory, options.resume ?? false, fingerprint);
      folder = opened.folder;
      await loop.startIn(folder, opened.run);
    }
    return await loop.run(message);
  } catch (error) {
    await loop?.fail();
    throw error;
  } finally {
    folder?.close();
    loop?.close();
    if (ownsOptimizer) optimizer.dispose();
  }
}

async function unlessAborted<T>(work: Promise<T>, { signal }: TrainOptions): Promise<T | 'aborted'> {
  try {
    return await work;
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return 'aborted';
    throw error;
  }
}

/** The settings with a normalisation that the model can learn from, and what was wrong with the one before. */
async function withCheckedInputs(model: LayersModel, data: Splits, settings: Settings) {
  const { options, seed } = settings;
  if (options.mend === false) return { settings };
  const { transforms = [], workers = 1 } = options;
  const { normalize, message } = await checkInputs(model, data.train, settings.normalize, {
    transforms,
    seed,
    workers,
  });
  const { mean, std } = normalize;
  const info = { ...settings.info, preprocessing: { ...settings.info.preprocessing, mean, std } };
  return { settings: { ...settings, normalize, info }, message };
}

const start: Position = {
  step: 0,
  learningRate: 0,
  epoch: 0,
  batch: 0,
  sums: { loss: 0, correct: 0, images: 0 },
  seconds: 0,
  epochs: [],
  rateScale: 1,
  troubles: [],
};

class Loop {
  /** As it was given: what callbacks see and what is saved. */
  private readonly whole: { readonly model: LayersModel; readonly data: Splits };
  /** What is trained, on what: the head and features, where those are computed once. */
  private readonly model: LayersModel;
  private readonly data: Splits;
  private readonly settings: Settings;
  private readonly callbacks: CallbackList;
  private readonly meter = new Meter();
  private readonly watch: LossWatch;
  private readonly mends: boolean;
  private good = new GoodStates([]);
  /** Slow copies of the weights, where the options ask for them; validation and all that is kept for use see these. */
  private readonly averages: Averages;
  private readonly unfreezing: Unfreezing;
  private step: Step | undefined;
  private folder: RunFolder | undefined;
  private position = start;
  private saved: Position | undefined;
  /** The last copy of model and optimizer, and where it was taken. */
  private captured: { readonly position: Position; readonly state: RunState } | undefined;
  /** The step that is being told to the callbacks. */
  private told: number | undefined;
  /** The step that was given to the backend last, until its loss is known. */
  private running:
    | { readonly record: Omit<StepRecord, MeasuredField>; readonly size: number; readonly output: Promise<StepOutput> }
    | undefined;
  /** Settles when the backend has nothing more to do. */
  private idle: Promise<unknown> = Promise.resolve();
  private startedAt = performance.now();
  private validationSeconds = 0;

  constructor(whole: LayersModel, pictures: Splits, settings: Settings, cached?: CachedRun) {
    const { options } = settings;
    const { head: model = whole, data = pictures } = cached ?? {};
    this.whole = { model: whole, data: pictures };
    this.model = model;
    this.data = data;
    this.settings = settings;
    this.mends = options.mend ?? true;
    this.callbacks = new CallbackList(options.callbacks ?? []);
    this.averages = new Averages(model, settings.averages);
    this.unfreezing = new Unfreezing(model, options.unfreeze ?? []);
    this.watch = new LossWatch(chanceOf(data.train.labels, data.classes.length));
  }

  async startIn(folder: RunFolder, run: StoredRun | undefined): Promise<void> {
    this.folder = folder;
    if (!run) return;
    const { position, callbacks = {}, watch = { seen: [] } } = run.meta;
    await applyState({ ...this.parts, state: run.state, from: folder.directory });
    this.good = new GoodStates(run.good);
    this.watch.state = watch;
    this.callbacks.restore(callbacks);
    this.stand(position);
    this.saved = position;
  }

  /** @param message What was wrong with the inputs and is put right. */
  async run(message: string | undefined): Promise<TrainResult> {
    const { directory } = this.settings.options;
    this.startedAt = performance.now() - 1000 * this.position.seconds;
    await this.begin();
    if (message !== undefined && this.position === start) {
      await this.tell(this.note({ trouble: 'inputRange', backTo: 0, message, rateScale: 1 }));
    }
    // The first state to go back to; a finished run has none, and is given one for its further epochs.
    if (this.mends && !this.isOver && this.good.all.length === 0) this.trust(await this.capture());
    while (!this.isOver) {
      if ((await this.attempt()) === 'interrupted') return this.end('interrupted');
    }
    await this.save();
    this.averages.swap(); // for good: the model that is kept
    const result = await this.end(this.position.stopped === undefined ? 'done' : 'stopped');
    if (directory !== undefined) await saveModel(this.whole.model, this.settings.info, directory);
    return result;
  }

  /** The callbacks close their files; their own errors would hide the one that matters. */
  async fail(): Promise<void> {
    await this.callbacks.end('failed').catch(() => {});
  }

  close(): void {
    this.step?.dispose();
    this.averages.dispose();
  }

  /** What a state is taken of. */
  private get parts() {
    return { model: this.model, optimizer: this.settings.optimizer, averages: this.averages };
  }

  private async begin(): Promise<void> {
    const { settings, position } = this;
    const { model, data } = this.whole;
    const { options, optimizer, info } = settings;
    const { directory, epochs } = options;
    const stop = (reason: string) => {
      // The step after one that is told has been given to the backend already: it counts, on every path.
      const after = this.told === undefined ? this.position.step : this.told + 1;
      this.position = { ...this.position, stopping: this.position.stopping ?? { after, reason } };
    };
    const samples = (count: number) => sampleImages(data.train, settings, count);
    const run = { model, optimizer, info, directory, epochs, step: position.step, samples, stop };
    await this.callbacks.begin(run);
  }

  /** Goes on to the end of the epoch, or back where there is a trouble that can be mended. */
  private async attempt(): Promise<'interrupted' | 'went on'> {
    try {
      const learned = await this.learnEpoch();
      if (learned === 'stopped') {
        await this.capture();
        this.position = { ...this.position, stopped: this.position.stopping?.reason ?? '' };
        this.good = new GoodStates([]);
      } else if (learned === 'interrupted' || (await this.endEpoch()) === 'interrupted') {
        await this.save();
        return 'interrupted';
      }
    } catch (error) {
      const setback = setbackOf(error);
      if (!setback) throw error;
      if (!this.mends) throw setbackError(setback, this.position.learningRate);
      await this.goBack(setback);
    }
    return 'went on';
  }

  /** The rest of the epoch under way. */
  private async learnEpoch(): Promise<'interrupted' | 'stopped' | 'done'> {
    const { options, batchSize, dropRemainder, normalize, seed } = this.settings;
    const { signal, checkpointEvery, transforms = [], workers = 1 } = options;
    if (signal?.aborted) return 'interrupted';
    const { epoch, batch: startBatch } = this.position;
    if (this.unfreezing.enter(epoch)) this.endStep();
    const order = { batchSize, seed, epoch, startBatch, shuffle: true, dropRemainder };
    for await (const batch of batches(this.data.train, { ...order, transforms, normalize, workers })) {
      if (this.mustStop()) break;
      await this.learn(batch);
      if (typeof checkpointEvery === 'number' && this.position.step % checkpointEvery === 0) await this.save();
      await turn();
      if (signal?.aborted || this.mustStop()) break;
    }
    await this.finishStep();
    if (signal?.aborted) return 'interrupted';
    return this.mustStop() && this.position.batch < this.settings.batches ? 'stopped' : 'done';
  }

  private get isOver(): boolean {
    return this.position.epoch >= this.settings.options.epochs || this.position.stopped !== undefined;
  }

  private mustStop(): boolean {
    const { stopping, step } = this.position;
    return stopping !== undefined && step >= stopping.after;
  }

  /** Gives the backend a step, then looks at the one before. */
  private async learn(batch: Batch): Promise<void> {
    const { position, settings } = this;
    const step = position.step + 1;
    await this.probe(step, batch);
    await this.callbacks.beforeStep();
    const learningRate = rateOf(settings.optimizer);
    this.step ??= trainingStep(this.model, stepOptions(settings, this.averages, position.microBatch));
    const { resolution = [] } = settings.options;
    const shown = atResolution(batch, this.data.imageShape, resolution, position.step);
    const output = this.step(stepInput(settings, shown));
    this.idle = output.catch(() => {}); // reported when its turn comes
    await this.finishStep();
    this.position = { ...this.position, step, batch: position.batch + 1, learningRate };
    const { batches } = settings;
    const at = { type: 'step', step, epoch: position.epoch + 1, batch: this.position.batch, batches } as const;
    this.running = { record: { ...at, learningRate }, size: batch.size, output };
  }

  /** Looks at the activations where the losses have asked for it. */
  private async probe(step: number, { images }: Batch): Promise<void> {
    const { probeBefore } = this.watch.state;
    if (!this.mends || probeBefore === undefined || step < probeBefore) return;
    this.watch.probedBefore(step);
    const dead = await findDead(this.model, images);
    if (dead !== undefined) throw new Setback('dead', `${dead} at step ${step}`);
  }

  /** Waits for the running step and writes down what came of it. */
  private async finishStep(): Promise<void> {
    if (!this.running) return;
    const { record, size, output } = this.running;
    this.running = undefined;
    const { loss, correct } = await output;
    const wrong = this.watch.see(record.step, loss, correct, size);
    if (wrong !== undefined && (this.mends || !Number.isFinite(loss))) throw new Setback('diverged', wrong);
    this.good.lived(record.step, () => this.watch.isStuck);
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
    const event = { ...full, epochs, steps, secondsLeft: this.secondsLeft(steps - record.step) };
    this.told = record.step;
    await this.callbacks.step(event);
    this.told = undefined;
    await onStep?.(event);
  }

  /** Validates and closes the epoch. */
  private async endEpoch(): Promise<'interrupted' | 'done'> {
    const { epochs, checkpointEvery = 'epoch', onEpoch } = this.settings.options;
    this.meter.pause();
    const began = performance.now();
    const validation = await this.averages.within(() => this.validate());
    if (validation === 'interrupted') return 'interrupted';
    const { validationLoss } = validation;
    if (this.mends && validationLoss !== undefined && !Number.isFinite(validationLoss)) {
      throw new Setback('diverged', `the validation loss is ${validationLoss} after step ${this.position.step}`);
    }
    this.validationSeconds = (performance.now() - began) / 1000;
    const { position } = this;
    const { sums, epoch, step, learningRate } = position;
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
    const none = start.sums;
    this.position = { ...position, epoch: epoch + 1, batch: 0, sums: none, epochs: [...position.epochs, record] };
    watchingScheduleOf(this.settings.optimizer)?.observe({ ...record });
    this.folder?.append(record);
    await this.averages.within(() => this.callbacks.epoch({ ...record, epochs }));
    if (this.position.stopping) this.position = { ...this.position, stopped: this.position.stopping.reason };
    if (this.mends) this.trust(await this.capture());
    if (this.isOver) this.good = new GoodStates([]);
    if (checkpointEvery === 'epoch' || this.isOver) await this.save();
    await onEpoch?.({ ...record, epochs });
    return 'done';
  }

  private async validate(): Promise<Pick<EpochRecord, 'validationLoss' | 'validationAccuracy'> | 'interrupted'> {
    const { validation } = this.data;
    const { signal, workers = 1, onValidation } = this.settings.options;
    if (!validation || validation.size === 0) return {};
    const { batchSize, normalize } = this.settings;
    const onProgress = (done: number, total: number) => {
      this.callbacks.validation(done, total);
      onValidation?.(done, total);
    };
    try {
      const size = Math.min(this.position.microBatch ?? batchSize, this.settings.options.microBatch ?? batchSize);
      const options = { preprocessing: normalize, batchSize: size, workers, onProgress, ...(signal && { signal }) };
      let [images, loss, correct] = [0, 0, 0];
      // At the size that was trained on last: the averages of batch norms are of such pictures.
      const { resolution = [] } = this.settings.options;
      const show = (batch: Batch) => atResolution(batch, this.data.imageShape, resolution, this.position.step - 1);
      for await (const prediction of predictions(this.model, validation, options, show)) {
        const score = this.settings.score(prediction);
        images++;
        loss += score.loss;
        correct += score.correct;
      }
      return { validationLoss: loss / images, validationAccuracy: correct / images };
    } catch (error) {
      if (signal?.aborted && error === signal.reason) return 'interrupted';
      throw error;
    }
  }

  /** Model and optimizer on the host; a setback where they are sick. */
  private async capture(): Promise<RunState> {
    const state = await captureState(this.parts);
    if (this.mends && !isFiniteState(state)) {
      throw new Setback('diverged', `the weights are not finite after step ${this.position.step}`);
    }
    this.captured = { position: this.position, state };
    return state;
  }

  private trust(state: RunState): void {
    const { position, watch, callbacks } = this;
    if (this.good.wantsOne) this.good.offer({ position, watch: watch.state, callbacks: callbacks.states(), state });
  }

  /** Back to the last good state, with what the plan of recovery says; the checkpoint says so before the logs do. */
  private async goBack(setback: Setback): Promise<void> {
    const { model, callbacks, settings } = this;
    const { optimizer, batchSize } = settings;
    this.running = undefined;
    await this.idle;
    const normalises = model.layers.some((layer) => layer.getClassName() === 'BatchNormalization' && layer.trainable);
    const plan = planRecovery(setback, { position: this.position, batchSize, normalises });
    if (plan.rateScale !== this.position.rateScale && !setRateScale(optimizer, plan.rateScale)) {
      throw setbackError(setback, this.position.learningRate);
    }
    const good = this.good.goBack(setback.kind !== 'outOfMemory');
    const trouble = this.note({ ...plan, trouble: setback.kind, backTo: good.position.step });
    const { troubles } = this.position;
    await applyState({ ...this.parts, state: good.state, from: 'the last good state' });
    this.watch.state = good.watch;
    this.stand({ ...good.position, ...plan, troubles, seconds: this.seconds() });
    const states = callbacks.statesAfterSetback(good.callbacks);
    await this.write(good.state, states);
    callbacks.restore(states);
    await this.tell(trouble);
  }

  /** Writes a trouble down. */
  private note(
    what: Pick<TroubleRecord, 'trouble' | 'backTo' | 'message' | 'rateScale' | 'microBatch'>,
  ): TroubleRecord {
    const { step, epoch, troubles } = this.position;
    const { trouble, backTo, message, rateScale, microBatch } = what;
    const size = microBatch === undefined ? {} : { microBatch };
    const at = { step, epoch: epoch + 1, backTo };
    const record: TroubleRecord = {
      type: 'trouble',
      trouble,
      ...at,
      message,
      rateScale,
      ...size,
      seconds: this.seconds(),
    };
    this.position = { ...this.position, troubles: [...troubles, record] };
    this.folder?.append(record);
    return record;
  }

  private async tell(trouble: TroubleRecord): Promise<void> {
    await this.callbacks.trouble(trouble);
    await this.settings.options.onTrouble?.(trouble);
  }

  /** Takes a position, with the learning rate and the cut of batches that belong to it. */
  private stand(position: Position): void {
    this.position = position;
    this.endStep();
    if (position.rateScale !== 1) setRateScale(this.settings.optimizer, position.rateScale);
  }

  /** The next step is prepared anew. */
  private endStep(): void {
    this.step?.dispose();
    this.step = undefined;
    this.meter.pause();
  }

  /** Writes a checkpoint, unless there is one of this very position, or the state is sick: the next step will show it. */
  private async save(): Promise<void> {
    await this.finishStep();
    if (!this.folder || this.saved === this.position) return;
    const fresh = this.captured?.position === this.position ? this.captured.state : undefined;
    const state = fresh ?? (await captureState(this.parts));
    if (this.mends && !isFiniteState(state)) return;
    await this.write(state, this.callbacks.states());
    this.meter.pause();
  }

  private async write(state: RunState, callbacks: CallbackStates): Promise<void> {
    if (!this.folder) return;
    this.position = { ...this.position, seconds: this.seconds() };
    const meta = { position: this.position, watch: this.watch.state, callbacks };
    await this.folder.save(state, meta, this.good.all);
    this.saved = this.position;
    this.captured = undefined;
  }

  private async end(outcome: Outcome): Promise<TrainResult> {
    await this.callbacks.end(outcome);
    const { step, epochs, troubles, stopped } = this.position;
    const interrupted = outcome === 'interrupted';
    // The run may go on with this very model: it must be as it was given.
    if (interrupted) this.unfreezing.leave();
    const { info } = this.settings;
    return { interrupted, stopped, steps: step, epochs, troubles, seconds: this.seconds(), info };
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
}

/** The trouble behind an error, where it is one. */
function setbackOf(error: unknown): Setback | undefined {
  if (error instanceof Setback) return error;
  return isOutOfMemory(error)
    ? new Setback('outOfMemory', 'a step does not fit into memory', { cause: error })
    : undefined;
}

/** What is known of a step only when it has run. */
type MeasuredField = 'loss' | 'accuracy' | 'imagesPerSecond' | 'seconds';

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
