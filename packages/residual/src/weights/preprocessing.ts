/** How the network of a file wants its pictures: what the file says of itself, or what is usual where it comes from. */

import type { Preprocessing } from '../models/info.ts';
import type { KnownPreprocessing } from '../models/preprocessing.ts';
import type { Fit } from './fit.ts';
import type { WeightFile } from './tensor.ts';

/** Undefined where nothing is known. ImageNet's classifiers are known by their 1000 classes. */
export function preprocessingIn(file: WeightFile, { map }: Fit): KnownPreprocessing | undefined {
  return said(file) ?? (isImagenet(file) ? map.preprocessing : undefined);
}

/** The metadata `residual`: the JSON of a model's `residual.json`. */
function said({ metadata }: WeightFile): KnownPreprocessing | undefined {
  try {
    const info = JSON.parse(metadata.residual ?? 'null') as { preprocessing?: unknown } | null;
    return knownPreprocessing(info?.preprocessing);
  } catch {
    return undefined; // Somebody else's metadata of that name.
  }
}

/** What a JSON value says of it, where it says a normalisation. */
export function knownPreprocessing(value: unknown): KnownPreprocessing | undefined {
  const { mean, std, resize, crop, interpolation } = (value ?? {}) as Partial<Preprocessing>;
  const numbers = (list: unknown): list is number[] =>
    Array.isArray(list) && list.length > 0 && list.every(Number.isFinite);
  if (!numbers(mean) || !numbers(std) || mean.length !== std.length) return undefined;
  return {
    mean,
    std,
    ...(resize === undefined ? {} : { resize }),
    ...(crop === undefined ? {} : { crop }),
    ...(interpolation === undefined ? {} : { interpolation }),
  };
}

function isImagenet({ tensors }: WeightFile): boolean {
  return tensors.some(({ shape }) => shape.length === 2 && shape.includes(1000));
}
