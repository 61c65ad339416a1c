/** From zod's issues to errors in our words: the key, the rule, the value received, the nearest valid word.
 *  The rule stands in the schema; this file finds it by the path. */

import type { z } from 'zod';
import { nearest } from '../cli/nearest.ts';
import { RecipeError } from './errors.ts';
import type { KeyMeta } from './kinds.ts';

export type Path = readonly (string | number)[];

type Schema = z.core.$ZodType;

/** What the walk needs of zod's definitions. */
interface Definition {
  readonly type: string;
  readonly innerType?: Schema;
  readonly shape?: Readonly<Record<string, Schema>>;
  readonly element?: Schema;
  readonly options?: readonly Schema[];
  readonly values?: readonly unknown[];
  readonly in?: Schema;
}

function definitionOf(schema: Schema): Definition {
  return schema._zod.def as unknown as Definition;
}

/** Without the wrappers of defaults and options. */
export function unwrapped(schema: Schema): Schema {
  let inner = schema;
  for (;;) {
    const { innerType } = definitionOf(inner);
    if (innerType === undefined) return inner;
    inner = innerType;
  }
}

/** The sections that a union tells apart by `name`. */
export function membersOf(schema: Schema): ReadonlyMap<string, Schema> | undefined {
  const { type, options } = definitionOf(unwrapped(schema));
  if (type !== 'union' || options === undefined) return undefined;
  const members = new Map<string, Schema>();
  for (const option of options) {
    const [name] = definitionOf(keysOf(option)?.name ?? option).values ?? [];
    if (typeof name !== 'string' || keysOf(option) === undefined) return undefined;
    members.set(name, option);
  }
  return members;
}

/** The keys of a section; undefined where it is none. */
export function keysOf(schema: Schema): Readonly<Record<string, Schema>> | undefined {
  return definitionOf(unwrapped(schema)).shape;
}

/** The rule and the help of a key, wherever among its wrappers they were given. */
export function metaOf(schema: Schema): KeyMeta | undefined {
  for (let inner: Schema | undefined = schema; inner !== undefined; inner = definitionOf(inner).innerType) {
    const meta = (inner as z.ZodType).meta?.() as KeyMeta | undefined;
    if (meta?.rule !== undefined) return meta;
  }
  return undefined;
}

/** The schema of a path and the deepest part of the path that has a rule. `data` decides between sections. */
function schemaAt(root: Schema, path: Path, data: unknown): { readonly schema: Schema; readonly path: Path } {
  let schema = root;
  let value = data;
  let known = { schema, path: [] as Path };
  for (let depth = 0; depth < path.length; depth++) {
    const key = path[depth];
    const members = membersOf(schema);
    if (members !== undefined) schema = members.get((value as { name?: string } | undefined)?.name ?? '') ?? schema;
    const next: Schema | undefined = keysOf(schema)?.[String(key)] ?? definitionOf(unwrapped(schema)).element;
    if (next === undefined) break;
    schema = next;
    value = (value as Record<string | number, unknown> | undefined)?.[key as string | number];
    known = { schema, path: path.slice(0, depth + 1) };
    if (
      metaOf(schema) !== undefined &&
      keysOf(schema) === undefined &&
      definitionOf(unwrapped(schema)).type !== 'array'
    )
      break;
  }
  return known;
}

/** `optimizer.learningRate`, `augment.0.padding`. */
export function pathText(path: Path): string {
  return path.join('.');
}

function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[key] : undefined,
    data,
  );
}

/** What was received, short enough for one line. */
function received(value: unknown): string {
  const written = typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
  return written === undefined ? 'nothing' : written.length > 60 ? `${written.slice(0, 59)}…` : written;
}

/**
 * The first of zod's issues as an error.
 *
 * @param where says where a path was written, e.g. `mine.yaml:7`
 */
export function problemOf(
  root: Schema,
  issues: readonly z.core.$ZodIssue[],
  data: unknown,
  where: (path: Path) => string,
): RecipeError {
  // A key that does not exist explains the other complaints about its section.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
  if (issue === undefined) throw new Error('internal: a recipe failed without an issue');
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys') {
    const { schema } = schemaAt(root, path, data);
    const member = membersOf(schema)?.get((valueAt(data, path) as { name?: string }).name ?? '') ?? schema;
    return unknownKey([...path, issue.keys[0] ?? ''], Object.keys(keysOf(member) ?? {}), where);
  }
  if (issue.code === 'custom' && issue.params?.choices !== undefined) {
    const choices = issue.params.choices as readonly string[];
    // `randomFlip` stands for `{ name: randomFlip }`.
    const last = valueAt(data, path) ?? valueAt(data, path.slice(0, -1));
    return issue.message === 'unknown key' ? unknownKey(path, choices, where) : notAmong(path, last, choices, where);
  }
  if (issue.code === 'custom' && issue.params?.complete === true) {
    return new RecipeError(`${where(path)}: ${issue.message}`);
  }
  const found = schemaAt(root, path, data);
  const members = membersOf(found.schema);
  if (members !== undefined) {
    const value = valueAt(data, found.path) as { name?: unknown } | undefined;
    const choices = [...members.keys()];
    if (typeof value !== 'object' || value === null) {
      const rule = `must be a section with a name, one of ${choices.join(', ')}`;
      return new RecipeError(`${where(found.path)}: ${pathText(found.path)} ${rule}, received ${received(value)}`);
    }
    return notAmong([...found.path, 'name'], value.name, choices, where);
  }
  const rule = metaOf(found.schema)?.rule;
  const value = received(valueAt(data, found.path));
  if (issue.code === 'custom' && issue.message !== 'Invalid input') {
    return new RecipeError(
      `${where(path)}: ${pathText(path)} ${issue.message}, received ${received(valueAt(data, path))}`,
    );
  }
  const text =
    rule === undefined ? (keysOf(found.schema) ? 'must be a section of keys' : issue.message) : `must be ${rule}`;
  const choices = definitionOf(unwrapped(found.schema)).type === 'enum' ? rule?.replace('one of ', '').split(', ') : [];
  return new RecipeError(
    `${where(found.path)}: ${pathText(found.path) || 'a recipe'} ${text}, received ${value}`,
    hintOf(String(valueAt(data, found.path)), choices ?? []),
  );
}

function unknownKey(path: Path, choices: readonly string[], where: (path: Path) => string): RecipeError {
  const key = String(path.at(-1));
  const section = pathText(path.slice(0, -1));
  const text = `${section === '' ? 'a recipe' : section} has no key '${key}'`;
  return new RecipeError(`${where(path)}: ${text}; there are ${choices.join(', ')}`, hintOf(key, choices));
}

function notAmong(path: Path, value: unknown, choices: readonly string[], where: (path: Path) => string): RecipeError {
  const rule = `must be one of ${choices.join(', ')}`;
  return new RecipeError(
    `${where(path)}: ${pathText(path)} ${rule}, received ${received(value)}`,
    hintOf(String(value), choices),
  );
}

function hintOf(word: string, choices: readonly string[]): string | undefined {
  const close = nearest(word, choices);
  return close === undefined ? undefined : `did you mean ${close}?`;
}
