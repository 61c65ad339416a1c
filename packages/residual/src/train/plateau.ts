/** A learning rate that falls when the training no longer gets better, by the rules of Keras's `ReduceLROnPlateau`.
 *  The one schedule with a memory; an optimizer keeps it in its state, so that a resumed run waits no longer than it had to. */

import { ModelError } from '../models/errors.ts';
import { checkRate, checkValue, type Metrics, type Monitored, type WatchingSchedule } from './schedule.ts';

export interface PlateauOptions {
  /** Default `validationLoss`. */
  readonly monitor?: Monitored;
  /** The rate falls to so much of itself, less than 1. Default 0.1. */
  readonly factor?: number;
  /** Epochs without an improvement before it falls. Default 10. */
  readonly patience?: number;
  /** What counts as an improvement. Default 1e-4. */
  readonly minDelta?: number;
  /** Epochs after a fall in which nothing is counted. Default 0. */
  readonly cooldown?: number;
  /** It never falls below this. Default 0. */
  readonly minRate?: number;
}

export interface ReduceOnPlateau extends WatchingSchedule {
  /** For `model.fit(…, { callbacks: schedule.callback() })`; `train` needs none. */
  callback(): { onEpochEnd(epoch: number, logs?: Metrics): void };
}

/** TF.js's names in `onEpochEnd`'s logs. */
const IN_TFJS: Readonly<Record<Monitored, readonly string[]>> = {
  validationLoss: ['val_loss'],
  validationAccuracy: ['val_acc', 'val_accuracy'],
  loss: ['loss'],
  accuracy: ['acc', 'accuracy'],
};

/**
 * Begins at `initial`, and multiplies it by `factor` whenever `patience` epochs went by without an improvement.
 *
 * @throws ModelError for impossible options, and at an epoch's end where nothing called `monitor` was measured
 * @example await train(model, data, { epochs, optimizer: sgd({ learningRate: reduceOnPlateau(0.1, { patience: 5 }) }) })
 */
export function reduceOnPlateau(initial: number, options: PlateauOptions = {}): ReduceOnPlateau {
  const { monitor = 'validationLoss', factor = 0.1, patience = 10, minDelta = 1e-4 } = options;
  const { cooldown = 0, minRate = 0 } = options;
  const name = 'reduceOnPlateau';
  checkRate(name, initial);
  checkRate(name, minRate, 'minRate');
  checkValue(name, monitor in IN_TFJS, `monitor must be one of ${Object.keys(IN_TFJS).join(', ')}`, monitor);
  checkValue(name, factor >= 0 && factor < 1, 'factor must be at least 0 and less than 1', factor);
  checkValue(name, Number.isInteger(patience) && patience >= 0, 'patience must be a whole number from 0 up', patience);
  checkValue(name, Number.isInteger(cooldown) && cooldown >= 0, 'cooldown must be a whole number from 0 up', cooldown);
  checkValue(name, minDelta >= 0, 'minDelta must be 0 or more', minDelta);
  const rises = monitor === 'accuracy' || monitor === 'validationAccuracy';
  let [rate, best, wait, cooling] = [initial, rises ? -Infinity : Infinity, 0, 0];
  const observe = (metrics: Metrics) => {
    const key = [monitor, ...IN_TFJS[monitor]].find((known) => typeof metrics[known] === 'number');
    if (key === undefined) {
      const measured = Object.keys(metrics).filter((known) => typeof metrics[known] === 'number');
      throw new ModelError(`${name}: monitor ${monitor} was not measured; there are ${measured.join(', ')}`);
    }
    const value = metrics[key] as number;
    if (cooling > 0) [cooling, wait] = [cooling - 1, 0];
    if (rises ? value > best + minDelta : value < best - minDelta) [best, wait] = [value, 0];
    else if (cooling === 0) {
      wait++;
      if (wait >= patience && rate > minRate) {
        rate = Math.max(rate * factor, minRate);
        [cooling, wait] = [cooldown, 0];
      }
    }
  };
  return {
    name,
    config: { initial, monitor, factor, patience, minDelta, cooldown, minRate },
    monitor,
    at: () => rate,
    observe,
    saveState: () => [rate, best, wait, cooling],
    restoreState(state) {
      [rate, best, wait, cooling] = state as [number, number, number, number];
    },
    callback: () => ({ onEpochEnd: (_, logs) => observe(logs ?? {}) }),
  };
}
