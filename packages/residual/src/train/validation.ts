/** How good the network is on pictures that it does not learn from, at the end of an epoch. */

import type { Batch } from '../data/batches.ts';
import { predictions } from '../models/inference.ts';
import type { EpochRecord } from './history.ts';
import { atResolution } from './resolution.ts';
import type { Standing } from './standing.ts';

/** Nothing where there are no such pictures. */
export async function validated(
  standing: Standing,
): Promise<Pick<EpochRecord, 'validationLoss' | 'validationAccuracy'> | 'interrupted'> {
  const { model, data, settings, position, callbacks } = standing;
  const { validation } = data;
  const { signal, workers = 1, onValidation } = settings.options;
  if (!validation || validation.size === 0) return {};
  const { batchSize, normalize } = settings;
  const onProgress = (done: number, total: number) => {
    callbacks.validation(done, total);
    onValidation?.(done, total);
  };
  try {
    const size = Math.min(position.microBatch ?? batchSize, settings.options.microBatch ?? batchSize);
    const options = { preprocessing: normalize, batchSize: size, workers, onProgress, ...(signal && { signal }) };
    let [images, loss, correct] = [0, 0, 0];
    // At the size that was trained on last: the averages of batch norms are of such pictures.
    const { resolution = [] } = settings.options;
    const show = (batch: Batch) => atResolution(batch, data.imageShape, resolution, position.step - 1);
    for await (const prediction of predictions(model, validation, options, show)) {
      const score = settings.score(prediction);
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
