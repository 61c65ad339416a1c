/** The public list of recipes: loading them, changing them, training by them. */

export { dataOptionsOf, modelOf, trainOptionsOf } from './build.ts';
export { RecipeError } from './errors.ts';
export type { LoadedRecipe } from './library.ts';
export { loadRecipe, recipeNames } from './library.ts';
export type { Override } from './overrides.ts';
export type { Recipe } from './schema.ts';
export type { RecipeRun, RunOptions } from './train.ts';
export { trainWithRecipe } from './train.ts';
