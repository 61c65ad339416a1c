/** Which network and which pictures some weights are of, as keys of a recipe: what fine-tuning builds when it is told
 *  nothing else. */

import type { ModelInfo } from '../models/info.ts';
import { modelNames } from '../models/registry.ts';
import { describeModel } from '../models/saved-model.ts';
import { identify } from '../weights/identify.ts';
import type { Override } from './overrides.ts';
import { isSavedModel, openPretrained } from './pretrained.ts';

/**
 * Changes of a recipe that make it fit some weights; nothing for a file that does not tell.
 *
 * @throws ModelError for a folder that holds no model, WeightsError for a file that cannot be had or read
 */
export async function networkOfWeights(given: string): Promise<readonly Override[]> {
  const keys = isSavedModel(given) ? await ofSavedModel(given) : await ofFile(given);
  return Object.entries(keys).map(([key, value]) => ({ key, value, origin: `--weights ${given}` }));
}

type Keys = Readonly<Record<string, number | string | readonly number[]>>;

async function ofSavedModel(folder: string): Promise<Keys> {
  const { info, weights } = await describeModel(folder);
  return { ...pictures(info), ...network(info, weights) };
}

function pictures({ preprocessing: { inputShape, resize, crop, interpolation } }: ModelInfo): Keys {
  const [height, width, channels] = inputShape;
  return {
    'data.size': height === width ? height : [height, width],
    ...(channels === 1 || channels === 3 ? { 'data.channels': channels } : {}),
    'data.resize': resize,
    ...(crop === undefined ? {} : { 'data.crop': crop }),
    ...(interpolation === undefined ? {} : { 'data.interpolation': interpolation }),
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

/** Read off the names and shapes in a file, and off what its publisher says. */
async function ofFile(given: string): Promise<Keys> {
  const { file, entry } = await openPretrained(given);
  try {
    const { fits, nearest } = identify(file);
    const found = fits ?? nearest;
    const { size, crop = 1, interpolation } = entry?.preprocessing ?? {};
    return {
      ...(size === undefined ? {} : { 'data.size': size }),
      ...(crop === 1 ? {} : { 'data.crop': crop }),
      ...(interpolation === undefined ? {} : { 'data.interpolation': interpolation }),
      ...(found === undefined ? {} : networkOf(found)),
    };
  } finally {
    await file.close();
  }
}

function networkOf({ architecture, dimensions }: NonNullable<ReturnType<typeof identify>['fits']>): Keys {
  const { width, stem, convention, channels } = dimensions;
  return {
    'model.name': architecture,
    'model.width': width,
    'model.stem': stem,
    'model.convention': convention,
    ...(channels === 1 || channels === 3 ? { 'data.channels': channels } : {}),
  };
}
