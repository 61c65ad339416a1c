/** Our callbacks in plain `model.fit` and `model.fitDataset`: logs, event files, early stopping and hooks serve there too.
 *  There is no checkpoint, so nothing is resumed. */

import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { Meter } from '../meter.ts';
import { rateOf } from '../rate-scale.ts';
import type { Callback, CallbackRun } from './callback.ts';
import { CallbackList } from './list.ts';

export interface TfCallbackOptions {
  /** Where callbacks write that name no folder of their own. */
  readonly directory?: string;
}

/**
 * One TF.js callback out of ours.
 *
 * @example await model.fit(x, y, { epochs: 9, callbacks: asTfCallback([csvLog('log.csv'), earlyStopping()]) })
 */
export function asTfCallback(
  callbacks: Callback | readonly Callback[],
  options: TfCallbackOptions = {},
): tfl.CustomCallback {
  return new Adapter(Array.isArray(callbacks) ? callbacks : [callbacks as Callback], options);
}

class Adapter extends tfl.CustomCallback {
  private readonly held: { model: tfl.LayersModel | undefined };

  constructor(callbacks: readonly Callback[], { directory }: TfCallbackOptions) {
    const list = new CallbackList(callbacks);
    const meter = new Meter();
    let [step, epoch, batch, startedAt, rate] = [0, 0, 0, 0, 0];
    const held: { model: tfl.LayersModel | undefined } = { model: undefined };
    const model = () => {
      if (!held.model) throw new Error('internal: the callback has no model');
      return held.model;
    };
    const epochs = () => Number((this as unknown as { params: { epochs?: number } }).params.epochs ?? 0);
    const steps = () => Number((this as unknown as { params: { steps?: number | null } }).params.steps ?? 0);
    const optimizer = () => (model() as unknown as { optimizer: tf.Optimizer }).optimizer;
    const seconds = () => Math.round(performance.now() - startedAt) / 1000;
    super(
      {
        async onTrainBegin() {
          startedAt = performance.now();
          const none = { info: undefined, samples: undefined, directory };
          const stop = () => {
            model().stopTraining = true;
          };
          const run: CallbackRun = { ...none, model: model(), optimizer: optimizer(), epochs: epochs(), step: 0, stop };
          await list.begin(run);
        },
        onEpochBegin(index) {
          epoch = index + 1;
          batch = 0;
        },
        async onBatchBegin() {
          await list.beforeStep();
          rate = rateOf(optimizer());
        },
        async onBatchEnd(_, logs = {}) {
          step++;
          batch++;
          meter.tick(Number(logs.size ?? 0), performance.now() / 1000);
          await list.step({
            type: 'step',
            step,
            epoch,
            batch,
            batches: steps(),
            loss: Number(logs.loss),
            accuracy: accuracyOf(logs) ?? Number.NaN,
            learningRate: rate,
            imagesPerSecond: Math.round(10 * meter.imagesPerSecond) / 10,
            seconds: seconds(),
            epochs: epochs(),
            steps: epochs() * steps(),
            secondsLeft: undefined,
          });
        },
        async onEpochEnd(_, logs = {}) {
          meter.pause();
          const validationAccuracy = accuracyOf(logs, 'val_');
          await list.epoch({
            type: 'epoch',
            epoch,
            step,
            loss: Number(logs.loss),
            accuracy: accuracyOf(logs) ?? Number.NaN,
            ...(logs.val_loss === undefined ? {} : { validationLoss: Number(logs.val_loss) }),
            ...(validationAccuracy === undefined ? {} : { validationAccuracy }),
            learningRate: rate,
            seconds: seconds(),
            epochs: epochs(),
          });
        },
        onTrainEnd: () => list.end(model().stopTraining ? 'stopped' : 'done'),
      },
      // Nothing has to be drawn between two batches.
      'never',
    );
    this.held = held;
  }

  override setModel(model: unknown): void {
    this.held.model = model as tfl.LayersModel;
  }
}

/** `acc` or `accuracy`, as the metric was named in `compile`. */
function accuracyOf(logs: tfl.Logs, prefix = ''): number | undefined {
  const value = logs[`${prefix}acc`] ?? logs[`${prefix}accuracy`];
  return value === undefined ? undefined : Number(value);
}
