/** Keeps the best model of a run as a folder of its own, which `loadModel` and every command can open at any time.
 *  The last one is in the checkpoint. */

import { ModelError } from '../../models/errors.ts';
import { node } from '../../models/files.ts';
import type { ModelInfo } from '../../models/info.ts';
import { saveModel } from '../../models/saved-model.ts';
import type { Callback } from './callback.ts';
import { Monitor, type MonitorOptions } from './monitor.ts';

export interface BestModelOptions extends MonitorOptions {
  /** Default `best` in the run's folder. */
  readonly directory?: string;
  /** Class names and preprocessing; `train` knows them, plain `model.fit` does not. */
  readonly info?: ModelInfo;
}

/**
 * Saves the model after each epoch that is the best so far.
 *
 * @throws ModelError for impossible options, or where there is no folder to write to
 * @throws WriteError
 * @example train(model, data, { epochs: 50, directory: 'runs/a', callbacks: [bestModel({ monitor: 'validationAccuracy' })] })
 */
export function bestModel(options: BestModelOptions = {}): Callback {
  const name = 'bestModel';
  const monitor = new Monitor(name, options);
  return {
    name,
    staysOnSetback: true,
    getState: () => monitor.state,
    setState(state) {
      monitor.state = state;
    },
    async onEpoch(event, { model, info = options.info, directory }) {
      const folder = options.directory ?? (directory === undefined ? undefined : node().path.join(directory, 'best'));
      if (folder === undefined) throw new ModelError(`${name}: needs a directory, for the run has none`);
      if (info === undefined) throw new ModelError(`${name}: needs info, for plain model.fit knows no class names`);
      if (monitor.isBest(event)) await saveModel(model, info, folder);
    },
  };
}
