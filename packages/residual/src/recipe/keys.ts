/** Every key that a recipe may have, read off the schema.
 *  For `residual recipes keys`, and for whoever has a path and wants its range. */

import type { z } from 'zod';
import { keysOf, membersOf, metaOf } from './problems.ts';
import { recipeSchema } from './schema.ts';

export interface RecipeKey {
  /** As `--set` takes it, e.g. `optimizer.momentum`. */
  readonly key: string;
  /** The `name` that the section must have, where the key belongs to one of several. */
  readonly of?: string;
  readonly rule: string;
  readonly help: string;
  /** The default, where it is a value. */
  readonly fallback?: string;
}

type Schema = z.core.$ZodType;

/** All keys, in the order of the schema. */
export function recipeKeys(): readonly RecipeKey[] {
  return keysIn(recipeSchema, []);
}

function keysIn(schema: Schema, path: readonly string[], of?: string): RecipeKey[] {
  const members = membersOf(schema);
  if (members !== undefined) {
    const names = [...members.keys()];
    const rule = `one of ${names.join(', ')}`;
    const { fallback } = defaultOf(schema);
    const own = { key: [...path, 'name'].join('.'), rule, help: '', ...(fallback === undefined ? {} : { fallback }) };
    return [own, ...names.flatMap((name) => keysIn(members.get(name) ?? schema, path, name))];
  }
  const keys = keysOf(schema);
  if (keys !== undefined) {
    return Object.entries(keys).flatMap(([key, inner]) =>
      key === 'name' && of !== undefined ? [] : keysIn(inner, [...path, key], of),
    );
  }
  const { rule = '', help = '' } = metaOf(schema) ?? {};
  return [{ key: path.join('.'), ...(of === undefined ? {} : { of }), rule, help, ...defaultOf(schema) }];
}

function defaultOf(schema: Schema): { readonly fallback?: string } {
  const { defaultValue } = schema._zod.def as { defaultValue?: unknown };
  if (defaultValue === undefined) return {};
  const named = typeof defaultValue === 'object' && defaultValue !== null && 'name' in defaultValue;
  if (named) return { fallback: String(defaultValue.name) };
  return { fallback: typeof defaultValue === 'string' ? defaultValue : JSON.stringify(defaultValue) };
}
