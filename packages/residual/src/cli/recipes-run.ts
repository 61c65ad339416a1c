/** The work of `residual recipes`: lists, shows, and explains the keys. */

import { readFile } from 'node:fs/promises';
import { recipeKeys } from '../recipe/keys.ts';
import { findRecipe, loadRecipe, recipeNames } from '../recipe/library.ts';
import { parseOverride } from '../recipe/overrides.ts';
import { recipeText } from '../recipe/write.ts';
import { UsageError, type Values } from './command.ts';
import { wrap } from './help.ts';
import { nearest } from './nearest.ts';
import type { recipesOptions } from './recipes.ts';
import { styleOf } from './style.ts';
import { tableLines } from './table.ts';

type RecipesValues = Values<typeof recipesOptions>;

export async function recipes([what, name]: readonly string[], values: RecipesValues): Promise<number> {
  if (what === undefined) return list(values);
  if (what === 'keys' && name === undefined) return keys(values);
  if (what === 'show' && name !== undefined) return show(name, values);
  if (what === 'show')
    throw new UsageError('residual recipes show needs a NAME', `one of ${(await recipeNames()).join(', ')}`);
  const close = nearest(what, ['show', 'keys']) ?? ((await recipeNames()).includes(what) ? `show ${what}` : undefined);
  throw new UsageError(
    `residual recipes takes show NAME, keys, or nothing, received '${what}'`,
    close === undefined ? undefined : `did you mean residual recipes ${close}?`,
  );
}

async function list(values: RecipesValues): Promise<number> {
  const names = await recipeNames();
  const all = await Promise.all(names.map((name) => loadRecipe(name)));
  const rows = all.map(({ name, recipe }) => ({ name, about: recipe.about }));
  if (values.json === true) return print(JSON.stringify(rows));
  const head = [{ title: 'recipe' }, { title: 'what it is for' }];
  const lines = tableLines(
    head,
    rows.map(({ name, about }) => [name, about]),
    styleOf(process.stdout),
  );
  return print(
    [...lines, '', 'residual train DATA --recipe NAME trains by one; residual recipes show NAME prints it'].join('\n'),
  );
}

async function show(name: string, values: RecipesValues): Promise<number> {
  const { recipe } = await loadRecipe(name, (values.set ?? []).map(parseOverride));
  if (values.json === true) return print(JSON.stringify(recipe));
  if (values.full === true || values.set !== undefined) return print(recipeText(recipe).trimEnd());
  return print((await readFile(await findRecipe(name), 'utf8')).trimEnd());
}

function keys(values: RecipesValues): number {
  const all = recipeKeys();
  if (values.json === true) return print(JSON.stringify(all));
  const style = styleOf(process.stdout);
  const width = Math.min(100, process.stdout.columns ?? 88);
  return print(
    all
      .flatMap(({ key, of, rule, help, fallback }) => [
        `${style.cyan(key)}${of === undefined ? '' : style.dim(` of ${of}`)}${fallback === undefined ? '' : `  [${fallback}]`}`,
        ...wrap([help, rule].filter((one) => one !== '').join(': '), width - 6).map((line) => `      ${line}`),
      ])
      .join('\n'),
  );
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}
