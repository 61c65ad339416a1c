/** `--set optimizer.learningRate=0.05`: one key of a recipe, changed from outside.
 *  Values are written as in the recipe; augmentations are addressed by their names. */

import { parseDocument } from 'yaml';
import { RecipeError } from './errors.ts';
import { isSection, type Layered, merged, type Plain } from './layers.ts';
import type { Path } from './problems.ts';

/** A key by its path, and the new value; null takes the key away. */
export interface Override {
  readonly key: string;
  readonly value: Plain;
  /** Where it comes from, for errors. Default `--set KEY`. */
  readonly origin?: string;
}

/**
 * Reads `key=value`.
 *
 * @throws RecipeError for another form, or a value that is no YAML
 */
export function parseOverride(text: string): Override {
  const at = text.indexOf('=');
  const key = text.slice(0, at).trim();
  if (at < 1 || !/^[\w.]+$/.test(key)) {
    throw new RecipeError(`--set needs a key and a value, as optimizer.learningRate=0.05, received '${text}'`);
  }
  const document = parseDocument(text.slice(at + 1), { stringKeys: true });
  if (document.errors.length > 0) {
    throw new RecipeError(`--set ${key}: the value is not YAML: ${text.slice(at + 1)}`);
  }
  return { key, value: document.toJS() as Plain };
}

/** Lays changes over a recipe, in order. */
export function overridden(recipe: Layered, overrides: readonly Override[]): Layered {
  return overrides.reduce((layered, override) => {
    const { key, value, origin = `--set ${key}` } = override;
    const path = resolvePath(layered.data, key.split('.'));
    const { data, list } = nested(layered.data, path, value);
    const changed = list ?? path;
    const origins = new Map([[changed.join('.'), origin]]);
    if (list !== undefined) {
      // A list is replaced as a whole; its other items stay where they were written.
      for (const [place, where] of layered.origins) if (place.startsWith(`${list.join('.')}.`)) origins.set(place, where);
      origins.set(path.join('.'), origin);
    }
    return merged(layered, { data, origins });
  }, recipe);
}

/** Augmentations by name: `augment.randomCrop.padding` becomes `augment.0.padding`. */
function resolvePath(data: Layered['data'], keys: readonly string[]): Path {
  let value: Plain | undefined = data;
  return keys.map((key) => {
    let index: string | number = key;
    if (Array.isArray(value)) {
      const items = value as readonly Plain[];
      const found = items.findIndex((item) => item === key || (isSection(item) && item.name === key));
      const names = items.map((item) => (isSection(item) ? String(item.name) : String(item)));
      index = found >= 0 ? found : /^\d+$/.test(key) ? Number(key) : -1;
      if (index < 0 || index >= items.length) {
        const there = names.length === 0 ? 'the list is empty' : `there are ${names.join(', ')}`;
        throw new RecipeError(`--set ${keys.join('.')}: the recipe has no '${key}' there; ${there}`);
      }
    }
    value = (value as Record<string | number, Plain> | null | undefined)?.[index];
    return index;
  });
}

/** The value inside sections that lead to it; where a list is on the way, the whole list with the one change. */
function nested(
  root: Layered['data'],
  path: Path,
  value: Plain,
): { readonly data: Layered['data']; readonly list?: Path } {
  let list: Path | undefined;
  const build = (below: Plain | undefined, depth: number): Plain => {
    if (depth === path.length) return value;
    const key = path[depth] as string | number;
    if (Array.isArray(below)) {
      list ??= path.slice(0, depth);
      const items: Plain[] = [...below];
      if (depth === path.length - 1 && value === null) items.splice(Number(key), 1);
      else items[Number(key)] = build(whole(items[Number(key)]), depth + 1);
      return items;
    }
    const inner = build(isSection(below) ? below[key] : undefined, depth + 1);
    return list !== undefined && isSection(below) && depth >= list.length
      ? { ...below, [key]: inner }
      : { [key]: inner };
  };
  const data = build(root, 0) as Layered['data'];
  return list === undefined ? { data } : { data, list };
}

/** `randomFlip` is short for `{ name: randomFlip }`. */
function whole(item: Plain | undefined): Plain {
  return typeof item === 'string' ? { name: item } : (item ?? {});
}
