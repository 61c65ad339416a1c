/** Pretrained weights in a page: from files that the user chose or the page fetched. Node's own functions of these names
 *  (node/pretrained.ts) take names, URLs and paths too. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { openWeights } from './open.ts';
import { type PretrainedOptions, pretrainedFrom } from './pretrained.ts';
import type { WeightFile } from './tensor.ts';

/**
 * Builds a network with pretrained weights.
 *
 * @param name e.g. `resnet18`
 * @param options.weights a File or another Blob, or what `openWeights` gave
 * @throws WeightsError where the file does not fit, ModelError
 * @example const model = await pretrained('resnet18', { weights: input.files[0], classes: 10 });
 */
export async function pretrained(name: string, options: PretrainedOptions<Blob | WeightFile>): Promise<LayersModel> {
  const { weights, ...rest } = options;
  if (!(weights instanceof Blob)) return pretrainedFrom(name, { file: weights }, rest);
  const file = await openWeights(weights);
  try {
    return await pretrainedFrom(name, { file }, rest);
  } finally {
    await file.close();
  }
}
