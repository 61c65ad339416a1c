/** Which network and which pictures some weights are of, as keys of a recipe: what fine-tuning builds when it is told
 *  nothing else. */

import type { ResizeDetails } from '../data/dataset.ts';
import type { ModelInfo } from '../models/info.ts';
import { modelNames } from '../models/registry.ts';
import type { ResNetVariant } from '../models/resnet.ts';
import { describeModel } from '../models/saved-model.ts';
import { needsOfVariant } from '../weights/architectures.ts';
import { identify } from '../weights/identify.ts';
import type { Needs } from '../weights/layers.ts';
import { openPretrained } from '../weights/node/pretrained.ts';
import type { Plain } from './layers.ts';
import type { Override } from './overrides.ts';
import { isSavedModel } from './pretrained.ts';

/**
 * Changes of a recipe that make it fit some weights; nothing for a file that does not tell.
 *
 * @throws ModelError for a folder that holds no model
 */
export async function networkOfWeights(given: string): Promise<readonly Override[]> {
  const keys = isSavedModel(given) ? await ofSavedModel(given) : await ofFile(given);
  return Object.entries(keys).map(([key, value]) => ({ key, value, origin: `--weights ${given}` }));
}

type Keys = Readonly<Record<string, Plain>>;

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
    ...details({ crop, interpolation }),
  };
}

/** The finer points of resizing, where they are not the usual ones. */
function details({ crop = 1, interpolation }: ResizeDetails): Keys {
  return {
    ...(crop === 1 ? {} : { 'data.crop': crop }),
    ...(interpolation === undefined ? {} : { 'data.interpolation': interpolation }),
  };
}

/** Read off the weights, which bear the names that `resnet` gives them. */
function network({ architecture }: ModelInfo, weights: readonly NamedShape[]): Keys {
  if (!(modelNames as readonly string[]).includes(architecture)) return {};
  const first = weights.some(({ name }) => name === 'conv0/kernel') ? 'conv0' : 'conv1';
  const kernel = weights.find(({ name }) => name === `${first}/kernel`);
  if (kernel === undefined) return { 'model.name': architecture };
  const [size, , channels = 1, width = 64] = kernel.shape;
  const stem = size === 7 ? 'imagenet' : 'cifar';
  const convention = weights.some(({ name }) => name === `${first}/bias`) ? 'keras' : 'torchvision';
  const preactivation = first === 'conv0';
  const regular = { width, channels, classes: 1, stem, convention, preactivation } as const;
  return {
    'model.name': architecture,
    'model.width': width,
    'model.widths': widthsOf(needsOfVariant(architecture as ResNetVariant, regular), weights),
    'model.stem': stem,
    'model.convention': convention,
    'model.preactivation': preactivation,
  };
}

/** The filters of every convolution, where any are not the regular ones; null takes such a list away. */
function widthsOf({ layers }: Needs, weights: readonly NamedShape[]): Readonly<Record<string, number>> | null {
  const shapes = new Map(weights.map(({ name, shape }) => [name, shape]));
  let pruned = false;
  const widths = layers.flatMap(({ name, kind, shapes: regular }) => {
    if (kind !== 'conv') return [];
    const filters = shapes.get(`${name}/kernel`)?.at(-1);
    if (filters === undefined) return [];
    pruned ||= filters !== regular.get('kernel')?.at(-1);
    return [[name, filters] as const];
  });
  return pruned ? Object.fromEntries(widths) : null;
}

interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A file tells by its tensors; the registry knows besides which pictures it is for. */
async function ofFile(given: string): Promise<Keys> {
  const { file, size, preprocessing = {} } = await openPretrained(given);
  try {
    const { fits } = identify(file);
    const pictures = { ...(size === undefined ? {} : { 'data.size': size }), ...details(preprocessing) };
    if (fits === undefined) return pictures;
    const { width, stem, channels, convention, preactivation = false } = fits.dimensions;
    return {
      ...pictures,
      ...(channels === 1 || channels === 3 ? { 'data.channels': channels } : {}),
      'model.name': fits.architecture,
      'model.width': width,
      'model.stem': stem,
      'model.convention': convention,
      'model.preactivation': preactivation,
    };
  } finally {
    await file.close();
  }
}
