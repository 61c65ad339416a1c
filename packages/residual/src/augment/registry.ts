/** From the list of augmentations as data to one function that applies them in order.
 *  A new augmentation is its own file, one member of the union in transform.ts, and one line here. */
import { DataError } from '../data/errors.ts';
import { applyRandomCrop, randomCrop } from './random-crop.ts';
import { applyRandomFlip, randomFlip } from './random-flip.ts';
import { applyRandomTransform, randomTransform } from './random-transform.ts';
import type { Apply, Transform } from './transform.ts';

/** By name: checks the data, which may come from a file, and gives the function. */
const registry: { readonly [N in Transform['name']]: (data: Extract<Transform, { name: N }>) => Apply } = {
  randomCrop: (data) => applyRandomCrop(randomCrop(data)),
  randomFlip: (data) => applyRandomFlip(randomFlip(data)),
  randomTransform: (data) => applyRandomTransform(randomTransform(data)),
};

/** The names of all augmentations. */
export const transformNames: readonly string[] = Object.keys(registry);

/**
 * One function for a list of augmentations. Each draws from its own fork of the sample's random stream, so adding one
 * at the end changes nothing before it.
 *
 * @throws DataError for an unknown name or impossible values
 */
export function prepareTransforms(transforms: readonly Transform[]): Apply {
  const steps = transforms.map((transform) => {
    if (!Object.hasOwn(registry, transform.name)) {
      throw new DataError(`no augmentation is called '${transform.name}'; there are ${transformNames.join(', ')}`);
    }
    return (registry[transform.name] as (data: Transform) => Apply)(transform);
  });
  return (picture, random) => {
    let result = picture;
    for (let i = 0; i < steps.length; i++) result = steps[i](result, random.fork(i));
    return result;
  };
}
