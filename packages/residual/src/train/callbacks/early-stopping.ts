/** Ends a run that no longer gets better, and gives the model the weights of its best epoch.
 *  The best weights lie beside the checkpoint, so that a run may be killed between its best epoch and its end. */

import { ModelError } from '../../models/errors.ts';
import { node } from '../../models/files.ts';
import { applyWeights, captureWeights, type RunState } from '../checkpoint.ts';
import { readCheckpointFile, writeCheckpointFile } from '../checkpoint-file.ts';
import type { Callback, CallbackRun } from './callback.ts';
import { Monitor, type MonitorOptions } from './monitor.ts';

export interface EarlyStoppingOptions extends MonitorOptions {
  /** Epochs without an improvement after which the run ends, from 1 up. Default 5. */
  readonly patience?: number;
  /** Give the model its best epoch's weights at the end, however it ends. Default true. */
  readonly restoreBest?: boolean;
}

/**
 * Early stopping, with the rules of Keras's `EarlyStopping`.
 *
 * @throws ModelError for impossible options, and at the first epoch where the monitored number is not measured
 * @example train(model, data, { epochs: 100, callbacks: [earlyStopping({ patience: 8 })] })
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const { patience = 5, restoreBest = true } = options;
  if (!(Number.isInteger(patience) && patience >= 1)) {
    throw new ModelError(`earlyStopping: patience must be a whole number from 1 up, received ${patience}`);
  }
  const name = 'earlyStopping';
  const monitor = new Monitor(name, options);
  let kept: RunState | undefined;
  const fileIn = ({ directory }: CallbackRun) =>
    directory === undefined ? undefined : node().path.join(directory, 'checkpoint', 'best.bin');
  return {
    name,
    // The best stays the best, though training went back to before it.
    staysOnSetback: true,
    getState: () => monitor.state,
    setState(state) {
      monitor.state = state;
    },
    async onEpoch(event, run) {
      if (monitor.isBest(event)) {
        if (!restoreBest) return;
        kept = await captureWeights(run.model);
        const file = fileIn(run);
        if (file !== undefined) await writeCheckpointFile(file, { epoch: event.epoch }, kept);
      } else if (event.epoch - monitor.best.epoch >= patience) {
        const { value, epoch } = monitor.best;
        run.stop(`${monitor.name} has not got better than ${value} for ${event.epoch - epoch} epochs`);
      }
    },
    async onTrainEnd(outcome, run) {
      if (!restoreBest || outcome === 'interrupted' || outcome === 'failed' || monitor.best.epoch === 0) return;
      const file = fileIn(run);
      const stored = kept === undefined && file !== undefined ? await readCheckpointFile(file) : undefined;
      const best = kept ?? (stored && [...stored.arrays.values()]);
      if (!best) throw new ModelError(`earlyStopping: the weights of epoch ${monitor.best.epoch} are missing`);
      applyWeights(run.model, best, `epoch ${monitor.best.epoch}`);
    },
  };
}
