/** The augmentations of a recipe: the plain data of `augment/`, checked by the registry that is there.
 *  Nothing about them is written twice; only lengths may here be parts of the picture. */

import { z } from 'zod';
import { type Transform, transformNames, transformOf, transformOptions } from '../augment/index.ts';
import { DataError } from '../data/errors.ts';

/** As a recipe keeps it: a transform whose lengths may still be a part of the picture's shorter side, as `12.5%`. */
export interface RecipeTransform {
  readonly name: string;
  readonly [key: string]: unknown;
}

const percent = /^(\d+(?:\.\d+)?)%$/;

/** The shorter side by which percentages are tried when a recipe is checked, before the pictures are known. */
const nominalSide = 224;

/**
 * The augmentation itself, for pictures with this shorter side in pixels.
 *
 * @throws DataError for impossible values
 */
export function toTransform({ name, ...options }: RecipeTransform, side: number): Transform {
  const entries = Object.entries(options).map(([key, value]) => {
    const match = typeof value === 'string' ? percent.exec(value) : null;
    return [key, match === null ? value : Math.round((Number(match[1]) / 100) * side)] as const;
  });
  return transformOf({ name, ...Object.fromEntries(entries) });
}

const transform = z.unknown().transform((value, context): RecipeTransform => {
  const fail = (message: string, path: (string | number)[], params: Readonly<Record<string, unknown>> = {}) => {
    context.issues.push({ code: 'custom', input: value, path, message, params });
    return z.NEVER;
  };
  const given = typeof value === 'string' ? { name: value } : value;
  if (typeof given !== 'object' || given === null || !('name' in given) || typeof given.name !== 'string') {
    return fail('must be a name, or a name and options as { name: randomCrop, padding: 4 }', []);
  }
  const named = given as RecipeTransform;
  const known = transformNames.find((name) => name === named.name);
  if (known === undefined) return fail('must be one of', ['name'], { choices: transformNames });
  const options = ['name', ...transformOptions(known)];
  const unknown = Object.keys(named).find((key) => !options.includes(key));
  if (unknown !== undefined) return fail('unknown key', [unknown], { choices: options });
  try {
    return { ...toTransform(named, nominalSide), ...named };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    // A constructor's message says what was received; its key tells the line.
    const key = /^\w+: (\w+)/.exec(error.message)?.[1] ?? '';
    return fail(error.message, Object.hasOwn(named, key) ? [key] : [], { complete: true });
  }
});

/** The list under `augment`. */
export const transforms = z.array(transform).meta({
  rule: 'a list of augmentations, as [randomFlip, { name: randomCrop, padding: 4 }]',
  help: `what is done to training images, in order: ${transformNames.join(', ')}`,
});
