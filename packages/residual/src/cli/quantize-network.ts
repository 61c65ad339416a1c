/** The network of a run that learns to compute in integers: what is trained in place of the model itself. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { batches } from '../data/batches.ts';
import type { Splits } from '../data/dataset.ts';
import { meanAndStd } from '../data/statistics.ts';
import { type AwareNetwork, freezeStatistics, quantizeAware } from '../quantize/aware/index.ts';
import { normalizationOf } from '../recipe/build.ts';
import type { Callback } from '../train/callbacks/callback.ts';
import { atMost } from './evaluation-data.ts';
import type { RunPlan } from './run-plan.ts';

export interface Learner {
  readonly network: AwareNetwork;
  readonly callbacks: readonly Callback[];
}

const CALIBRATION_BATCH = 32;

/** Calibrates on some training images; a resumed run puts its own ranges in their place. */
export async function learnerOf(
  { recipe, quantize }: RunPlan,
  splits: Splits,
  model: LayersModel,
): Promise<Learner | undefined> {
  if (quantize === undefined) return undefined;
  const { calibrate, freezeAfter: after, ...options } = quantize;
  const { imageShape: inputShape, resize = 'cover', train, classes } = splits;
  const normalize = normalizationOf(recipe, inputShape[2], model)?.normalize ?? (await meanAndStd(train));
  async function* images() {
    const some = { batchSize: CALIBRATION_BATCH, normalize, corrupt: 'drop' } as const;
    for await (const batch of batches(atMost(train, calibrate), some)) yield batch.images;
  }
  const info = { architecture: model.name, classes, preprocessing: { inputShape, resize, ...normalize } };
  const network = await quantizeAware(model, info, { ...options, calibration: images() });
  return { network, callbacks: [freezeStatistics(network, { after })] };
}
