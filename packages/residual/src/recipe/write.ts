/** Writes a recipe as a file of its own, every key filled in.
 *  So a run's folder and the best of a search can be trained from again. */

import { stringify } from 'yaml';
import { writeAside } from '../models/files.ts';
import { runRecipeFile } from './library.ts';
import type { Recipe } from './schema.ts';

/** A recipe as YAML; `comment` stands above it, line by line. */
export function recipeText(recipe: Recipe, comment = ''): string {
  const above = comment === '' ? '' : comment.replace(/^/gm, '# ').concat('\n');
  // Sections in lines of their own, what lies in them too, but lists of numbers and transforms in one line each.
  return above + stringify(recipe, { lineWidth: 0, collectionStyle: 'any', defaultStringType: 'PLAIN' });
}

/**
 * Writes `recipe.yaml` into a folder.
 *
 * @throws WriteError
 */
export async function writeRecipe(folder: string, recipe: Recipe, comment?: string): Promise<void> {
  await writeAside(`${folder}/${runRecipeFile}`, [recipeText(recipe, comment)]);
}
