/** The kinds of values that a recipe's keys take, each a zod type that carries its rule in words.
 *  The words stand in errors and in the list of keys; zod's own are for programmers. */

import { z } from 'zod';
import { isDuration } from './duration.ts';

/** What a key's type knows beside its type. */
export interface KeyMeta {
  /** Completes "must be …". */
  readonly rule: string;
  /** What the key does, for the list of keys. */
  readonly help: string;
}

interface Range {
  readonly min?: number;
  readonly max?: number;
  /** Excludes `min` itself. */
  readonly above?: true;
  /** Excludes `max` itself. */
  readonly below?: true;
}

function rangeText(noun: string, { min, max, above, below }: Range): string {
  if (min === undefined) return max === undefined ? noun : `${noun} of at most ${max}`;
  if (max === undefined) return `${noun} ${above ? `greater than ${min}` : `from ${min} up`}`;
  const low = above ? `greater than ${min}` : `from ${min}`;
  return `${noun} ${low} ${above || below ? 'and' : 'to'} ${below ? `below ${max}` : max}`;
}

function inRange(value: number, { min, max, above, below }: Range): boolean {
  const high = min === undefined || (above ? value > min : value >= min);
  return high && (max === undefined || (below ? value < max : value <= max));
}

/** A finite number in a range. */
export function number(help: string, range: Range = {}) {
  const rule = rangeText('a number', range);
  return z
    .number()
    .refine((value) => inRange(value, range))
    .meta({ rule, help });
}

/** A whole number in a range. */
export function whole(help: string, range: Range = {}) {
  const rule = rangeText('a whole number', range);
  return z
    .int()
    .refine((value) => inRange(value, range))
    .meta({ rule, help });
}

export function flag(help: string) {
  return z.boolean().meta({ rule: 'true or false', help });
}

export function choice<const T extends readonly [string, ...string[]]>(help: string, choices: T) {
  return z.enum(choices).meta({ rule: `one of ${choices.join(', ')}`, help });
}

export function text(help: string, rule = 'text') {
  return z.string().min(1).meta({ rule, help });
}

/** Epochs as a number, or `10000 steps`, or `5%`. */
export function duration(help: string) {
  return z
    .union([z.number().min(0), z.string().refine(isDuration)])
    .meta({ rule: 'a number of epochs, or as 10000 steps or 5%', help });
}

/** The literal that tells the members of a section apart; its rule is made from the members. */
export function named<const N extends string>(name: N) {
  return z.literal(name);
}
