/** A recipe before it is checked: plain data, and where each part of it was written.
 *  Files, their bases and the command line lie over each other here. */

import { type Path, pathText } from './problems.ts';

export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

export interface Layered {
  readonly data: { readonly [key: string]: Plain };
  /** By the text of a path: the file and line, or the option of the command line. */
  readonly origins: ReadonlyMap<string, string>;
}

export function isSection(value: unknown): value is { readonly [key: string]: Plain } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * `over` upon `base`: sections are joined key by key, everything else is replaced. A section that gets another `name`
 * is replaced as a whole, for its keys mean something else; null takes a key away.
 */
export function merged(base: Layered, over: Layered): Layered {
  const origins = new Map(base.origins);
  const join = (below: Plain | undefined, above: Plain, path: Path): Plain => {
    const joins =
      isSection(below) &&
      isSection(above) &&
      (above.name === undefined || above.name === below.name || path.length === 0);
    if (!joins) {
      forget(origins, path);
      copy(over.origins, origins, path);
      return above;
    }
    const result: Record<string, Plain> = { ...below };
    copyOwn(over.origins, origins, path);
    for (const [key, value] of Object.entries(above)) {
      if (value === null) delete result[key];
      else result[key] = join(below[key], value, [...path, key]);
    }
    return result;
  };
  return { data: join(base.data, over.data, []) as Layered['data'], origins };
}

/** Where a path was written: its own place, or that of the section around it. */
export function placeOf({ origins }: Pick<Layered, 'origins'>, path: Path): string {
  for (let length = path.length; length >= 0; length--) {
    const place = origins.get(pathText(path.slice(0, length)));
    if (place !== undefined) return place;
  }
  return 'recipe';
}

function forget(origins: Map<string, string>, path: Path): void {
  const start = pathText(path);
  for (const key of [...origins.keys()]) if (key === start || key.startsWith(`${start}.`)) origins.delete(key);
}

function copy(from: ReadonlyMap<string, string>, to: Map<string, string>, path: Path): void {
  const start = pathText(path);
  for (const [key, place] of from) {
    if (start === '' || key === start || key.startsWith(`${start}.`)) to.set(key, place);
  }
}

function copyOwn(from: ReadonlyMap<string, string>, to: Map<string, string>, path: Path): void {
  const place = from.get(pathText(path));
  if (place !== undefined) to.set(pathText(path), place);
}
