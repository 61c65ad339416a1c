/** Every architecture by its name, for the command line and for recipes.
 *  A new family adds its names here and nowhere else. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { ModelError } from './errors.ts';
import { type ResNetOptions, type ResNetVariant, resnet, resnetVariants } from './resnet.ts';

/** What all architectures take; each family adds options of its own. */
export type ModelOptions = ResNetOptions;

export type ModelName = ResNetVariant;

const resnets = Object.keys(resnetVariants) as ResNetVariant[];

/** From name to builder, e.g. `models.resnet18({ inputShape: [32, 32, 3], classes: 10 })`. */
export const models = Object.fromEntries(
  resnets.map((name) => [name, (options: ResNetOptions) => resnet(name, options)]),
) as Readonly<Record<ModelName, (options: ModelOptions) => LayersModel>>;

/** The names that `createModel` knows. */
export const modelNames: readonly ModelName[] = resnets;

/**
 * Builds an architecture by name.
 *
 * @throws ModelError for an unknown name, listing the known ones, and for impossible options
 */
export function createModel(name: string, options: ModelOptions): LayersModel {
  if (!Object.hasOwn(models, name)) {
    throw new ModelError(`no model is called '${name}'; there are ${modelNames.join(', ')}`);
  }
  return models[name as ModelName](options);
}
