/** The augmentations of a recipe: the plain data of `augment/`, checked by the constructors that are there.
 *  Their keys are those that a constructor fills in, so nothing about them is written twice. */

import { z } from 'zod';
import type { Transform } from '../augment/index.ts';
import * as augment from '../augment/index.ts';
import { DataError } from '../data/errors.ts';

/** As a recipe keeps it: a transform whose lengths may still be a part of the picture's shorter side, as `12.5%`. */
export interface RecipeTransform {
  readonly name: string;
  readonly [key: string]: unknown;
}

type Constructor = (options: Readonly<Record<string, unknown>>) => Transform;

const percent = /^(\d+(?:\.\d+)?)%$/;

/** The shorter side by which percentages are tried when a recipe is checked, before the pictures are known. */
const nominalSide = 224;

/** The augmentations that a recipe can name. */
export const recipeTransforms: readonly string[] = augment.transformNames;

/** The constructor of an augmentation; each is exported by its name. */
function constructorOf(name: string): Constructor | undefined {
  if (!recipeTransforms.includes(name)) return undefined;
  return (augment as unknown as Readonly<Record<string, Constructor>>)[name];
}

/**
 * The augmentation itself, for pictures with this shorter side in pixels.
 *
 * @throws DataError for impossible values
 */
export function toTransform({ name, ...options }: RecipeTransform, side: number): Transform {
  const make = constructorOf(name);
  if (make === undefined) {
    throw new DataError(`no augmentation is called '${name}'; there are ${recipeTransforms.join(', ')}`);
  }
  const entries = Object.entries(options).map(([key, value]) => {
    const match = typeof value === 'string' ? percent.exec(value) : null;
    return [key, match === null ? value : Math.round((Number(match[1]) / 100) * side)] as const;
  });
  return make(Object.fromEntries(entries));
}

const transform = z.unknown().transform((value, context): RecipeTransform => {
  const fail = (message: string, path: (string | number)[] = [], choices?: readonly string[]) => {
    context.issues.push({ code: 'custom', input: value, path, message, params: { choices } });
    return z.NEVER;
  };
  const given = typeof value === 'string' ? { name: value } : value;
  if (typeof given !== 'object' || given === null || !('name' in given) || typeof given.name !== 'string') {
    return fail('must be a name, or a name and options as { name: randomCrop, padding: 4 }');
  }
  const named = given as RecipeTransform;
  if (constructorOf(named.name) === undefined) return fail('must be one of', ['name'], recipeTransforms);
  try {
    const complete = toTransform(named, nominalSide);
    const unknown = Object.keys(named).find((key) => !Object.hasOwn(complete, key));
    if (unknown !== undefined) return fail('unknown key', [unknown], Object.keys(complete));
    return { ...complete, ...named };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    // A constructor's message says what was received; its key tells the line.
    const key = /^\w+: (\w+)/.exec(error.message)?.[1] ?? '';
    context.issues.push({
      code: 'custom',
      input: value,
      path: Object.hasOwn(named, key) ? [key] : [],
      message: error.message,
      params: { complete: true },
    });
    return z.NEVER;
  }
});

/** The list under `augment`. */
export const transforms = z.array(transform).meta({
  rule: 'a list of augmentations, as [randomFlip, { name: randomCrop, padding: 4 }]',
  help: `what is done to training images, in order: ${recipeTransforms.join(', ')}`,
});
