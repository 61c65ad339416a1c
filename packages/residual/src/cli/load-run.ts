/** Loads a trained model for the commands that use one.
 *  An interrupted run has no model yet, which is said in its own words. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { ModelInfo } from '../models/info.ts';
import { loadModel } from '../models/saved-model.ts';
import { CommandError } from './command.ts';
import { invocation, quoted } from './program.ts';
import { findRun } from './run-folders.ts';
import { type RunPlan, readPlan } from './run-plan.ts';

export interface LoadedRun {
  readonly folder: string;
  readonly model: LayersModel;
  readonly info: ModelInfo;
  /** Missing for a model that was not trained by `residual train`. */
  readonly plan: RunPlan | undefined;
}

/**
 * @param typed a run's folder or name, or a folder with a saved model
 * @throws CommandError, ModelError
 */
export async function loadRun(typed: string): Promise<LoadedRun> {
  const folder = await findRun(typed);
  const plan = await readPlan(folder);
  if (plan !== undefined && !existsSync(join(folder, 'model.json'))) {
    throw new CommandError(
      `${folder} is not trained to its end yet: it has no model`,
      `go on with it by ${invocation()} train --resume ${quoted(folder)}`,
    );
  }
  return { folder, plan, ...(await loadModel(folder)) };
}
