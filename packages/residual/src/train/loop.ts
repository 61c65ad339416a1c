/** The training loop: epochs of batches, with what stands between them, and a way to stop and go on anywhere. */

import { batches } from '../data/batches.ts';
import type { ModelInfo } from '../models/info.ts';
import { saveModel } from '../models/saved-model.ts';
import type { Outcome } from './callbacks/callback.ts';
import { sampleImages } from './callbacks/samples.ts';
import type { EpochRecord, TroubleRecord } from './history.ts';
import { Keeping } from './keeping.ts';
import type { RunFolder, StoredRun } from './run-folder.ts';
import { watchingScheduleOf } from './schedule.ts';
import { noSums, type Standing } from './standing.ts';
import { Steps } from './steps.ts';
import { GoodStates } from './trouble/good-states.ts';
import { isOutOfMemory } from './trouble/out-of-memory.ts';
import { setbackError } from './trouble/recovery.ts';
import { Setback } from './trouble/setback.ts';
import { Unfreezing } from './unfreezing.ts';
import { validated } from './validation.ts';

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

export class Loop {
  private readonly standing: Standing;
  private readonly steps: Steps;
  private readonly keeping: Keeping;
  private readonly unfreezing: Unfreezing;

  constructor(standing: Standing) {
    this.standing = standing;
    this.steps = new Steps(standing);
    this.keeping = new Keeping(standing, this.steps);
    this.unfreezing = new Unfreezing(standing.model, standing.settings.options.unfreeze ?? []);
  }

  startIn(folder: RunFolder, run: StoredRun | undefined): Promise<void> {
    return this.keeping.startIn(folder, run);
  }

  /** @param message What was wrong with the inputs and is put right. */
  async run(message: string | undefined): Promise<TrainResult> {
    const { standing, keeping } = this;
    const { whole, settings } = standing;
    const { directory } = settings.options;
    standing.startClock();
    await this.begin();
    if (message !== undefined && standing.isNew) {
      await standing.tell(standing.note({ trouble: 'inputRange', backTo: 0, message, rateScale: 1 }));
    }
    // The first state to go back to; a finished run has none, and is given one for its further epochs.
    if (standing.mends && !standing.isOver && standing.good.all.length === 0) keeping.trust(await keeping.capture());
    while (!standing.isOver) {
      if ((await this.attempt()) === 'interrupted') return this.end('interrupted');
    }
    await keeping.save();
    standing.averages.swap(); // for good: the model that is kept
    const result = await this.end(standing.position.stopped === undefined ? 'done' : 'stopped');
    if (directory !== undefined) await saveModel(whole.model, settings.info, directory);
    return result;
  }

  /** The callbacks close their files; their own errors would hide the one that matters. */
  async fail(): Promise<void> {
    await this.standing.callbacks.end('failed').catch(() => {});
  }

  close(): void {
    this.steps.end();
    this.standing.averages.dispose();
  }

  private async begin(): Promise<void> {
    const { settings, position, whole, callbacks } = this.standing;
    const { model, data } = whole;
    const { options, optimizer, info } = settings;
    const { directory, epochs } = options;
    const stop = (reason: string) => this.steps.stop(reason);
    const samples = (count: number) => sampleImages(data.train, settings, count);
    const run = { model, optimizer, info, directory, epochs, step: position.step, samples, stop };
    await callbacks.begin(run);
  }

  /** Goes on to the end of the epoch, or back where there is a trouble that can be mended. */
  private async attempt(): Promise<'interrupted' | 'went on'> {
    const { standing, keeping } = this;
    try {
      const learned = await this.learnEpoch();
      if (learned === 'stopped') {
        await keeping.capture();
        standing.position = { ...standing.position, stopped: standing.position.stopping?.reason ?? '' };
        standing.good = new GoodStates([]);
      } else if (learned === 'interrupted' || (await this.endEpoch()) === 'interrupted') {
        await keeping.save();
        return 'interrupted';
      }
    } catch (error) {
      const setback = setbackOf(error);
      if (!setback) throw error;
      if (!standing.mends) throw setbackError(setback, standing.position.learningRate);
      await keeping.goBack(setback);
    }
    return 'went on';
  }

  /** The rest of the epoch under way. */
  private async learnEpoch(): Promise<'interrupted' | 'stopped' | 'done'> {
    const { standing, steps } = this;
    const { options, batchSize, dropRemainder, normalize, seed } = standing.settings;
    const { signal, checkpointEvery, transforms = [], workers = 1 } = options;
    if (signal?.aborted) return 'interrupted';
    const { epoch, batch: startBatch } = standing.position;
    if (this.unfreezing.enter(epoch)) steps.end();
    const order = { batchSize, seed, epoch, startBatch, shuffle: true, dropRemainder };
    for await (const batch of batches(standing.data.train, { ...order, transforms, normalize, workers })) {
      if (standing.mustStop) break;
      await steps.learn(batch);
      const { step } = standing.position;
      if (typeof checkpointEvery === 'number' && step % checkpointEvery === 0) await this.keeping.save();
      await turn();
      if (signal?.aborted || standing.mustStop) break;
    }
    await steps.finish();
    if (signal?.aborted) return 'interrupted';
    return standing.mustStop && standing.position.batch < standing.settings.batches ? 'stopped' : 'done';
  }

  /** Validates and closes the epoch. */
  private async endEpoch(): Promise<'interrupted' | 'done'> {
    const { standing, keeping } = this;
    const { epochs, checkpointEvery = 'epoch', onEpoch } = standing.settings.options;
    this.steps.meter.pause();
    const began = performance.now();
    const validation = await standing.averages.within(() => validated(standing));
    if (validation === 'interrupted') return 'interrupted';
    const { validationLoss } = validation;
    if (standing.mends && validationLoss !== undefined && !Number.isFinite(validationLoss)) {
      throw new Setback('diverged', `the validation loss is ${validationLoss} after step ${standing.position.step}`);
    }
    standing.validationSeconds = (performance.now() - began) / 1000;
    const { position } = standing;
    const { sums, epoch, step, learningRate } = position;
    const record: EpochRecord = {
      type: 'epoch',
      epoch: epoch + 1,
      step,
      loss: sums.loss / sums.images,
      accuracy: sums.correct / sums.images,
      ...validation,
      learningRate,
      seconds: standing.seconds(),
    };
    standing.position = { ...position, epoch: epoch + 1, batch: 0, sums: noSums, epochs: [...position.epochs, record] };
    watchingScheduleOf(standing.settings.optimizer)?.observe({ ...record });
    standing.folder?.append(record);
    await standing.averages.within(() => standing.callbacks.epoch({ ...record, epochs }));
    const { stopping } = standing.position;
    if (stopping) standing.position = { ...standing.position, stopped: stopping.reason };
    if (standing.mends) keeping.trust(await keeping.capture());
    if (standing.isOver) standing.good = new GoodStates([]);
    if (checkpointEvery === 'epoch' || standing.isOver) await keeping.save();
    await onEpoch?.({ ...record, epochs });
    return 'done';
  }

  private async end(outcome: Outcome): Promise<TrainResult> {
    const { standing } = this;
    await standing.callbacks.end(outcome);
    const { step, epochs, troubles, stopped } = standing.position;
    const interrupted = outcome === 'interrupted';
    // The run may go on with this very model: it must be as it was given.
    if (interrupted) this.unfreezing.leave();
    const { info } = standing.settings;
    return { interrupted, stopped, steps: step, epochs, troubles, seconds: standing.seconds(), info };
  }
}

/** The trouble behind an error, where it is one. */
function setbackOf(error: unknown): Setback | undefined {
  if (error instanceof Setback) return error;
  return isOutOfMemory(error)
    ? new Setback('outOfMemory', 'a step does not fit into memory', { cause: error })
    : undefined;
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
