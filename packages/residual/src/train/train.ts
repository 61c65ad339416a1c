/** `train`: from a model, data and options to the loop, and what opens and closes around it. `loop.ts` has the epochs,
 *  `steps.ts` their steps, `keeping.ts` what is kept of them. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Splits } from '../data/dataset.ts';
import { checkFit } from '../models/inference.ts';
import { networkOf } from '../models/network.ts';
import { cachedRun } from './features/cached-run.ts';
import { Loop, type TrainResult } from './loop.ts';
import { fingerprintOf, type Settings, settingsOf, type TrainOptions } from './options.ts';
import { RunFolder } from './run-folder.ts';
import { Standing } from './standing.ts';
import { checkInputs } from './trouble/input-range.ts';

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
    loop = new Loop(new Standing(model, data, settings, cached));
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
