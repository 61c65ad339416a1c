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
  /**
   * Where the list has no item of that name: `error` (the default), `ignore` the change, or `add` the item at the
   * front of the list.
   */
  readonly missing?: 'error' | 'ignore' | 'add';
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
    const added = itemToAdd(layered.data, override);
    if (added === 'ignore') return layered;
    if (added !== undefined) return merged(layered, { data: added, origins: new Map([['augment', origin]]) });
    const path = resolvePath(layered.data, key.split('.'), origin);
    const { data, list } = nested(layered.data, path, value);
    const changed = list ?? path;
    const origins = new Map([[changed.join('.'), origin]]);
    if (list !== undefined) {
      // A list is replaced as a whole; its other items stay where they were written.
      for (const [place, where] of layered.origins)
        if (place.startsWith(`${list.join('.')}.`)) origins.set(place, where);
      origins.set(path.join('.'), origin);
    }
    return merged(layered, { data, origins });
  }, recipe);
}

/** The value of a key, written as `--set` takes it; undefined where the recipe has none. */
export function valueOfKey(recipe: object, key: string): Plain | undefined {
  return key.split('.').reduce<unknown>((value, word) => {
    if (Array.isArray(value)) return value.find((item) => isSection(item) && item.name === word) ?? value[Number(word)];
    return isSection(value) ? value[word] : undefined;
  }, recipe) as Plain | undefined;
}

/** For `missing`: the augmentations with one more, where the one that `key` addresses is not among them. */
function itemToAdd(data: Layered['data'], { key, value, missing }: Override): Layered['data'] | 'ignore' | undefined {
  const [section = '', name, option] = key.split('.');
  if (missing === undefined || missing === 'error' || name === undefined) return undefined;
  const items = (Array.isArray(data[section]) ? data[section] : []) as readonly Plain[];
  if (items.some((item) => item === name || (isSection(item) && item.name === name))) return undefined;
  if (missing === 'ignore') return 'ignore';
  return { [section]: [option === undefined ? value : { name, [option]: value }, ...items] };
}

/** Augmentations by name: `augment.randomCrop.padding` becomes `augment.0.padding`. */
function resolvePath(data: Layered['data'], keys: readonly string[], origin: string): Path {
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
        throw new RecipeError(`${origin}: ${keys[0]} has no '${key}' in this recipe; ${there}`);
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
