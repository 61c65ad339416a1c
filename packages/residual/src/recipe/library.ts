/** Finds, reads and checks recipes: those that come with the package by name, a user's own by their file.
 *  From here on a recipe is complete and possible. */

import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { nearest } from '../cli/nearest.ts';
import { RecipeError } from './errors.ts';
import { type Layered, merged, placeOf } from './layers.ts';
import { type Override, overridden, parseOverride } from './overrides.ts';
import { problemOf } from './problems.ts';
import { type Recipe, recipeSchema } from './schema.ts';
import { parseRecipe } from './yaml-file.ts';

export interface LoadedRecipe {
  /** The recipe's name: its file's, without the ending. */
  readonly name: string;
  readonly recipe: Recipe;
}

/** Searched upwards from this file, since sources and published build lie at different depths. */
function shippedFolder(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const candidate = join(folder, 'recipes');
    if (existsSync(join(candidate, 'default.yaml'))) return candidate;
    if (dirname(folder) === folder) throw new Error(`internal: the recipes are missing above ${import.meta.dirname}`);
  }
}

/** The names of the recipes that come with the package. */
export async function recipeNames(): Promise<string[]> {
  const files = await readdir(shippedFolder());
  return files
    .filter((file) => extname(file) === '.yaml')
    .map((file) => basename(file, '.yaml'))
    .sort();
}

/** What a run's folder calls its recipe. */
export const runRecipeFile = 'recipe.yaml';

/**
 * The file of a recipe.
 *
 * @param typed a name from `recipeNames`, a file, or the folder of a run
 * @throws RecipeError where there is none, with the nearest name
 */
export async function findRecipe(typed: string): Promise<string> {
  const shipped = join(shippedFolder(), `${typed}.yaml`);
  if (/^[\w-]+$/.test(typed) && existsSync(shipped)) return shipped;
  const found = await stat(typed).catch(() => undefined);
  if (found?.isFile()) return typed;
  if (found?.isDirectory() && existsSync(join(typed, runRecipeFile))) return join(typed, runRecipeFile);
  const names = await recipeNames();
  const close = nearest(typed, names);
  const problem = found?.isDirectory()
    ? `the folder ${typed} holds no ${runRecipeFile}`
    : `there is no recipe ${typed}`;
  throw new RecipeError(
    `${problem}: it may be a file, the folder of a run, or one of ${names.join(', ')}`,
    close === undefined ? undefined : `did you mean ${close}?`,
  );
}

/** Reads a recipe's file, laid over the recipe that it `extends`. */
async function readLayers(typed: string, from: readonly string[]): Promise<Layered> {
  const file = await findRecipe(typed);
  if (from.includes(file)) throw new RecipeError(`${file}: recipes extend each other in a circle`);
  const own = file.startsWith(shippedFolder()) ? `recipes/${basename(file)}` : file;
  const { data, origins } = parseRecipe(await readFile(file, 'utf8'), own);
  const { extends: base, ...rest } = data;
  const layer = { data: rest, origins };
  if (base === undefined) return layer;
  if (typeof base !== 'string') {
    throw new RecipeError(`${placeOf(layer, ['extends'])}: extends must be a recipe's name or file`);
  }
  // A file beside this one, or else as the user would name it.
  const beside = join(dirname(file), base);
  return merged(await readLayers(existsSync(beside) ? beside : base, [...from, file]), layer);
}

/**
 * Reads a recipe and checks it.
 *
 * @param typed a name from `recipeNames`, a file, or the folder of a run
 * @param overrides changes, as `optimizer.learningRate=0.05` or taken apart
 * @throws RecipeError for an unknown key or an impossible value, with its line and the nearest valid word
 * @example const { recipe } = await loadRecipe('cifar-fast', ['training.epochs=10']);
 */
export async function loadRecipe(typed: string, overrides: readonly (string | Override)[] = []): Promise<LoadedRecipe> {
  const layers = await readLayers(typed, []);
  const changes = overrides.map((one) => (typeof one === 'string' ? parseOverride(one) : one));
  const name = basename(await findRecipe(typed), extname(await findRecipe(typed)));
  return { name, recipe: checkedRecipe(overridden(layers, changes)) };
}

/**
 * A complete recipe with some keys changed.
 *
 * @throws RecipeError as `loadRecipe` does
 */
export function changedRecipe(recipe: Recipe, overrides: readonly Override[]): Recipe {
  const layers = { data: recipe as unknown as Layered['data'], origins: new Map([['', 'the recipe']]) };
  return checkedRecipe(overridden(layers, overrides));
}

/**
 * Fills in the defaults.
 *
 * @throws RecipeError as `loadRecipe` does
 */
export function checkedRecipe(layers: Layered): Recipe {
  const result = recipeSchema.safeParse(layers.data);
  if (result.success) return result.data;
  throw problemOf(recipeSchema, result.error.issues, layers.data, (path) => placeOf(layers, path));
}
