/** Which network and which pictures some weights are of, as keys of a recipe: what fine-tuning builds when it is told
 *  nothing else. */

import type { ModelInfo } from '../models/info.ts';
import { modelNames } from '../models/registry.ts';
import { describeModel } from '../models/saved-model.ts';
import { findWeights } from '../weights/registry/find.ts';
import type { Override } from './overrides.ts';
import { isSavedModel } from './pretrained.ts';

/**
 * Changes of a recipe that make it fit some weights; nothing for a file that does not tell.
 *
 * @throws ModelError for a folder that holds no model
 */
export async function networkOfWeights(given: string): Promise<readonly Override[]> {
  const keys = isSavedModel(given) ? await ofSavedModel(given) : ofEntry(given);
  return Object.entries(keys).map(([key, value]) => ({ key, value, origin: `--weights ${given}` }));
}

type Keys = Readonly<Record<string, number | string | readonly number[]>>;

async function ofSavedModel(folder: string): Promise<Keys> {
  const { info, weights } = await describeModel(folder);
  return { ...pictures(info), ...network(info, weights) };
}

function pictures({ preprocessing: { inputShape, resize } }: ModelInfo): Keys {
  const [height, width, channels] = inputShape;
  return {
    'data.size': height === width ? height : [height, width],
    ...(channels === 1 || channels === 3 ? { 'data.channels': channels } : {}),
    'data.resize': resize,
  };
}

/** Read off the weights, which bear the names that `resnet` gives them. */
function network(
  { architecture }: ModelInfo,
  weights: readonly { readonly name: string; readonly shape: readonly number[] }[],
): Keys {
  if (!(modelNames as readonly string[]).includes(architecture)) return {};
  const kernel = weights.find(({ name }) => name === 'conv1/kernel');
  if (kernel === undefined) return { 'model.name': architecture };
  return {
    'model.name': architecture,
    'model.width': kernel.shape.at(-1) ?? 64,
    'model.stem': kernel.shape[0] === 7 ? 'imagenet' : 'cifar',
    'model.convention': weights.some(({ name }) => name === 'conv1/bias') ? 'keras' : 'torchvision',
  };
}

function ofEntry(given: string): Keys {
  const entry = findWeights(given);
  if (entry === undefined) return {};
  const { size, channels } = entry.preprocessing;
  return {
    'data.size': size,
    'data.channels': channels,
    'model.stem': size > 64 ? 'imagenet' : 'cifar',
    ...((modelNames as readonly string[]).includes(entry.architecture) ? { 'model.name': entry.architecture } : {}),
  };
}
