/** How the network of a file wants its pictures normalised: what the file says of itself, or what is usual where the file
 *  comes from. */

import type { Normalization } from '../data/dataset.ts';
import type { Fit } from './fit.ts';
import type { WeightFile } from './tensor.ts';

/** Undefined where nothing is known. ImageNet's classifiers are known by their 1000 classes. */
export function normalizationIn(file: WeightFile, { map }: Fit): Normalization | undefined {
  return said(file) ?? (isImagenet(file) ? map.preprocessing : undefined);
}

/** The metadata `residual`: the JSON of a model's `residual.json`. */
function said({ metadata }: WeightFile): Normalization | undefined {
  try {
    const info = JSON.parse(metadata.residual ?? 'null') as { preprocessing?: Partial<Normalization> } | null;
    const { mean, std } = info?.preprocessing ?? {};
    const numbers = (list: unknown) => Array.isArray(list) && list.length > 0 && list.every(Number.isFinite);
    return mean && std && numbers(mean) && numbers(std) && mean.length === std.length ? { mean, std } : undefined;
  } catch {
    return undefined; // Somebody else's metadata of that name.
  }
}

function isImagenet({ tensors }: WeightFile): boolean {
  return tensors.some(({ shape }) => shape.length === 2 && shape.includes(1000));
}
